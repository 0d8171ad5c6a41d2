"""A file that another process appends to, cuts short or replaces, read by offsets.

Knows no line and no screen. One thread looks (`look`), any thread reads: what is readable is one frozen `Extent` that
is swapped whole, and the descriptor of an older one closes when its last reader lets go of it.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SEAM: Final = 64
"""Bytes at the beginning and before the known end that must not change while a file grows."""


class Descriptor:
    """Mutable: an open file, closed when nobody holds this object."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        with suppress(OSError):
            os.close(self.number)


@dataclass(frozen=True, slots=True)
class Extent:
    """What could be read at the last look: `size` bytes of `file`. `generation` counts the times that the file
    started over; offsets of one generation mean nothing in another."""

    file: Descriptor | None = None
    size: int = 0
    generation: int = 0

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`, none beyond `size`; fewer when the file was cut short meanwhile."""
        length = min(length, self.size - offset)
        if self.file is None or length <= 0 or offset < 0:
            return b""
        try:
            return os.pread(self.file.number, length, offset)
        except OSError:
            return b""


@dataclass(frozen=True, slots=True)
class _Trace:
    """What a file looked like: enough to tell growth from a fresh start."""

    identity: tuple[int, int]
    moment: int
    head: bytes
    seam: bytes


class LogFile:
    """Mutable: the newest `extent` of the file at a path, which need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.extent = Extent()
        self._trace = _Trace((0, 0), 0, b"", b"")

    def look(self) -> bool:
        """Ask the file system once (1.6 us when nothing changed); True when `extent` changed. Raises nothing.

        A path that is gone keeps what is open: a rotation may be half done. Only regular files are opened.
        """
        try:
            status = self.path.stat()
            if not stat.S_ISREG(status.st_mode):
                return False
            seen = (self.extent.size, self._trace.identity, self._trace.moment)
            if self.extent.file and seen == (status.st_size, (status.st_dev, status.st_ino), status.st_mtime_ns):
                return False
            return self._take_in(status)
        except OSError:
            return False

    def _take_in(self, status: os.stat_result) -> bool:
        before = self.extent
        if before.file is None or self._started_over(status):
            file = Descriptor(os.open(self.path, os.O_RDONLY | os.O_CLOEXEC))
            status = os.fstat(file.number)
            self.extent = Extent(file, status.st_size, before.generation + (before.file is not None))
        else:
            self.extent = Extent(before.file, status.st_size, before.generation)
        extent = self.extent
        seam = extent.read(max(0, extent.size - _SEAM), _SEAM)
        self._trace = _Trace((status.st_dev, status.st_ino), status.st_mtime_ns, extent.read(0, _SEAM), seam)
        return extent != before

    def _started_over(self, status: os.stat_result) -> bool:
        """Another file, a shorter one, or one that was written again beyond its old end between two looks."""
        trace, extent = self._trace, self.extent
        if (status.st_dev, status.st_ino) != trace.identity or status.st_size < extent.size:
            return True
        seam = extent.read(max(0, extent.size - _SEAM), _SEAM)
        return extent.read(0, len(trace.head)) != trace.head or seam != trace.seam
