"""Every key of every screen, made from the same table as the bindings. Knows no screen but itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from liveavatar_tui import keymap
from liveavatar_tui.keymap import Key
from lora_repository.i18n import _


class HelpScreen(ModalScreen[None]):
    """The list of keys, over whatever was shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.bindings(keymap.HELP),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
        Binding("ctrl+d,pagedown,space", "scroll(12)", show=False),
        Binding("ctrl+u,pageup", "scroll(-12)", show=False),
    ]
    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > VerticalScroll {
        width: 72; max-width: 94%; height: auto; max-height: 92%;
        border: round $border; border-title-color: $foreground; background: $surface; padding: 1 2;
    }
    HelpScreen Static { height: auto; }
    """
    AUTO_FOCUS = "VerticalScroll"

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = Content(_("Keys"))
            box.border_subtitle = Content(_("esc closes"))
            yield Static(describe(keymap.SECTIONS))

    def action_back(self) -> None:
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def describe(sections: Iterable[tuple[str, tuple[Key, ...]]]) -> Content:
    """The sections, each key with what it does."""
    return Content("\n\n").join([_section(name, keys) for name, keys in sections])


def _section(name: str, keys: tuple[Key, ...]) -> Content:
    width = 18
    lines = [Content.styled(_(name), "bold $foreground")]
    for key in keys:
        gap = " " * max(2, width - cell_len(key.all_shown))
        lines.append(Content.assemble("  ", (key.all_shown, "$primary"), gap, (_(key.tip), "$foreground")))
    return Content("\n").join(lines)
