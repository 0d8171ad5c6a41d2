"""Every key of every screen, made from the same table as the bindings. Knows no screen but itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen

from liveavatar_tui import keymap
from liveavatar_tui.keymap import Key
from liveavatar_tui.widgets.paragraphs import Paragraph, Paragraphs, paragraph, spaced
from lora_repository.i18n import _

_KEYS_WIDTH: Final = 18


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
        width: 80; max-width: 94%; height: auto; max-height: 92%;
        border: round $border; border-title-color: $foreground; background: $surface; padding: 1 2;
    }
    """
    AUTO_FOCUS = "VerticalScroll"

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = Content(_("Keys"))
            box.border_subtitle = Content(_("esc closes"))
            text = Paragraphs()
            text.show(describe(keymap.SECTIONS))
            yield text

    def action_back(self) -> None:
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def describe(sections: Iterable[tuple[str, tuple[Key, ...]]]) -> list[Paragraph]:
    """The sections, each key with what it does."""
    return spaced(_section(name, keys) for name, keys in sections)


def _section(name: str, keys: tuple[Key, ...]) -> list[Paragraph]:
    told = [paragraph(Content.styled(_(name), "bold"))]
    for key in keys:
        gap = " " * max(2, _KEYS_WIDTH - cell_len(key.all_shown))
        told.append(paragraph(_(key.tip), Content.assemble("  ", (key.all_shown, "$primary"), gap)))
    return told
