"""A log on the screen: draws the lines that are visible and no other, follows the end until the reader scrolls up.

Knows no job and no file: lines come from a `LogIndex` that somebody else polls, and `catch_up` says that it moved.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from liveavatar_tui.log_index import LogIndex
from liveavatar_tui.safe_text import safe_text
from lora_repository.i18n import _, ngettext

_LEVEL: Final = re.compile(r"\b(ERROR|CRITICAL|Traceback|WARNING|WARN|DEBUG)\b")
_LEVEL_CLASS: Final = {
    "ERROR": "log-view--error",
    "CRITICAL": "log-view--error",
    "Traceback": "log-view--error",
    "WARNING": "log-view--warning",
    "WARN": "log-view--warning",
    "DEBUG": "log-view--faint",
}
_LEVEL_WITHIN: Final = 80
_SIDE_STEP: Final = 16


class LogView(ScrollView, can_focus=True):
    """Mutable view of one `LogIndex`."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"log-view--error", "log-view--warning", "log-view--faint"}
    DEFAULT_CSS = """
    LogView {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
    }
    .log-view--error { color: $text-error; }
    .log-view--warning { color: $text-warning; }
    .log-view--faint { color: $muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
        Binding("g", "scroll_home", show=False),
        Binding("G,f", "follow", show=False),
        Binding("end", "follow", show=False),
        Binding("ctrl+d", "page_down", show=False),
        Binding("ctrl+u", "page_up", show=False),
        Binding("right,l", "side(1)", show=False),
        Binding("left,h", "side(-1)", show=False),
    ]

    def __init__(self, index: LogIndex, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._index = index
        self._shown = (0, 0)
        self._seen = 0
        self._left = 0
        self.follow = True
        self.border_title = Content(_("Log"))

    def catch_up(self) -> None:
        """Draw what the index holds by now; nothing is sent to the terminal when nothing changed."""
        state = (self._index.total, self._index.generation)
        if state == self._shown:
            return
        self._shown = state
        self.virtual_size = Size(self.size.width, state[0])
        if self.follow:
            self._to_end()
        self._tell_follow()
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.follow = new_value >= self.max_scroll_y
        self._tell_follow()

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, self._shown[0])
        if self.follow:
            self._to_end()

    def action_follow(self) -> None:
        """Go to the last line and stay there."""
        self.follow = True
        self._to_end()
        self._tell_follow()

    def action_side(self, direction: int) -> None:
        """Move sideways along long lines; how far is bounded by what is visible."""
        rows = range(self.scroll_offset.y, self.scroll_offset.y + self.size.height)
        widest = max((len(self._text(row)) for row in rows), default=0)
        limit = max(0, widest - self.size.width + 1)
        self._left = max(0, min(self._left + direction * _SIDE_STEP, limit))
        self.refresh()

    def _to_end(self) -> None:
        self.scroll_end(animate=False, immediate=True, x_axis=False)

    def _tell_follow(self) -> None:
        total = self._shown[0]
        if self.follow:
            self._seen = total
            self.border_subtitle = ""
            return
        fresh = total - self._seen
        told = ngettext("{n} new line", "{n} new lines", fresh).format(n=fresh) if fresh else _("paused")
        self.border_subtitle = Content(told + " · " + _("f follows"))

    def _text(self, row: int) -> str:
        return safe_text(self._index.line(row))

    def render_line(self, y: int) -> Strip:
        width, style = self.size.width, self.rich_style
        row = y + self.scroll_offset.y
        if row >= self._shown[0]:
            return Strip.blank(width, style)
        text = self._text(row)
        level = _LEVEL.search(text, 0, _LEVEL_WITHIN)
        if level:
            style += self.get_component_rich_style(_LEVEL_CLASS[level[1]], partial=True)
        return Strip([Segment(text, style)]).crop_extend(self._left, self._left + width, style)
