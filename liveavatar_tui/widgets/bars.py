"""The two lines that frame every screen: where one is, above; the keys that work here, below.

One widget each, drawn once, clickable: Textual's own header and footer mount a widget per key. Knows no screen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from textual.content import Content
from textual.style import Style
from textual.widget import Widget

from liveavatar_tui import keymap
from liveavatar_tui.keymap import Key
from liveavatar_tui.safe_text import safe_text
from lora_repository.i18n import _

_TABS: Final = tuple(key for key in keymap.APP if key.action.startswith("app.go("))


_GAP: Final = "   "


def _clickable(part: Content, action: str) -> Content:
    return part.stylize(Style.from_meta({"@click": action}))


class TitleBar(Widget):
    """The product, the three places with the present one marked, and at the right what the place is about.

    `typing`: single characters go into a field here, so keys that work all the same are named.
    """

    ALLOW_SELECT = False
    auto_links = False
    DEFAULT_CSS = """
    TitleBar {
        dock: top; height: 1; padding: 0 1;
        background: $panel; color: $muted;
    }
    """

    def __init__(self, place: str, about: str = "", *, typing: bool = False) -> None:
        super().__init__()
        self._place = place
        self._about = safe_text(about)
        self._typing = typing

    def tell(self, about: str) -> None:
        """Change the text at the right."""
        if (about := safe_text(about)) != self._about:
            self._about = about
            self.refresh()

    def render(self) -> Content:
        parts = [Content.styled("Live Avatar", "bold $primary"), Content("  ")]
        for key in _TABS:
            label = Content(f" {key.shown(typing=self._typing)} {_(key.label)} ")
            here = f"('{self._place}')" in key.action
            parts.append(label.stylize("bold $foreground on $surface") if here else _clickable(label, key.action))
        line = Content.assemble(*parts)
        space = self.content_size.width - line.cell_length - 2
        about = Content(self._about).truncate(max(0, space), ellipsis=True) if space > 8 else Content("")
        return line + Content(" " * (space + 2 - about.cell_length)) + about


class KeyBar(Widget):
    """The keys of the present screen; the last group, with the help, always has its place. `typing` as in the title."""

    ALLOW_SELECT = False
    auto_links = False
    DEFAULT_CSS = """
    KeyBar {
        dock: bottom; height: 1; padding: 0 1;
        background: $panel; color: $muted;
    }
    """

    def __init__(self, *groups: Iterable[Key], typing: bool = False) -> None:
        super().__init__()
        self._typing = typing
        self._groups = [[key for key in group if key.footer] for group in groups]

    def render(self) -> Content:
        *own, last = ([self._part(key) for key in group] for group in self._groups)
        first = [part for group in own for part in group]
        while first and _width([*first, *last]) > self.content_size.width:
            first.pop()
        return Content(_GAP).join([*first, *last])

    def _part(self, key: Key) -> Content:
        text = Content.assemble((key.shown(typing=self._typing), "bold $primary"), " ", _(key.label))
        return _clickable(text, key.action)


def _width(parts: list[Content]) -> int:
    return sum(part.cell_length for part in parts) + len(_GAP) * (len(parts) - 1)
