"""Small questions over a screen: yes or no, a line of text, one of a few words. The answer is a value: no use-case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from liveavatar_tui import keymap, keys
from liveavatar_tui.keys import Key
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.widgets.bars import KeyBar
from liveavatar_tui.widgets.quiet_input import QuietInput
from liveavatar_tui.widgets.rows import Line, Rows

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

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.DIALOG)
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


class AskValue(ModalScreen[str | None]):
    """A line of text that must pass `judge`, which says what is wrong with it or None. The answer: None for escape."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.DIALOG)
    DEFAULT_CSS = _CSS.format(name="AskValue") + "AskValue .wrong { color: $text-error; margin-top: 1; }"

    def __init__(self, title: str, text: str | Content, value: str, judge: Callable[[str], str | None]) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._value = value
        self._judge = judge

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Static(self._text, markup=False)
            yield QuietInput(self._value, id="value")
            yield Static("", id="wrong", classes="wrong")
            yield KeyBar(keymap.DIALOG)

    def on_mount(self) -> None:
        self.query_one("#wrong").display = False

    @on(Input.Submitted)
    def action_confirm(self) -> None:
        value = self.query_one("#value", Input).value.strip()
        wrong = self._judge(value)
        if wrong is None:
            self.dismiss(value)
            return
        told = self.query_one("#wrong", Static)
        told.update(Content(safe_text(f"✗ {wrong}")))
        told.display = True

    def action_back(self) -> None:
        self.dismiss(None)


class ChooseOne(ModalScreen[str | None]):
    """One of a few words; None for escape."""

    KEYS: ClassVar[tuple[Key, ...]] = keymap.DIALOG
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.DIALOG)
    DEFAULT_CSS = _CSS.format(name="ChooseOne") + "ChooseOne Rows { margin-top: 1; max-height: 14; }"

    def __init__(self, title: str, text: str | Content, choices: Sequence[str], chosen: str) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._choices = choices
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Static(self._text, markup=False)
            yield Rows(id="choices")
            yield KeyBar(self.KEYS)

    def on_mount(self) -> None:
        self.offer(self._choices)
        self.query_one(Rows).select(self._chosen)

    def offer(self, choices: Sequence[str]) -> None:
        """Show these, with the present one marked."""
        marked = [(choice, "●" if choice == self._chosen else "○") for choice in choices]
        self.query_one(Rows).show([Line(one, Content(f" {mark} {safe_text(one)}")) for one, mark in marked])

    @on(Rows.Chosen)
    def action_confirm(self) -> None:
        self.dismiss(self.query_one(Rows).selected())

    def action_back(self) -> None:
        self.dismiss(None)
