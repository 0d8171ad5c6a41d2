"""A line of a form: name, value, and at the right what the value means or what is wrong with it.

Knows no run: the screen says what is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.suggester import Suggester
from textual.widgets import Select, Static

from liveavatar_tui import keymap, keys
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.widgets.quiet_input import QuietInput


class Field(Horizontal):
    """A text field. Mutable: `hint` and `fault` change the words at the right; a fault outranks the hint."""

    def __init__(
        self,
        name: str,
        label: str,
        value: str,
        placeholder: str,
        *,
        long: bool = False,
        suggester: Suggester | None = None,
    ) -> None:
        super().__init__(classes="field")
        self._suggester = suggester
        self.field_name = name
        self._label = label
        self._start = value
        self._placeholder = placeholder
        self._long = long
        self._hint = ""
        self._fault: str | None = None

    def compose(self) -> ComposeResult:
        yield Static(Content(self._label), classes="name")
        yield QuietInput(
            self._start,
            placeholder=self._placeholder,
            suggester=self._suggester,
            id=self.field_name,
            classes="value",
        )
        if not self._long:
            yield Static("", classes="hint")

    @property
    def value(self) -> str:
        """The text as typed."""
        return self.query_one(QuietInput).value

    @value.setter
    def value(self, text: str) -> None:
        self.query_one(QuietInput).value = text

    def hint(self, text: str) -> None:
        """What the value means."""
        self._hint = text
        self._draw()

    def fault(self, text: str | None) -> None:
        """What is expected instead, or None when the value can be read."""
        self._fault = text
        self.query_one(QuietInput).set_class(text is not None, "-invalid")
        self._draw()

    def _draw(self) -> None:
        for hint in self.query(".hint").results(Static):
            hint.set_class(self._fault is not None, "-wrong")
            hint.update(Content(safe_text(f"✗ {self._fault}" if self._fault is not None else self._hint)))


class _Closed(Select[str], inherit_bindings=False):
    """A selection that leaves the arrow keys to the form while it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.FIELDS[1:])


class Choice(Horizontal):
    """One of several references, by the words for them. Mutable: `offer` replaces the choices."""

    def __init__(self, name: str, label: str, choices: Iterable[tuple[str, str]], chosen: str) -> None:
        super().__init__(classes="field")
        self._name = name
        self._label = label
        self._choices = {value: words for words, value in choices}
        self.chosen = chosen

    def compose(self) -> ComposeResult:
        yield Static(Content(self._label), classes="name")
        yield _Closed(
            self._options(), value=self.chosen, allow_blank=False, compact=True, id=self._name, classes="value"
        )

    def _options(self) -> list[tuple[Content, str]]:
        return [(Content(safe_text(words)), value) for value, words in self._choices.items()]

    def offer(self, choices: Iterable[tuple[str, str]]) -> None:
        """These can be chosen; the chosen one stays, also when it is not among them."""
        offered = {value: words for words, value in choices}
        offered.setdefault(self.chosen, self._choices.get(self.chosen, self.chosen))
        if offered != self._choices:
            self._choices = offered
            self._refill()

    def offered(self) -> list[tuple[str, str]]:
        """What can be chosen: words and value."""
        return [(words, value) for value, words in self._choices.items()]

    def choose(self, words: str, value: str) -> None:
        """Select `value`, which is called `words`."""
        self._choices.setdefault(value, words)
        self.chosen = value
        self._refill()

    def _refill(self) -> None:
        select = self.query_one(_Closed)
        chosen = self.chosen
        with select.prevent(Select.Changed):
            select.set_options(self._options())
        select.value = chosen

    def on_select_changed(self, event: Select.Changed) -> None:
        self.chosen = str(event.value)
