"""From lines to the rows of a screen, up and down from a place: cut at the width or not, all lines or some.

Knows no widget. A place is a byte offset and a row within the line that begins there, so that nothing has to be counted
to draw the end of 10 GB.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from rich.cells import cell_len, chop_cells

from liveavatar_tui.logs.lines import Line, backward, forward, line_at
from liveavatar_tui.logs.log_file import LogFile
from liveavatar_tui.logs.search import Search
from liveavatar_tui.safe_text import safe_text

_TAB: Final = 8


class Place(NamedTuple):
    """Row `row`, from 0, of the line that begins at byte `offset`."""

    offset: int
    row: int = 0


class Row(NamedTuple):
    """One row: where it is, its text, and the whole text of its line with where this row begins in it."""

    place: Place
    end: int
    text: str
    line: str


class Lines(Protocol):
    """Some lines of a file, in order."""

    def after(self, offset: int, count: int) -> list[Line]:
        """At most `count` lines that begin at `offset`, which is a line start, or later."""
        ...

    def before(self, offset: int, count: int) -> list[Line]:
        """At most `count` lines that begin before `offset`."""
        ...


class AllLines:
    """Every line of a file."""

    def __init__(self, file: LogFile) -> None:
        self._file = file

    def after(self, offset: int, count: int) -> list[Line]:
        return forward(self._file.extent, offset, count)

    def before(self, offset: int, count: int) -> list[Line]:
        return backward(self._file.extent, min(offset, self._file.extent.size), count)


class HitLines:
    """The lines that a search has found."""

    def __init__(self, file: LogFile, search: Search) -> None:
        self._file = file
        self._search = search

    def after(self, offset: int, count: int) -> list[Line]:
        first = self._search.rank(offset)
        return [self._line(rank) for rank in range(first, min(len(self._search), first + count))]

    def before(self, offset: int, count: int) -> list[Line]:
        end = self._search.rank(offset)
        return [self._line(rank) for rank in range(max(0, end - count), end)]

    def _line(self, rank: int) -> Line:
        return line_at(self._file.extent, self._search[rank])


class Layout:
    """Rows of `lines` at most `width` cells wide; without `wrap` a line is one row however long."""

    def __init__(self, lines: Lines, width: int, *, wrap: bool) -> None:
        self._lines = lines
        self._width = max(1, width)
        self._wrap = wrap

    def down(self, place: Place, count: int) -> list[Row]:
        """At most `count` rows from `place` on."""
        return self._collect(lambda number: self._lines.after(place.offset, number), count, place, ascending=True)

    def up(self, place: Place, count: int) -> list[Row]:
        """At most `count` rows before `place`, in order."""
        own = [row for row in self._first_rows(place) if row.place < place] if place.row else []
        missing = count - len(own)
        if missing > 0:
            own = self._collect(lambda n: self._lines.before(place.offset, n), missing, None, ascending=False) + own
        return own[-count:] if count else []

    def _first_rows(self, place: Place) -> list[Row]:
        lines = self._lines.after(place.offset, 1)
        return self._rows(lines[0]) if lines else []

    def _collect(
        self, read: Callable[[int], list[Line]], count: int, first: Place | None, *, ascending: bool
    ) -> list[Row]:
        rows = [row for line in read(count) for row in self._rows(line) if first is None or row.place >= first]
        return rows[:count] if ascending else rows[-count:]

    def _rows(self, line: Line) -> list[Row]:
        text = visible(line.text)
        if not self._wrap or cell_len(text) <= self._width:
            return [Row(Place(line.start), line.end, text, text)]
        cut = chop_cells(text, self._width)
        return [Row(Place(line.start, number), line.end, part, text) for number, part in enumerate(cut)]


def visible(line: bytes) -> str:
    """The text of a line as it can be drawn: no escape, no control, tabs at every eighth column."""
    return safe_text(line.decode("utf-8", "replace").expandtabs(_TAB))
