"""Lines of a file by offsets, forwards and backwards, however long they are. Pure functions; knows no screen.

A line ends at a line break. One that runs through a whole aligned MiB is cut there into pieces, by a rule that needs
the bytes around the cut only: going forwards and going backwards meet the same pieces, also in 10 GB without a break.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

PIECE: Final = 1 << 20
SHOWN: Final = 8 << 10
"""Bytes of a line that are kept to be shown."""
_WINDOW: Final = 1 << 16
_NEAR: Final = 1 << 12


class Reader(Protocol):
    """`size` readable bytes."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """As `Extent.read`."""
        ...


class Line(NamedTuple):
    """Bytes `start` to `end`, the line break included; `text` is what a terminal would leave visible, at most 8 KiB."""

    start: int
    end: int
    text: bytes


def shown(line: bytes) -> bytes:
    """What is visible of a line that went back to its start and wrote over itself: its last state, at most 8 KiB."""
    if b"\r" in line:
        line = line.rstrip(b"\r")
        line = line[line.rfind(b"\r") + 1 :]
    return line[:SHOWN]


def start_of(reader: Reader, offset: int) -> int:
    """Where the line or piece begins that byte `offset` belongs to."""
    floor = offset - offset % PIECE
    lowest = max(0, floor - PIECE)
    for low, high in ((max(lowest, offset - _NEAR), offset), (lowest, max(lowest, offset - _NEAR))):
        found = reader.read(low, high - low).rfind(b"\n")
        if found >= 0:
            return low + found + 1
    return floor


def end_of(reader: Reader, start: int) -> int:
    """Where the line or piece ends that begins at `start`."""
    limit = min(reader.size, -(-start // PIECE) * PIECE + PIECE)
    for low, high in ((start, min(limit, start + _NEAR)), (min(limit, start + _NEAR), limit)):
        found = reader.read(low, high - low).find(b"\n")
        if found >= 0:
            return low + found + 1
    return limit


def line_at(reader: Reader, start: int) -> Line:
    """The line that begins at `start`, however long: reads at most 2 MiB."""
    end = end_of(reader, start)
    return Line(start, end, shown(reader.read(start, end - start).removesuffix(b"\n")))


def forward(reader: Reader, start: int, count: int) -> list[Line]:
    """At most `count` lines from the line start `start` on, in order."""
    lines: list[Line] = []
    while len(lines) < count and start < reader.size:
        data = reader.read(start, _WINDOW)
        at = 0
        while len(lines) < count and (found := data.find(b"\n", at)) >= 0:
            lines.append(Line(start + at, start + found + 1, shown(data[at:found])))
            at = found + 1
        if at == 0:  # longer than the window, or the unfinished last one
            lines.append(line_at(reader, start))
            at = max(1, lines[-1].end - start)
        start += at
    return lines


def backward(reader: Reader, end: int, count: int) -> list[Line]:
    """At most `count` lines before the line start `end` (or the end of the file), in order."""
    lines: list[Line] = []
    while len(lines) < count and end > 0:
        low = max(0, end - _WINDOW)
        data = reader.read(low, end - low)
        if not data:  # cut short meanwhile
            break
        stop = len(data)
        while len(lines) < count and (found := data.rfind(b"\n", 0, max(0, stop - 1))) >= 0:
            lines.append(Line(low + found + 1, low + stop, shown(data[found + 1 : stop].removesuffix(b"\n"))))
            stop = found + 1
        if len(lines) < count and (stop == len(data) or low == 0):  # it begins before the window, or with the file
            start = start_of(reader, low + max(0, stop - 1))
            lines.append(Line(start, low + stop, line_at(reader, start).text))
            end = start
        else:
            end = low + stop
    return lines[::-1]
