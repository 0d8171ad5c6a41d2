"""The dialog in which tags and note of a version are written. Keeps nothing: the answer is what was typed."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from liveavatar_tui import keymap, keys
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.widgets.bars import KeyBar
from liveavatar_tui.widgets.quiet_input import QuietInput
from lora_repository.i18n import _

Written = tuple[tuple[str, ...], str]
"""Tags and note."""


class RemarksDialog(ModalScreen[Written | None]):
    """The answer is None for escape."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.REMARKS)
    AUTO_FOCUS = "#tags"
    DEFAULT_CSS = """
    RemarksDialog { align: center middle; background: $background 60%; }
    RemarksDialog > Vertical {
        width: 70; max-width: 96%; height: auto; max-height: 96%;
        border: round $border; border-title-color: $foreground; background: $surface; padding: 1 2;
    }
    RemarksDialog Static { height: auto; color: $muted; }
    RemarksDialog Input { margin-bottom: 1; }
    RemarksDialog TextArea { height: 8; border: none; padding: 0 1; background: $panel; color: $foreground; }
    RemarksDialog TextArea:focus { background: $block-cursor-blurred-background; }
    RemarksDialog KeyBar { dock: none; margin-top: 1; background: $surface; padding: 0; }
    """

    def __init__(self, title: str, tags: tuple[str, ...], note: str) -> None:
        super().__init__()
        self._title = title
        self._tags = [safe_text(tag) for tag in tags]
        self._note = safe_text(note, multiline=True)

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Static(Content(_("Tags, separated by blanks")), markup=False)
            yield QuietInput(" ".join(self._tags), placeholder=_("approved calm-voice"), id="tags")
            yield Static(Content(_("Note")), markup=False)
            area = TextArea(self._note, id="note", tab_behavior="focus", soft_wrap=True)
            area.cursor_blink = False
            yield area
            yield KeyBar(keymap.REMARKS, typing=True)

    def action_save(self) -> None:
        """Answer with what is written."""
        tags = tuple(dict.fromkeys(self.query_one("#tags", Input).value.split()))
        self.dismiss((tags, self.query_one("#note", TextArea).text.strip()))

    def on_input_submitted(self) -> None:
        self.query_one("#note").focus()

    def action_back(self) -> None:
        self.dismiss(None)
