"""A job folder is the whole truth about a run: where its files are, who holds it, and what happened in it.

Written by one engine, read by any number of watchers, none of which the engine knows. Linux only (`F_GETLK`).
Knows no torch, no widget and no model.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from engine import codes
from engine.protocol import (
    AnyEvent,
    Cancelled,
    Failed,
    Finished,
    Learned,
    Memory,
    Preview,
    Progress,
    decode_line,
    encode_line,
)

APP: Final = "liveavatar-tui"
_FLOCK: Final = "hhqqi4x"
"""struct flock on 64-bit Linux: type, whence, start, length, pid."""
_RESERVED: Final = 64 << 10
_ENDS: Final = (Finished, Failed, Cancelled)
_PASSING: Final = (Progress, Learned, Memory, Preview)
"""Events that a power cut may take: they are appended without fdatasync (1.6 us against 210 us each)."""


def jobs_root() -> Path:
    """Where job folders live unless told otherwise: `$XDG_STATE_HOME/liveavatar-tui/jobs`."""
    from platformdirs import user_state_path  # here: whoever only reads a folder need not pay for it

    return user_state_path(APP) / "jobs"


def fresh_job_id() -> str:
    """A name that sorts by time and that two starts in one second do not share."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(3).hex()}"


@dataclass(frozen=True, slots=True)
class JobFolder:
    """Paths inside one job folder."""

    root: Path

    @property
    def spec(self) -> Path:
        return self.root / "spec.json"

    @property
    def lock(self) -> Path:
        return self.root / "engine.lock"

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def log(self) -> Path:
        return self.root / "engine.log"

    @property
    def preview(self) -> Path:
        return self.root / "preview.jpg"

    @property
    def first(self) -> Path:
        return self.root / "first.jpg"

    @property
    def last(self) -> Path:
        return self.root / "last.jpg"

    @property
    def output(self) -> Path:
        return self.root / "output.mp4"

    @property
    def provenance(self) -> Path:
        return self.root / "output.json"

    def create(self) -> None:
        """Make the folder, readable by its owner only; raises Problem RUN004. An existing folder is kept as it is."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as fault:
            raise codes.FOLDER_UNWRITABLE.problem(path=str(self.root), reason=reason(fault)) from fault

    def holds_a_run(self) -> bool:
        """Whether an engine has already written here."""
        return self.events.exists() and self.events.stat().st_size > 0


def reason(fault: OSError) -> str:
    """The system's own words for a fault, without number and path."""
    return (fault.strerror or str(fault)).lower()


class RecordLock:
    """Mutable: a POSIX record lock on a file, held until `release` or the death of the process.

    A record lock and not flock: it is free at once when its owner is killed, even while a forked worker lives on, and
    the kernel names its owner. It is dropped when this process closes *any* descriptor of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self) -> bool:
        """Take the lock if it is free."""
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            if fault.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        return True

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._descriptor)


def lock_owner(path: Path) -> int | None:
    """The process that holds the record lock on `path`; None when it is free; 0 when the owner is out of sight.

    Out of sight: in another container, or on another host that shares the folder. Never ask about a lock of one's own
    process: closing the descriptor would drop it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        query = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _whence, _start, _length, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, query))
    finally:
        os.close(descriptor)
    return None if kind == fcntl.F_UNLCK else max(pid, 0)


class Journal:
    """Mutable: the engine's end of `events.jsonl`. One `os.write` a line: only the last can be torn.

    A little room on the disk is kept from the start, in a file without a name that goes with the process: when the disk
    fills up there is still a place for how the run ended.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._reserve = _reserve(path.with_name(".events.reserve"))
        self._seq = 0
        self._torn = False

    def append(self, event: AnyEvent) -> None:
        """Number, date and write one event; a change of state is on the disk when this returns.

        Raises OSError when the disk is full: the event that met this is written all the same, and the run must end.
        """
        stamped = msgspec.structs.replace(event, seq=self._seq, time=time.time(), mono=time.monotonic())
        line = encode_line(stamped)
        if self._torn:
            line = b"\n" + line
        full = self._write(line)
        self._seq += 1
        if not isinstance(event, _PASSING):
            os.fdatasync(self._descriptor)
        if full and not isinstance(event, _ENDS):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _write(self, line: bytes) -> bool:
        """Write all of it, with the reserve if need be; whether that was needed. Raises OSError when it is used up."""
        written = self._room_for(line)
        if written == len(line):
            return False
        self._torn = True
        if self._reserve is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.close(self._reserve)
        self._reserve = None
        if self._room_for(line[written:]) < len(line) - written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._torn = False
        return True

    def _room_for(self, data: bytes) -> int:
        """Bytes of it that could be written."""
        try:
            return os.write(self._descriptor, data)
        except OSError as fault:
            if fault.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            return 0

    def close(self) -> None:
        """No event comes after this."""
        os.close(self._descriptor)
        if self._reserve is not None:
            os.close(self._reserve)


def _reserve(path: Path) -> int | None:
    """A descriptor that holds `_RESERVED` bytes of the disk until it is closed; None where there are none left."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    path.unlink()
    try:
        os.posix_fallocate(descriptor, 0, _RESERVED)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@dataclass(frozen=True, slots=True)
class Chunk:
    """Events read, and the byte offset to continue from."""

    events: tuple[AnyEvent, ...]
    offset: int


def read_journal(path: Path, offset: int = 0) -> Chunk:
    """Events of every whole line after byte `offset`; unknown lines are skipped.

    A torn last line is left for the next call. A missing journal is an empty one: the engine is not that far yet.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            content = file.read()
    except FileNotFoundError:
        return Chunk((), offset)
    whole = content.rfind(b"\n") + 1
    events = (decode_line(line) for line in content[:whole].split(b"\n") if line)
    return Chunk(tuple(event for event in events if event is not None), offset + whole)
