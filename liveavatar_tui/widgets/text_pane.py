"""Running text that scrolls and, when it changes, sends only the lines that differ. Knows nothing of what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from liveavatar_tui import keymap, keys
from liveavatar_tui.widgets.paragraphs import Paragraph


class TextPane(ScrollView, can_focus=True):
    """Mutable: `show` replaces the paragraphs, wrapped to the width there is."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.TEXT)
    DEFAULT_CSS = """
    TextPane {
        background: $background; color: $foreground;
        overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; scrollbar-gutter: stable;
    }
    """

    def __init__(self, *, id: str | None = None, classes: str = "") -> None:
        super().__init__(id=id, classes=classes)
        self._told: tuple[Paragraph, ...] = ()
        self._strips: list[Strip] = []

    def show(self, told: Sequence[Paragraph], *, from_top: bool = False) -> None:
        """Draw these; `from_top` where they are about something else than before."""
        if tuple(told) != self._told:
            self._told = tuple(told)
            if from_top:
                self.scroll_to(y=0, animate=False, immediate=True)
            self._lay_out()

    @property
    def text(self) -> str:
        """All of it as plain text, wrapped as it is shown."""
        return "\n".join(strip.text.rstrip() for strip in self._strips)

    def _lay_out(self) -> None:
        width = self.size.width
        if not width:
            return
        before = self._strips
        lines = [line for one in self._told for line in one.lines(width)]
        content = Content("\n").join(lines)
        self._strips = Visual.to_strips(self, content, width, len(lines) or 1, self.visual_style, pad=True)
        self.virtual_size = Size(width, len(self._strips))
        top = self.scroll_offset.y
        for row in range(top, top + self.size.height):
            if _at(before, row) != _at(self._strips, row):
                self.refresh(Region(0, row - top, width, 1))

    def on_resize(self) -> None:
        self._lay_out()
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._lay_out()

    def render_line(self, y: int) -> Strip:
        width, style = self.size.width, self.rich_style
        strip = _at(self._strips, y + self.scroll_offset.y)
        return Strip.blank(width, style) if strip is None else strip.crop_extend(0, width, style)


def _at(strips: list[Strip], row: int) -> Strip | None:
    return strips[row] if row < len(strips) else None
