"""Small questions over a screen: yes or no, or a line of text with yes. Knows no use-case: the answer is a value."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from liveavatar_tui import keymap
from liveavatar_tui.widgets.bars import KeyBar
from liveavatar_tui.widgets.quiet_input import QuietInput

_CSS = """
{name} {{ align: center middle; background: $background 60%; }}
{name} > Vertical {{
    width: 64; max-width: 90%; height: auto; max-height: 90%;
    border: round $border; border-title-color: $foreground; background: $surface; padding: 1 2;
}}
{name} Static {{ height: auto; }}
{name} Input {{ margin-top: 1; }}
{name} KeyBar {{ dock: none; margin-top: 1; background: $surface; padding: 0; }}
"""


class Question(ModalScreen[bool]):
    """A question whose answer is True for enter and False for escape."""

    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings(keymap.DIALOG)
    DEFAULT_CSS = _CSS.format(name="Question")

    def __init__(self, title: str, text: str | Content) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Static(self._text, markup=False)
            yield KeyBar(keymap.DIALOG)

    def action_confirm(self) -> None:
        self.dismiss(True)

    def action_back(self) -> None:
        self.dismiss(False)


class AskReason(ModalScreen[str | None]):
    """A question with one optional line to answer; None for escape."""

    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings(keymap.DIALOG)
    DEFAULT_CSS = _CSS.format(name="AskReason")

    def __init__(self, title: str, text: str | Content, hint: str) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._hint = hint

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Static(self._text, markup=False)
            yield QuietInput(placeholder=self._hint, id="reason")
            yield KeyBar(keymap.DIALOG)

    @on(Input.Submitted)
    def action_confirm(self) -> None:
        self.dismiss(self.query_one("#reason", Input).value.strip())

    def action_back(self) -> None:
        self.dismiss(None)
