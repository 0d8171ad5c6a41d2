"""A log on the screen: draws the rows that are visible and no other; keys move, seek, leave out, copy.

Knows no job and no file: rows come from a `Viewport`, and `catch_up` says that its feed has moved.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import SuspendNotSupported
from textual.binding import BindingType
from textual.content import Content
from textual.strip import Strip
from textual.widget import Widget

from liveavatar_tui import keymap, keys
from liveavatar_tui.logs import clipping, pager
from liveavatar_tui.logs.feed import LogFeed
from liveavatar_tui.logs.layout import Row
from liveavatar_tui.logs.levels import Level, kind
from liveavatar_tui.logs.query import Kind, Query, marks
from liveavatar_tui.logs.viewport import Viewport
from liveavatar_tui.messages import Newest
from liveavatar_tui.widgets import log_words
from lora_repository.i18n import _

_SIDE_STEP: Final = 16
_WHEEL: Final = 3


class LogView(Widget, can_focus=True):
    """Mutable view of one log."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"log-view--{name}" for name in ("error", "warning", "faint", "hit", "mark", "track", "thumb")
    }
    DEFAULT_CSS = """
    LogView { height: 1fr; }
    .log-view--error { color: $text-error; }
    .log-view--warning { color: $text-warning; }
    .log-view--faint { color: $muted; }
    .log-view--hit { background: $accent; color: $background; }
    .log-view--mark { background: $block-cursor-background; color: $block-cursor-foreground; }
    .log-view--track { background: $scrollbar-background; }
    .log-view--thumb { background: $scrollbar; }
    """
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.LOG)

    class Changed(Newest):
        """What is sought, and where the view is, may have changed."""

    def __init__(self, feed: LogFeed, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.port = Viewport(feed)
        self._left = 0
        self._page: list[Row] | None = None
        self._thumb = (0, 0)
        self._dragging = False
        self.border_title = Content(_("Log"))

    @property
    def follow(self) -> bool:
        """Whether the last line stays in view."""
        return self.port.follow

    def catch_up(self) -> None:
        """Draw what the feed holds by now."""
        self.port.catch_up()
        if self.port.missed:
            self.port.missed = False
            self.notify(_("It is nowhere in this log."), markup=False)
        self._draw()

    def seek(self, query: Query | None) -> None:
        """Seek, from what is seen on; None ends it."""
        self.port.seek(query)
        if query is None:
            self.port.mark = None
        self._draw()

    def _draw(self) -> None:
        self._page = None
        self.border_title = Content(log_words.title(self.port))
        self.border_subtitle = Content(log_words.place(self.port, self._rows()))
        self.refresh()
        self.post_message(self.Changed())

    def on_resize(self) -> None:
        self.port.width, self.port.height = max(1, self.content_size.width - 1), max(1, self.content_size.height)
        self._draw()

    # --- keys

    def action_scroll_rows(self, rows: int) -> None:
        """Down; up for a negative number."""
        self.port.scroll(rows)
        self._draw()

    def action_scroll_pages(self, pages: int) -> None:
        """A page down, with one row of the last one; up for a negative number."""
        self.action_scroll_rows(pages * max(1, self.port.height - 1))

    def action_home(self) -> None:
        """To the first line."""
        self.port.home()
        self._draw()

    def action_follow(self) -> None:
        """To the last line, and stay there."""
        self.port.to_end()
        self._draw()

    def action_side(self, direction: int) -> None:
        """Move sideways along long lines; how far is bounded by what is visible."""
        widest = max((len(row.text) for row in self._rows()), default=0)
        limit = max(0, widest - self.port.width + 1)
        self._left = 0 if self.port.wrap else max(0, min(self._left + direction * _SIDE_STEP, limit))
        self._draw()

    def action_wrap(self) -> None:
        """Cut long lines at the width, or not."""
        self.port.wrap = not self.port.wrap
        self._left = 0
        self._draw()

    def action_level(self) -> None:
        """Everything, then warnings and errors, then errors alone."""
        self.port.choose(Level((self.port.level + 1) % len(Level)))
        self._draw()

    def action_error(self) -> None:
        """To the last error, then to the one above it."""
        self.port.last_error()
        self.catch_up()

    def action_hit(self, direction: int) -> None:
        """To the next hit down, or up."""
        self.port.next_hit(direction)
        self.catch_up()

    def action_copy(self) -> None:
        """Copy the marked line, or what is seen, to the clipboard of the terminal (OSC 52)."""
        starts = [self.port.mark] if self.port.mark is not None else [row.place.offset for row in self._rows()]
        text, count = clipping.clip(self.port.feed.file.extent, starts)
        self.app.copy_to_clipboard(text)
        self.notify(log_words.copied(count, len(text)), markup=False)

    def action_pager(self) -> None:
        """Give the terminal to $PAGER until it ends."""
        path: Path = self.port.feed.file.path
        command = pager.pager_command(path)
        if command is None or not path.exists():
            self.notify(log_words.no_pager(path, command), severity="warning", markup=False)
            return
        try:
            with self.app.suspend():
                pager.show(command)
        except SuspendNotSupported:
            self.notify(_("No other program can be shown here."), severity="warning", markup=False)

    # --- mouse

    def on_mouse_scroll_down(self) -> None:
        self.action_scroll_rows(_WHEEL)

    def on_mouse_scroll_up(self) -> None:
        self.action_scroll_rows(-_WHEEL)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        at = event.get_content_offset(self)
        if at is None:
            return
        if at.x >= self.port.width:
            self._dragging = True
            self.capture_mouse()
            self._drag_to(at.y)
        elif at.y < len(self._rows()):
            offset = self._rows()[at.y].place.offset
            self.port.mark = None if self.port.mark == offset else offset
            self._draw()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragging:
            self._drag_to(int(event.y) - self.gutter.top)

    def on_mouse_up(self) -> None:
        if self._dragging:
            self._dragging = False
            self.release_mouse()

    def _drag_to(self, y: int) -> None:
        self.port.jump_to_share(y / max(1, self.port.height - 1))
        self._draw()

    # --- drawing

    def _rows(self) -> list[Row]:
        if self._page is None:
            self._page = self.port.rows()
            begin, end = self.port.part(self._page)
            height = self.port.height
            low = min(int(begin * height), height - 1)
            self._thumb = (low, max(low + 1, round(end * height))) if end - begin < 1 else (0, 0)
        return self._page

    def render_line(self, y: int) -> Strip:
        rows, base = self._rows(), self.rich_style
        width = self.port.width
        bar = "thumb" if self._thumb[0] <= y < self._thumb[1] else "track"
        edge = Strip([Segment(" ", self._style(bar) if self._thumb[1] else base)], 1)
        if y >= len(rows):
            return Strip.join([Strip.blank(width, base), edge])
        row = rows[y]
        style = base + self._style(name) if (name := kind(row.line)) else base
        if row.place.offset == self.port.mark:
            style += self._style("mark")
        text = Strip(self._segments(row, style)).crop_extend(self._left, self._left + width, style)
        return Strip.join([text, edge])

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"log-view--{name}", partial=name not in ("track", "thumb"))

    def _segments(self, row: Row, style: Style) -> list[Segment]:
        """The text with what is sought marked. An expression marks its whole line: finding its exact place here could
        take for ever."""
        sought = self.port.sought
        if sought is None:
            return [Segment(row.text, style)]
        hit = style + self._style("hit")
        if sought.query.kind is Kind.EXPRESSION:
            return [Segment(row.text, hit if sought.holds(row.place.offset) else style)]
        pattern = marks(sought.query)
        segments, at = [], 0
        for match in pattern.finditer(row.text) if pattern is not None else ():
            segments += [Segment(row.text[at : match.start()], style), Segment(match[0], hit)]
            at = match.end()
        return [*segments, Segment(row.text[at:], style)]
