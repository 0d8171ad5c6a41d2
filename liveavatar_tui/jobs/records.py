"""Small notes that the face leaves in a job folder: who was launched, who asked for the end, with what status it came.

A state is read from the folder, never remembered.
"""

from __future__ import annotations

import getpass
import socket
import time
from pathlib import Path
from typing import TypeVar

import msgspec

from engine.identity import Identity
from engine.job_folder import JobFolder
from lora_repository.files import write_whole


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """The process that was spawned; the engine's own first event repeats it. `time` is wall seconds."""

    engine: Identity
    time: float


class CancelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody asked for the end: what dies after this was cancelled and not lost."""

    user: str
    host: str
    time: float


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How the process ended, as its parent saw it: `Popen.returncode`. Not there when the parent died first."""

    status: int


Note = TypeVar("Note", Launch, CancelRequest, Exit)


def launch_path(folder: JobFolder) -> Path:
    """Where the starter says who it started."""
    return folder.root / "launch.json"


def cancel_path(folder: JobFolder) -> Path:
    """Where somebody says that it shall end."""
    return folder.root / "cancel.json"


def exit_path(folder: JobFolder) -> Path:
    """Where the parent says how it ended."""
    return folder.root / "exit.json"


def write_launch(folder: JobFolder, engine: Identity) -> None:
    """Durable when this returns."""
    write_whole(launch_path(folder), msgspec.json.encode(Launch(engine=engine, time=time.time())))


def write_cancel(folder: JobFolder) -> None:
    """Durable when this returns; the first request stays."""
    if not cancel_path(folder).exists():
        request = CancelRequest(user=getpass.getuser(), host=socket.gethostname(), time=time.time())
        write_whole(cancel_path(folder), msgspec.json.encode(request))


def write_exit(folder: JobFolder, status: int) -> None:
    """Durable when this returns."""
    write_whole(exit_path(folder), msgspec.json.encode(Exit(status=status)))


def read_launch(folder: JobFolder) -> Launch | None:
    """Who was started; None where nobody said."""
    return _read(launch_path(folder), Launch)


def read_cancel(folder: JobFolder) -> CancelRequest | None:
    """Who asked for the end; None where nobody did."""
    return _read(cancel_path(folder), CancelRequest)


def read_exit(folder: JobFolder) -> Exit | None:
    """How it ended; None where no parent saw it."""
    return _read(exit_path(folder), Exit)


def _read(path: Path, kind: type[Note]) -> Note | None:
    """The note, or None where there is none or it is not ours."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None
