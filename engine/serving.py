"""What a resident engine and those who use it say to each other: one JSON line asked, one answered, over a Unix socket.

The socket is its owner's alone (0600). Knows no torch and no model; `engine.serve` answers, the app and scripts ask.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

import msgspec

from engine import codes
from engine.job_folder import APP, reason

LONGEST: Final = 1 << 20
"""Bytes of a line; a longer one is not ours."""
_WAIT_S: Final = 120.0
"""How long an answer may take: an adapter is read and merged before its swap is answered."""


class Ask(msgspec.Struct, frozen=True, tag_field="ask"):
    """Common to all requests."""


class Submit(Ask, frozen=True, tag="submit"):
    """Run the job whose folder holds a `spec.json`, after those that were submitted before."""

    folder: str


class Swap(Ask, frozen=True, tag="swap"):
    """Another stack of adapters for the job that runs, from the next block on; `restart` begins its video anew."""

    adapters: tuple[str, ...]
    restart: bool = False


class Look(Ask, frozen=True, tag="look"):
    """How things stand."""


class Quit(Ask, frozen=True, tag="quit"):
    """End when the running job is done; jobs that wait are given up."""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """`code`, `message` and `fix` say why not; the rest is how things stand."""

    ok: bool
    code: str = ""
    message: str = ""
    fix: str = ""
    pid: int = 0
    base: str = ""
    """Folder of the base model in memory; empty before the first job."""
    job: str = ""
    """Folder of the job that runs; empty between jobs."""
    waiting: int = 0
    """Jobs that were submitted and have not begun."""
    done: int = 0
    swaps: int = 0


AnyAsk = Submit | Swap | Look | Quit
_asks: Final[msgspec.json.Decoder[AnyAsk]] = msgspec.json.Decoder(AnyAsk)
_answers: Final = msgspec.json.Decoder(Answer)


def socket_path() -> Path:
    """Where the resident engine of this user listens: `$XDG_RUNTIME_DIR/liveavatar-tui/engine.sock`."""
    from platformdirs import user_runtime_path  # here: whoever only reads messages need not pay for it

    return user_runtime_path(APP) / "engine.sock"


def read_ask(line: bytes) -> AnyAsk:
    """A request; raises msgspec.DecodeError for anything else."""
    return _asks.decode(line)


def encode_line(message: AnyAsk | Answer) -> bytes:
    """One line, newline included."""
    return msgspec.json.encode(message) + b"\n"


def read_line(connection: socket.socket) -> bytes:
    """Up to the first newline or the end; raises ValueError for a line that does not end."""
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = connection.recv(65536)
        if not piece:
            break
        line += piece
        if len(line) > LONGEST:
            raise ValueError("a line without an end")
    return bytes(line)


class Client:
    """Asks the resident engine at a socket; every call is a connection of its own. Holds nothing."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = socket_path() if path is None else path

    def submit(self, folder: Path) -> Answer:
        """Hand a job over; what becomes of it is in its folder."""
        return self.ask(Submit(str(folder.absolute())))

    def swap(self, adapters: tuple[str, ...], *, restart: bool = False) -> Answer:
        """Swap the stack of the running job; returns when the new weights are ready."""
        return self.ask(Swap(adapters, restart))

    def look(self) -> Answer:
        """How things stand."""
        return self.ask(Look())

    def quit(self) -> Answer:
        """Ask the engine to end."""
        return self.ask(Quit())

    def ask(self, request: AnyAsk) -> Answer:
        """One request; raises Problem RUN060 where nobody answers."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_WAIT_S)
                connection.connect(os.fspath(self.path))
                connection.sendall(encode_line(request))
                return _answers.decode(read_line(connection))
        except OSError as fault:
            raise codes.SERVER_ABSENT.problem(path=str(self.path), reason=reason(fault)) from fault
        except (msgspec.DecodeError, ValueError) as fault:
            raise codes.SERVER_ABSENT.problem(path=str(self.path), reason=str(fault)) from fault
