"""`python -m engine.serve`: an engine that stays. Jobs follow each other on one base model in memory, without loading.

Listens on a Unix socket that its owner alone may use; ends when it is asked to, or after a long time without a job.
Every job writes its own folder, as if it had a process of its own; ending a job (SIGTERM) does not end the engine.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from engine import codes
from engine.conduct import conduct, take
from engine.failure import Scene, classify
from engine.inference import read_spec
from engine.job_folder import JobFolder
from engine.log import LOG, Terminal, open_log
from engine.protocol import Phase
from engine.resident import Resident
from engine.resolving import prove_stack
from engine.run import run
from engine.serving import (
    Answer,
    AnyAsk,
    Client,
    Look,
    Quit,
    Submit,
    Swap,
    encode_line,
    read_ask,
    read_line,
    socket_path,
)
from lora_repository.finding import Finding, Problem
from lora_repository.i18n import _, set_language

IDLE_S: Final = 1800.0
"""Without a job for so long, the engine ends and gives its memory back."""
_PEER: Final = "3i"
"""struct ucred: pid, uid, gid."""


class Server:
    """Mutable: the jobs that wait, the one that runs, and the model in memory."""

    def __init__(self, path: Path, idle_s: float) -> None:
        self._path = path
        self._idle_s = idle_s
        self._resident = Resident()
        self._waiting: deque[Path] = deque()
        self._changed = threading.Condition()
        self._running: JobFolder | None = None
        self._ending = False
        self._done = 0

    def serve(self) -> None:
        """Answer and run jobs until the end; raises Problem RUN061 when another engine listens there."""
        listener = self._listen()
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._end)
        try:
            while (folder := self._next()) is not None:
                self._run(JobFolder(folder))
        finally:
            listener.close()
            self._path.unlink(missing_ok=True)

    def _listen(self) -> socket.socket:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _answers(self._path):
            raise codes.SERVER_TAKEN.problem(path=str(self._path))
        self._path.unlink(missing_ok=True)  # left behind by an engine that was killed
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listener.bind(os.fspath(self._path))
        finally:
            os.umask(before)
        listener.listen()
        return listener

    def _end(self, *_signal: object) -> None:
        self._ending = True

    # -- the thread that runs jobs ----------------------------------------------------------------------------------

    def _next(self) -> Path | None:
        """The next job; None when it is time to end."""
        idle = 0.0
        with self._changed:
            while not self._waiting and not self._ending and idle < self._idle_s:
                idle = 0.0 if self._changed.wait(0.2) else idle + 0.2
            return self._waiting.popleft() if self._waiting and not self._ending else None

    def _run(self, folder: JobFolder) -> None:
        try:
            lock = take(folder)
        except Problem as error:
            LOG.error("%s: %s", error.finding.code, error.finding.message)
            return
        self._running = folder
        try:
            with _words_to(folder) as terminal:
                conduct(folder, terminal, lambda stage: run(read_spec(folder.spec), folder, stage, self._resident))
        finally:
            self._running = None
            self._done += 1
            lock.release()
            signal.signal(signal.SIGTERM, self._end)
            signal.signal(signal.SIGINT, self._end)

    # -- the threads that answer ------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return  # closed: the engine ends
            threading.Thread(target=self._answer_to, args=(connection,), daemon=True).start()

    def _answer_to(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_PEER))
            if struct.unpack(_PEER, peer)[1] != os.getuid():
                return
            try:
                answer = self._answer(read_ask(read_line(connection)))
            except (msgspec.DecodeError, ValueError) as fault:
                answer = _refusal(codes.SPEC_UNREADABLE.finding(path=str(self._path), reason=str(fault)))
            except Problem as error:
                answer = _refusal(error.finding)
            except Exception as fault:  # noqa: BLE001  # whoever asked is told; the job goes on
                answer = _refusal(classify(fault, Scene(Phase.LOADING, Path(), Path())))
            connection.sendall(encode_line(answer))

    def _answer(self, ask: AnyAsk) -> Answer:
        match ask:
            case Submit(folder):
                read_spec(JobFolder(Path(folder)).spec)
                with self._changed:
                    self._waiting.append(Path(folder))
                    self._changed.notify()
            case Swap(adapters, restart):
                self._swap(adapters, restart)
            case Quit():
                self._ending = True
            case Look():
                pass
        running = self._running
        return Answer(
            ok=True,
            pid=os.getpid(),
            base=self._resident.base,
            job="" if running is None else str(running.root),
            waiting=len(self._waiting),
            done=self._done,
            swaps=self._resident.swaps,
        )

    def _swap(self, adapters: tuple[str, ...], restart: bool) -> None:
        """Prove the stack and make it ready; raises Problem."""
        layout = self._resident.layout
        if self._running is None or layout is None:
            raise codes.NOTHING_RUNS.problem(path=str(self._path))
        proofs = prove_stack(tuple(Path(name) for name in adapters), layout)
        self._resident.prepare([part for proof in proofs for part in proof.parts], restart=restart)


def _answers(path: Path) -> bool:
    try:
        return Client(path).look().ok
    except Problem:
        return False


def _refusal(finding: Finding) -> Answer:
    return Answer(ok=False, code=finding.code, message=finding.message, fix=finding.fix)


@contextmanager
def _words_to(folder: JobFolder) -> Iterator[Terminal]:
    """What is printed goes to the job's log while it runs, and to where it went before afterwards."""
    handlers, kept = list(LOG.handlers), [os.dup(stream.fileno()) for stream in (sys.stdout, sys.stderr)]
    try:
        open_log(folder.log)
        yield Terminal(None, None)
    finally:
        LOG.handlers[:] = handlers
        for stream, descriptor in zip((sys.stdout, sys.stderr), kept, strict=True):
            stream.flush()
            os.dup2(descriptor, stream.fileno())
            os.close(descriptor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the end; returns the exit code."""
    set_language()
    parser = argparse.ArgumentParser(prog="python -m engine.serve", description=_("An engine that stays in memory."))
    parser.add_argument("--socket", type=Path, metavar="FILE", help=_("where to listen (default: the runtime folder)"))
    parser.add_argument(
        "--idle", type=float, default=IDLE_S, metavar="SECONDS", help=_("end after so long without a job")
    )
    given = parser.parse_args(arguments)
    try:
        Server(given.socket or socket_path(), given.idle).serve()
    except Problem as error:
        Terminal(None, None).tell(error.finding)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
