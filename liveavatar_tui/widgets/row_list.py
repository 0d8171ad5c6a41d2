"""A list of any length with a heading and one row under the cursor: only the rows that are seen are ever drawn.

A cursor key sends two rows to the terminal, whatever the length. Knows nothing of what the rows are about: a subclass
says its columns and draws the cells of a key.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar, Final

import msgspec
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from liveavatar_tui import keymap, keys
from liveavatar_tui.safe_text import safe_text

Cell = Sequence[tuple[str, Style]]
"""Pieces of text, each in its style; the text is made safe where it is drawn."""
_PLAIN: Final = Style()
_HEADING: Final = 1
_KEPT: Final = 512  # drawn rows that are remembered: some screens full


class Column(msgspec.Struct, frozen=True):
    """`width` in cells without the gap of one at each side; numbers stand at the `right`."""

    name: str
    heading: str
    width: int
    right: bool = False


class RowList(ScrollView, can_focus=True):
    """Mutable: `show` replaces the rows and keeps the selected one selected, wherever it has moved to."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.LISTS)
    COMPONENT_CLASSES: ClassVar[set[str]] = {"list--heading", "list--cursor", "list--blurred"}
    DEFAULT_CSS = """
    RowList {
        background: $background; color: $foreground;
        overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        .list--heading { color: $muted; }
        .list--cursor {
            background: $block-cursor-background; color: $block-cursor-foreground;
            text-style: $block-cursor-text-style;
        }
        .list--blurred { background: $block-cursor-blurred-background; color: $block-cursor-blurred-foreground; }
    }
    """

    class Moved(Message):
        """Another row is under the cursor, or none."""

    class Chosen(Message):
        """The row under the cursor was clicked once more."""

    class HeadingClicked(Message):
        """The heading of a column was clicked."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keys: Sequence[str] = ()
        self._columns: Sequence[Column] = ()
        self._at = 0
        self._drawn: dict[str, Strip] = {}
        self.assumed_width = 0
        """Until it is laid out: a right guess spares the first paint a second one."""

    # What a subclass says.

    def columns(self, width: int) -> Sequence[Column]:
        """The columns for so many cells."""
        raise NotImplementedError

    def cells(self, key: str) -> Sequence[Cell]:
        """The cells of a row, one for each column in force."""
        raise NotImplementedError

    # What a screen asks.

    @property
    def keys(self) -> Sequence[str]:
        """The keys of all rows, top to bottom."""
        return self._keys

    def selected(self) -> str | None:
        """The key of the row under the cursor."""
        return self._keys[self._at] if self._at < len(self._keys) else None

    def show(self, keys: Sequence[str]) -> None:
        """Draw these rows; the selected one stays selected and, as far as can be, where it is on the screen."""
        selected, at = self.selected(), self._at
        self._keys = keys
        if at >= len(keys) or keys[at] != selected:
            found = keys.index(selected) if selected in keys else min(at, max(0, len(keys) - 1))
            self._at = found
        self.virtual_size = Size(self.size.width, len(keys) + _HEADING)
        if top := self.scroll_offset.y:  # at the top new rows come into view
            self.scroll_to(y=top + self._at - at, animate=False, immediate=True)
        self._into_view()
        self.redraw()
        if self.selected() != selected:
            self.post_message(self.Moved())

    def redraw(self) -> None:
        """Draw everything anew, with the columns that fit."""
        self._columns = self.columns(self.size.width or self.assumed_width)
        self._drawn.clear()
        self.refresh()

    def touch(self, keys: Collection[str]) -> None:
        """These rows changed: draw those of them that are seen."""
        for row in self._seen():
            if self._keys[row] in keys:
                self._drawn.pop(self._keys[row], None)
                self._refresh_row(row)

    def select(self, key: str) -> None:
        """Put the cursor on a row."""
        if key in self._keys:
            self._move(self._keys.index(key))

    # Drawing.

    def _seen(self) -> range:
        top = self.scroll_offset.y
        return range(top, min(len(self._keys), top + self.size.height - _HEADING))

    def _refresh_row(self, row: int) -> None:
        self.refresh(Region(0, row - self.scroll_offset.y + _HEADING, self.size.width, 1))

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._drawn.clear()

    def render_line(self, y: int) -> Strip:
        width, style = self.size.width, self.rich_style
        if y == 0:
            return self._heading().crop_extend(0, width, style).apply_style(style)
        row = y - _HEADING + self.scroll_offset.y
        if row >= len(self._keys):
            return Strip.blank(width, style)
        strip = self._row(self._keys[row]).crop_extend(0, width, _PLAIN)
        if row == self._at:
            strip = _painted(strip, self._style("cursor" if self.has_focus else "blurred"))
        return strip.apply_style(style).simplify()

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"list--{name}", partial=True)

    def _heading(self) -> Strip:
        style = self._style("heading")
        return Strip([piece for column in self._columns for piece in fit([(column.heading, style)], column)])

    def _row(self, key: str) -> Strip:
        if key not in self._drawn:
            if len(self._drawn) >= _KEPT:
                self._drawn.clear()
            cells = zip(self.cells(key), self._columns, strict=True)
            self._drawn[key] = Strip([piece for cell, column in cells for piece in fit(cell, column)])
        return self._drawn[key]

    # Moving.

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._keys) + _HEADING)
        self.redraw()
        self._into_view()

    def on_focus(self) -> None:
        self._refresh_row(self._at)

    def on_blur(self) -> None:
        self._refresh_row(self._at)

    def on_click(self, event: events.Click) -> None:
        """On a row: select it, or choose the selected one; on the heading: tell which column."""
        at = event.get_content_offset_capture(self)
        if at.y < _HEADING:
            if (column := self._column_at(at.x)) is not None:
                self.post_message(self.HeadingClicked(column))
            return
        row = at.y - _HEADING + self.scroll_offset.y
        if row == self._at and self._keys:
            self.post_message(self.Chosen())
        elif row < len(self._keys):
            self._move(row)

    def _column_at(self, x: int) -> str | None:
        for column in self._columns:
            x -= column.width + 2
            if x < 0:
                return column.name
        return None

    def _move(self, row: int) -> None:
        row = max(0, min(row, len(self._keys) - 1))
        if row == self._at or not self._keys:
            return
        before, self._at = self._at, row
        self._refresh_row(before)
        self._refresh_row(row)
        self._into_view()
        self.post_message(self.Moved())

    def _into_view(self) -> None:
        """Half a page at a time: a scroll sends the whole list, a hundred times a row, over whatever line there is."""
        top, shown = self.scroll_offset.y, max(1, self.size.height - _HEADING)
        if not top <= self._at < top + shown and self.size.height:
            to = self._at - shown // 2
            self.scroll_to(y=to, animate=False, immediate=True)

    def _page(self) -> int:
        return max(1, self.size.height - _HEADING - 1)

    def action_cursor_down(self) -> None:
        self._move(self._at + 1)

    def action_cursor_up(self) -> None:
        self._move(self._at - 1)

    def action_page_down(self) -> None:
        self._move(self._at + self._page())

    def action_page_up(self) -> None:
        self._move(self._at - self._page())

    def action_scroll_top(self) -> None:
        self._move(0)

    def action_scroll_bottom(self) -> None:
        self._move(len(self._keys) - 1)


def _painted(strip: Strip, style: Style) -> Strip:
    """The whole row in one style: colours of its parts could not be read on it. What has its own ground keeps it."""
    pieces = [one if one.style and one.style.bgcolor else Segment(one.text, style) for one in strip]
    return Strip(pieces)


def fit(cell: Cell, column: Column) -> list[Segment]:
    """A cell in exactly its column's width, with a gap of one at each side; what is too long ends in an ellipsis."""
    pieces = [Segment(safe_text(text), style) for text, style in cell if text]
    left = column.width - sum(piece.cell_length for piece in pieces)
    if left < 0:
        strip = Strip(pieces).crop(0, column.width - 1)
        # Half of a wide character may have been cut off, so what is left is counted anew.
        pieces, left = [*strip, Segment("…")], column.width - strip.cell_length - 1
    before, after = (1 + left, 1) if column.right else (1, 1 + left)
    return [Segment(" " * before), *pieces, Segment(" " * after)]
