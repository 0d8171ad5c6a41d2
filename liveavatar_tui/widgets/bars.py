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
from liveavatar_tui.keys import Key
from liveavatar_tui.safe_text import safe_text
from lora_repository.i18n import _

_TABS: Final = tuple(key for key in keymap.APP if key.action.startswith("app.go("))


_GAP: Final = "   "
_PRODUCT: Final = "Live Avatar"
_LEAST_ABOUT: Final = 8


def _clickable(part: Content, action: str) -> Content:
    return part.stylize(Style.from_meta({"@click": action}))


class TitleBar(Widget):
    """The product, the places with the present one marked, and at the right what the place is about.

    Where the line is short, first the words at the right give way, then the product's name, then the names of the
    other places: their keys always stand. `typing`: single characters go into a field here, so keys that work all the
    same are named.
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
        width = self.content_size.width
        line = next((made for made in self._lines() if made.cell_length <= width), Content(""))
        space = width - line.cell_length - 2
        about = Content(self._about).truncate(max(0, space), ellipsis=True) if space > _LEAST_ABOUT else Content("")
        return line + Content(" " * (space + 2 - about.cell_length)) + about

    def _lines(self) -> Iterable[Content]:
        """The line at its full length, then ever shorter."""
        product = Content.styled(_PRODUCT, "bold $primary") + Content("  ")
        yield product + self._tabs(named=True)
        yield self._tabs(named=True)
        yield product + self._tabs(named=False)
        yield self._tabs(named=False)

    def _tabs(self, *, named: bool) -> Content:
        parts = []
        for key in _TABS:
            here = f"('{self._place}')" in key.action
            words = f" {key.shown(typing=self._typing)} "
            label = Content(f"{words}{_(key.label)} " if named or here else words)
            parts.append(label.stylize("bold $foreground on $surface") if here else _clickable(label, key.action))
        return Content.assemble(*parts)


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
