"""Small notes that the face leaves in a job folder: who was launched, who asked for the end, with what status it came.

A state is read from the folder, never remembered.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from pathlib import Path
from typing import TypeVar

import msgspec

from engine.identity import Identity
from engine.job_folder import JobFolder
from lora_repository.files import sync_folder, write_whole


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """The process that was spawned; the engine's own first event repeats it. `time` is wall seconds."""

    engine: Identity
    time: float
    shelter: str = ""
    """What holds the processes together: `scope NAME`, `cgroup`, or `session` where the machine has neither."""
    cgroup: str = ""
    """Folder of the control group in which the engine and all its descendants are; empty where it has none."""


class CancelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody asked for the end: what dies after this was cancelled and not lost."""

    user: str
    host: str
    time: float


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How the process ended, as its keeper saw it: `Popen.returncode`. Not there when the keeper died first."""

    status: int


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wrote on the job. A job with a note is not pruned."""

    text: str
    user: str
    time: float


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run with `--spec FILE`: for a keeper that takes another one's place."""

    command: tuple[str, ...]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The job that this one repeats."""

    job: str


Record = TypeVar("Record", Launch, CancelRequest, Exit, Note, Command, Origin)


def launch_path(folder: JobFolder) -> Path:
    """Where the keeper says which engine it started."""
    return folder.root / "launch.json"


def cancel_path(folder: JobFolder) -> Path:
    """Where somebody says that it shall end."""
    return folder.root / "cancel.json"


def exit_path(folder: JobFolder) -> Path:
    """Where the keeper says how it ended."""
    return folder.root / "exit.json"


def note_path(folder: JobFolder) -> Path:
    """Where people write on it."""
    return folder.root / "note.json"


def command_path(folder: JobFolder) -> Path:
    """Where the starter says what is to be run."""
    return folder.root / "command.json"


def origin_path(folder: JobFolder) -> Path:
    """Where a repeated job says which one it repeats."""
    return folder.root / "origin.json"


def keeper_lock(folder: JobFolder) -> Path:
    """Held by the keeper while it lives."""
    return folder.root / "keeper.lock"


def write_launch(folder: JobFolder, launch: Launch) -> None:
    """Durable when this returns."""
    _write(launch_path(folder), launch)


def write_cancel(folder: JobFolder) -> None:
    """Durable when this returns; the first request stays."""
    if not cancel_path(folder).exists():
        _write(cancel_path(folder), CancelRequest(user=getpass.getuser(), host=socket.gethostname(), time=time.time()))


def write_exit(folder: JobFolder, status: int) -> None:
    """Durable when this returns."""
    _write(exit_path(folder), Exit(status=status))


def write_note(folder: JobFolder, text: str) -> None:
    """Replace the note; an empty one takes it away. Durable when this returns."""
    if text.strip():
        _write(note_path(folder), Note(text=text.strip(), user=getpass.getuser(), time=time.time()))
    elif note_path(folder).exists():
        note_path(folder).unlink()
        sync_folder(folder.root)


def write_command(folder: JobFolder, command: tuple[str, ...]) -> None:
    """Durable when this returns."""
    _write(command_path(folder), Command(command=command))


def write_origin(folder: JobFolder, job: str) -> None:
    """Durable when this returns."""
    _write(origin_path(folder), Origin(job=job))


def read_launch(folder: JobFolder) -> Launch | None:
    """Who was started; None where nobody said."""
    return _read(launch_path(folder), Launch)


def read_cancel(folder: JobFolder) -> CancelRequest | None:
    """Who asked for the end; None where nobody did."""
    return _read(cancel_path(folder), CancelRequest)


def read_exit(folder: JobFolder) -> Exit | None:
    """How it ended; None where no keeper saw it."""
    return _read(exit_path(folder), Exit)


def read_note(folder: JobFolder) -> str:
    """The note; empty where nobody wrote one."""
    note = _read(note_path(folder), Note)
    return note.text if note is not None else ""


def read_command(folder: JobFolder) -> tuple[str, ...] | None:
    """What is to be run; None where nobody said."""
    told = _read(command_path(folder), Command)
    return told.command if told is not None else None


def read_origin(folder: JobFolder) -> str | None:
    """The name of the job that this one repeats, None for a first one."""
    origin = _read(origin_path(folder), Origin)
    return origin.job if origin is not None else None


def stamp(path: Path | str) -> tuple[int, int, int] | None:
    """Changes whenever the file is replaced; None without the file."""
    try:
        told = os.stat(path)  # noqa: PTH116  # asked of every job once a second: 3 us less than Path.stat
    except OSError:
        return None
    return told.st_ino, told.st_mtime_ns, told.st_size


def _write(path: Path, record: msgspec.Struct) -> None:
    write_whole(path, msgspec.json.encode(record))


def _read(path: Path, kind: type[Record]) -> Record | None:
    """The record, or None where there is none or it is not ours."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None
