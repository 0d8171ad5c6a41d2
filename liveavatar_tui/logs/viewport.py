"""The part of a log that is looked at: where it begins, whether it follows the end, what it leaves out, what is sought.

Knows no widget: the size is handed in, rows come out. Mutable; used by one thread, while another polls the feed.
"""

from __future__ import annotations

from typing import Final

from liveavatar_tui.logs.feed import LogFeed
from liveavatar_tui.logs.layout import AllLines, HitLines, Layout, Lines, Place, Row
from liveavatar_tui.logs.levels import Level
from liveavatar_tui.logs.lines import start_of
from liveavatar_tui.logs.query import Kind, Query
from liveavatar_tui.logs.search import Pace, Search

NEAREST: Final = 0
"""The first hit from a place on, else the last one before it; 1 and -1 are the next one down and up."""
_ABOVE: Final = 3
"""A line that was jumped to stands with a third of the rows above it."""


class Viewport:
    """Rows of `feed`; give it its size before asking for them."""

    def __init__(self, feed: LogFeed) -> None:
        self.feed = feed
        self.width = self.height = 1
        self.follow = True
        self.wrap = False
        self.level = Level.ALL
        self.mark: int | None = None
        """The line that was jumped to or pointed at, by its offset."""
        self.missed = False
        """Whether what was jumped to last is nowhere; whoever tells it takes it back."""
        self.sought: Search | None = None
        self._kept: Search | None = None
        self._errors: Search | None = None
        self._pending: tuple[Search, int, int] | None = None
        self._top = Place(0)
        self._since = Place(0)
        self._generation = 0
        self._lines: Lines = AllLines(feed.file)
        self._seen: int | None = None

    # --- what is shown

    def rows(self) -> list[Row]:
        """At most `height` rows; the page is full whenever there are enough of them."""
        if not self.follow:
            rows = self._layout.down(self._top, self.height)
            if len(rows) == self.height:
                return rows
        return self._layout.up(self._end, self.height)

    def part(self, rows: list[Row]) -> tuple[float, float]:
        """Where `rows` begin and end in the file, as shares of it."""
        size = self._end.offset
        return (rows[0].place.offset / size, rows[-1].end / size) if rows and size else (0.0, 1.0)

    @property
    def fresh(self) -> int | None:
        """Lines that came since the end was left; None when they were not counted then."""
        if self.follow or self._seen is None:
            return None
        return self.feed.numbers.total - self._seen

    @property
    def rank(self) -> int | None:
        """Which of the hits, from 1, is marked."""
        if self.sought is None or self.mark is None or not self.sought.holds(self.mark):
            return None
        return self.sought.rank(self.mark) + 1

    @property
    def _layout(self) -> Layout:
        return Layout(self._lines, self.width, wrap=self.wrap)

    @property
    def _end(self) -> Place:
        return Place(self.feed.file.extent.size)

    # --- moving

    def catch_up(self) -> None:
        """Take in that the feed has moved: a file that started over is shown from its beginning or end."""
        generation = self.feed.file.extent.generation
        if generation != self._generation:
            self._generation = generation
            self._top, self.mark, self._pending = Place(0), None, None
            self._seen = 0
            self._seek_again()
        if self._pending is not None:
            self._settle()

    def scroll(self, rows: int) -> None:
        """Down, or up for a negative number; reaching the end follows it."""
        if rows < 0:
            self._scroll_up(-rows)
        elif not self.follow:
            below = self._layout.down(self._top, rows + self.height + 1)
            if len(below) <= rows + self.height:
                self.to_end()
            else:
                self._top = below[rows].place

    def _scroll_up(self, count: int) -> None:
        first = next(iter(self.rows()), None)
        above = self._layout.up(first.place, count) if first is not None else []
        if above:
            self._leave_end(above[0].place)

    def home(self) -> None:
        """To the first line."""
        first = self._layout.down(Place(0), 1)
        if first:
            self._go(first[0].place)

    def to_end(self) -> None:
        """To the last line, and stay there."""
        self.follow = True

    def jump(self, offset: int) -> None:
        """Bring the line that begins at `offset` into view and mark it."""
        self.mark = offset
        visible = {row.place.offset for row in self.rows()}
        if offset not in visible:
            above = self._layout.up(Place(offset), self.height // _ABOVE)
            self._go(above[0].place if above else Place(offset))

    def jump_to_share(self, share: float) -> None:
        """To the line at this share of the file."""
        extent = self.feed.file.extent
        start = start_of(extent, min(int(extent.size * max(0.0, share)), max(0, extent.size - 1)))
        self._go(Place(start))

    def _go(self, top: Place) -> None:
        if len(self._layout.down(top, self.height + 1)) <= self.height:
            self.to_end()
        else:
            self._leave_end(top)

    def _leave_end(self, top: Place) -> None:
        if self.follow:
            numbers = self.feed.numbers
            self._seen = numbers.total if numbers.complete else None
        self.follow = False
        self._top = top

    # --- what is sought

    def seek(self, query: Query | None) -> None:
        """Begin to seek, from what is seen on: the nearest hit is jumped to as soon as it is found. None ends it."""
        if self.sought is None:
            self._since = next((row.place for row in self.rows()), Place(0))
        self.feed.give_up(self.sought)
        self.sought, self._pending = None, None
        if query is not None:
            self.sought = self.feed.seek(query, self._since.offset)
            self._pending = (self.sought, self._since.offset, NEAREST)

    def next_hit(self, direction: int) -> None:
        """The next hit below (1) or above (-1) the marked one, or what is seen; round the end."""
        if self.sought is not None:
            self._next_of(self.sought, direction)

    def last_error(self) -> None:
        """The nearest error above the marked line, or above the end; from the first one to the last."""
        if self._errors is None:
            self._errors = self.feed.seek(Query(Kind.LEVEL, Level.ERRORS.name), self._end.offset)
        if self.follow and (self.mark is None or not self._errors.holds(self.mark)):
            self._pending = (self._errors, self._end.offset, -1)
            self._settle()
        else:
            self._next_of(self._errors, -1)

    def _next_of(self, search: Search, direction: int) -> None:
        first = next((row.place.offset for row in self.rows()), 0)
        marked = self.mark is not None and search.holds(self.mark)
        start = self.mark if self.mark is not None and marked else first - (direction > 0)
        self._pending = (search, start + (direction > 0), direction)
        self._settle()

    def _settle(self) -> None:
        """Jump to the hit that is waited for, once it is certain which one that is; `missed` when there is none."""
        if self._pending is None:
            return
        search, start, direction = self._pending
        rank = search.rank(start) - (direction < 0)
        looking = search.pace is Pace.LOOKING and not (direction == NEAREST and search.turned and len(search))
        if not 0 <= rank < len(search):
            if looking:
                return
            rank = 0 if direction > 0 else len(search) - 1
        self._pending = None
        target = self._in_filter(search, rank, direction or -1)
        self.missed = target is None
        if target is not None:
            self.jump(target)

    def _in_filter(self, search: Search, rank: int, direction: int) -> int | None:
        """The hit at `rank`, or the next one in that direction that is not left out."""
        for _turn in range(len(search)):
            offset = search[rank % len(search)]
            if self._kept is None or self._kept.holds(offset):
                return offset
            rank += direction
        return None

    def _seek_again(self) -> None:
        """Searches of a file that started over are made again."""
        query = self.sought.query if self.sought is not None else None
        self.feed.give_up(self._errors)
        self._errors = None
        self.choose(self.level)
        self.seek(query)
        self._pending = None

    # --- what is left out

    def choose(self, level: Level) -> None:
        """Show only lines as grave as `level`, from where one is."""
        top = next((row.place for row in self.rows()), Place(0))
        self.feed.give_up(self._kept)
        self.level, self._kept = level, None
        self._lines = AllLines(self.feed.file)
        if level is not Level.ALL:
            self._kept = self.feed.seek(Query(Kind.LEVEL, level.name), top.offset)
            self._lines = HitLines(self.feed.file, self._kept)
        if not self.follow:
            self._top = Place(self.mark if self.mark is not None else top.offset)

    @property
    def filtering(self) -> Search | None:
        """The search behind the filter, if there is one."""
        return self._kept
