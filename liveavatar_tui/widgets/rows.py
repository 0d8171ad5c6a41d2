"""A short list of lines with one under the cursor, drawn by one widget: a table is twenty times as heavy.

Knows nothing of what the lines say. Where there are more lines than room, the list moves with the cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.style import Style
from textual.widget import Widget

from liveavatar_tui import keymap, keys

Fit = Callable[[int], Content]
"""A line for so many cells."""


class Line(msgspec.Struct, frozen=True):
    """One line: the key it is known by, and what it says. `content` may depend on the cells there are.

    The first `kept` characters keep their colours under the cursor: what must be unmistakable stays so.
    """

    key: str
    content: Content | Fit
    kept: int = 0

    def fitted(self, width: int) -> Content:
        """Exactly `width` cells."""
        made = self.content if isinstance(self.content, Content) else self.content(width)
        return made.truncate(width, ellipsis=True, pad=True)


class Rows(Widget, can_focus=True):
    """Mutable: `show` replaces the lines and keeps the cursor on the line that it was on."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.ROWS)
    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--cursor"}
    DEFAULT_CSS = """
    Rows { height: auto; width: 1fr; }
    Rows > .rows--cursor {
        background: $block-cursor-background; color: $block-cursor-foreground; text-style: $block-cursor-text-style;
    }
    """

    class Chosen(Message):
        """A line was chosen by enter or by a click on the line under the cursor."""

        def __init__(self, rows: Rows, key: str) -> None:
            super().__init__()
            self.rows = rows
            self.key = key

        @property
        def control(self) -> Rows:
            return self.rows

    class Moved(Message):
        """The cursor is on another line."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: tuple[Line, ...] = ()
        self._at = 0

    def show(self, lines: Sequence[Line]) -> None:
        """Draw these lines; the caller says only what changed, so nothing is compared here."""
        selected = self.selected()
        keys = [line.key for line in lines]
        as_high = len(lines) == len(self._lines)
        self._lines = tuple(lines)
        self._at = keys.index(selected) if selected in keys else max(0, min(self._at, len(lines) - 1))
        self.refresh(layout=not as_high)

    def selected(self) -> str | None:
        """The key of the line under the cursor."""
        return self._lines[self._at].key if self._lines else None

    def select(self, key: str) -> None:
        """Put the cursor on the line of this key, if there is one."""
        self._move(next((row for row, line in enumerate(self._lines) if line.key == key), self._at))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, len(self._lines))

    def render(self) -> Content:
        width, top = self.content_size.width, self._top()
        shown = [line.fitted(width) for line in self._lines[top : top + self.content_size.height]]
        if self.has_focus and shown:
            cursor = self.get_visual_style("rows--cursor")
            shown[self._at - top] = _painted(shown[self._at - top], cursor, self._lines[self._at].kept)
        return Content("\n").join(shown)

    def _top(self) -> int:
        """The first line that is shown."""
        height = max(1, self.content_size.height)
        return max(0, min(self._at - height // 2, len(self._lines) - height))

    def _move(self, to: int) -> None:
        at, top = self._at, self._top()
        self._at = max(0, min(to, len(self._lines) - 1))
        if self._at == at:
            return
        self.post_message(self.Moved())
        if self._top() != top:
            self.refresh()
        else:
            self.refresh(*(Region(0, row - top, self.content_size.width, 1) for row in (at, self._at)))

    def action_cursor_down(self) -> None:
        """The next line, or the next list after the last."""
        if self._at + 1 >= len(self._lines):
            self.screen.focus_next(Rows)
        else:
            self._move(self._at + 1)

    def action_cursor_up(self) -> None:
        """The line before, or the list before the first."""
        if self._at == 0:
            self.screen.focus_previous(Rows)
        else:
            self._move(self._at - 1)

    def action_top(self) -> None:
        """The first line."""
        self._move(0)

    def action_bottom(self) -> None:
        """The last line."""
        self._move(len(self._lines) - 1)

    def action_choose(self) -> None:
        """Say which line was chosen."""
        if (key := self.selected()) is not None:
            self.post_message(self.Chosen(self, key))

    def on_click(self, event: events.Click) -> None:
        """The first click moves the cursor, one more on the same line chooses."""
        row = self._top() + event.get_content_offset_capture(self).y
        if not 0 <= row < len(self._lines):
            return
        if row == self._at and event.chain > 1:
            self.action_choose()
        self._move(row)


def _painted(line: Content, style: Style, kept: int) -> Content:
    """The line in one style: colours of its parts would be unreadable on the cursor's."""
    return line[:kept].stylize_before(style) + Content(line.plain[kept:]).stylize(style)
