"""Every key of the screen that was open, made from the bindings that are in force there: none is written by hand.

Knows no screen by name: whatever carries bindings is asked for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Final

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from liveavatar_tui import keymap, keys
from liveavatar_tui.keys import show_key
from liveavatar_tui.widgets.paragraphs import Paragraph, Paragraphs, paragraph, spaced
from lora_repository.i18n import _

_KEYS_WIDTH: Final = 20
_TITLES: Final = {keys[0].id.partition(".")[0]: name for name, keys in keymap.SECTIONS}
_APP: Final = keymap.APP[0].id.partition(".")[0]
Group = tuple[str, list[tuple[str, str]]]
"""A title, and for each action its keys as people write them and what it does."""


class HelpScreen(ModalScreen[None]):
    """The keys of `shown`, over it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.bindings(keymap.HELP),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
        Binding("ctrl+d,pagedown,space", "scroll(12)", show=False),
        Binding("ctrl+u,pageup", "scroll(-12)", show=False),
    ]
    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > VerticalScroll {
        width: 80; max-width: 94%; height: auto; max-height: 92%;
        border: round $border; border-title-color: $foreground; background: $surface; padding: 1 2;
    }
    """
    AUTO_FOCUS = "VerticalScroll"

    def __init__(self, shown: Screen[Any]) -> None:
        super().__init__()
        self._groups = key_groups(shown)

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = Content(_("Keys"))
            box.border_subtitle = Content(_("esc closes"))
            text = Paragraphs()
            text.show(describe(self._groups))
            yield text

    def action_back(self) -> None:
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def key_groups(screen: Screen[Any]) -> list[Group]:
    """The keys of the screen itself, of whatever on it can have the cursor, of text fields, and of the app."""
    gathered: dict[str, dict[str, tuple[str, str]]] = {}
    nodes: list[DOMNode] = [screen, *(widget for widget in screen.query("*") if widget.can_focus), screen.app]
    for node in nodes:
        for binding in _own_bindings(node):
            prefix, told = (binding.id or "").partition(".")[0], _(binding.tooltip or binding.description)
            gathered.setdefault(prefix, {})[binding.id or told] = (_shown(binding.key), told)
    everywhere = gathered.pop(_APP, {})
    groups = [(_(_TITLES.get(prefix, keymap.HERE)), list(keys.values())) for prefix, keys in gathered.items()]
    if screen.query(Input):
        groups.append((_("Text fields"), [(_shown(key), _(told)) for key, told in _text_keys()]))
    return [*groups, (_(_TITLES[_APP]), list(everywhere.values()))]


def _own_bindings(node: DOMNode) -> Iterator[Binding]:
    """The bindings that our own classes give a node and that say what they do, each class's after its bases'."""
    for kind in reversed(type(node).__mro__):
        if kind.__module__.startswith(keymap.PACKAGE):
            listed = vars(kind).get("BINDINGS", ())
            yield from (one for one in listed if isinstance(one, Binding) and one.description)


def _text_keys() -> Iterator[tuple[str, str]]:
    for binding in Input.BINDINGS:
        if isinstance(binding, Binding):
            yield binding.key, binding.description


def _shown(keys: str) -> str:
    return "  ".join(dict.fromkeys(show_key(key.strip()) for key in keys.split(",")))


def describe(groups: Iterable[Group]) -> list[Paragraph]:
    """The groups, each key with what it does."""
    return spaced(_section(name, keys) for name, keys in groups)


def _section(name: str, keys: list[tuple[str, str]]) -> list[Paragraph]:
    told = [paragraph(Content.styled(name, "bold"))]
    for shown, what in keys:
        gap = " " * max(2, _KEYS_WIDTH - cell_len(shown))
        told.append(paragraph(what, Content.assemble("  ", (shown, "$primary"), gap)))
    return told
