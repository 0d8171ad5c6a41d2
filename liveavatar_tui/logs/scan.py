"""The process that looks through a log: `python -m liveavatar_tui.logs.scan`, started and ended by `Search`.

A process of its own, because an expression may take for ever and holds the interpreter while it does; here it can be
killed at any moment and the screen never waits. It reads a descriptor that it was given, so a rotation cannot mix two
files. It looks ahead from where the reader is, then back to the beginning, then at what is added.

Standard input: one request (JSON, one line), then the newest size of the file, a number a line; its end ends the
process. Standard output: records of a `HEADER` and as many offsets of line starts.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import sys
from array import array
from typing import Final

import msgspec

from liveavatar_tui.logs.lines import end_of, start_of
from liveavatar_tui.logs.log_file import Descriptor, Extent
from liveavatar_tui.logs.query import Find, Query, finder

HEADER: Final = struct.Struct("<cQI")
"""Kind, bytes looked through so far, number of offsets that follow (unsigned, 8 bytes each)."""
AHEAD: Final = b"a"
"""Offsets in ascending order, from the origin on."""
BACK: Final = b"b"
"""Offsets in descending order, from the origin back."""
PATIENCE_S: Final = 10.0
"""Seconds after which a chunk is given up, and the process with it (SIGALRM): no text is worth more of a core."""
_CHUNK: Final = 1 << 20
"""Bytes looked through at once: what fits the processor's cache goes twice as fast as 4 MiB."""


class Request(msgspec.Struct, frozen=True):
    """What to seek in which descriptor; `origin` is a line start, `size` what can be read, `patience_s` what one chunk
    may take."""

    descriptor: int
    query: Query
    origin: int
    size: int
    patience_s: float = PATIENCE_S


class Scan:
    """Mutable: how far one search has come."""

    def __init__(self, request: Request) -> None:
        self._find: Find = finder(request.query)
        self._extent = Extent(Descriptor(request.descriptor), request.size)
        self._ahead = self._back = self._looked = request.origin
        self._last = -1
        self._patience_s = request.patience_s

    def grow(self, size: int) -> None:
        """The file has this many bytes by now."""
        self._extent = Extent(self._extent.file, size)

    def step(self) -> bool:
        """Look through one more chunk; False when there is none."""
        if self._looked < self._extent.size:
            self._step_ahead()
        elif self._back > 0:
            self._step_back()
        else:
            return False
        return True

    def _step_ahead(self) -> None:
        """The last line may be unfinished: it is looked at, and once more when it has grown."""
        end = min(self._extent.size, self._ahead + _CHUNK)
        whole = start_of(self._extent, end)
        if whole <= self._ahead and end < self._extent.size:  # one long line
            whole = end = end_of(self._extent, self._ahead)
        self._looked = end if end == self._extent.size else whole
        found = [offset for offset in self._look(self._ahead, self._looked) if offset > self._last]
        self._last = max([self._last, *found])
        self._ahead = whole
        self._tell(AHEAD, found)

    def _step_back(self) -> None:
        begin = start_of(self._extent, max(0, self._back - _CHUNK))
        found = self._look(begin, self._back)
        self._back = begin
        self._tell(BACK, found[::-1])

    def _look(self, begin: int, end: int) -> list[int]:
        signal.setitimer(signal.ITIMER_REAL, self._patience_s)
        found = self._find(self._extent.read(begin, end - begin))
        signal.setitimer(signal.ITIMER_REAL, 0)
        return [begin + at for at in found]

    def _tell(self, kind: bytes, offsets: list[int]) -> None:
        data = HEADER.pack(kind, self._looked - self._back, len(offsets)) + array("Q", offsets).tobytes()
        while data:
            data = data[os.write(1, data) :]


class Inbox:
    """Mutable: lines that arrive on a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""

    def lines(self, *, wait: bool) -> list[bytes] | None:
        """Whole lines that have arrived; None after the last."""
        if not wait and not select.select([self._descriptor], [], [], 0)[0]:
            return []
        heard = os.read(self._descriptor, 1 << 16)
        *lines, self._rest = (self._rest + heard).split(b"\n")
        return lines if heard else None


def main() -> int:
    """Seek until standard input ends."""
    inbox = Inbox(0)
    lines = inbox.lines(wait=True)
    while lines == []:
        lines = inbox.lines(wait=True)
    if lines is None:
        return 0
    scan = Scan(msgspec.json.decode(lines.pop(0), type=Request))
    busy = True
    while lines is not None:
        if lines:
            scan.grow(int(lines[-1]))
        busy = scan.step()
        lines = inbox.lines(wait=not busy)
    return 0


if __name__ == "__main__":
    sys.exit(main())
