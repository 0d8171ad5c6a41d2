"""A log with the line to seek in it: opened by a key, seeking as one types, gone when it is left empty.

Knows no job. The view does the work; this says what to seek and tells how it stands.
"""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from liveavatar_tui import keymap, keys
from liveavatar_tui.logs.feed import LogFeed
from liveavatar_tui.logs.query import Kind, Query, mistake
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.widgets import log_words
from liveavatar_tui.widgets.log_view import LogView
from liveavatar_tui.widgets.quiet_input import QuietInput
from lora_repository.i18n import _


class LogPanel(Vertical):
    """Mutable: a `LogView` and, while something is sought, a line below it."""

    DEFAULT_CSS = """
    LogPanel { width: 1fr; height: 1fr; }
    LogPanel #search { height: 1; padding: 0 1; }
    LogPanel #search-sign { width: auto; color: $primary; text-style: bold; }
    LogPanel #search-field { width: 1fr; background: $background; padding: 0; }
    LogPanel #search-field:focus { background: $panel; }
    LogPanel #search-state { width: auto; max-width: 60%; color: $muted; padding: 0 0 0 2; }
    LogPanel #search-state.-bad { color: $text-error; }
    """

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.SEARCH)

    def __init__(self, feed: LogFeed, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._feed = feed
        self._expression = False

    def compose(self) -> ComposeResult:
        view = LogView(self._feed, id="log")
        view.add_class("panel")
        yield view
        with Horizontal(id="search") as line:
            line.display = False
            yield Static(id="search-sign")
            yield QuietInput(id="search-field", placeholder=_("seek in the log"))
            yield Static(id="search-state")

    @property
    def view(self) -> LogView:
        """The log itself."""
        return self.query_one(LogView)

    def catch_up(self) -> None:
        """Draw what the feed holds by now."""
        self.view.catch_up()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys of the line work while it is there: escape ends the search first, and leaves the screen then."""
        return action not in ("leave", "kind") or bool(self.query_one("#search").display)

    def action_search(self) -> None:
        """Open the field."""
        self._show_sign()
        self.query_one("#search").display = True
        self.screen.set_focus(self.query_one(QuietInput))

    @on(Input.Changed)
    def _seek(self) -> None:
        text = self.query_one(QuietInput).value
        query = Query(Kind.EXPRESSION if self._expression else Kind.WORDS, text) if text else None
        fault = mistake(query) if query is not None else ""
        self.view.seek(None if fault else query)
        self._tell(safe_text(fault), bad=bool(fault))

    @on(LogView.Changed)
    def _tell_state(self) -> None:
        if self.view.port.sought is not None:
            self._tell(log_words.sought(self.view.port))

    @on(Input.Submitted)
    def _keep(self) -> None:
        if self.view.port.sought is None:
            self.action_leave()
        else:
            self.view.focus()

    def action_leave(self) -> None:
        """End the search and go back to the log, where it is."""
        self.query_one(QuietInput).value = ""
        self.view.seek(None)
        self.query_one("#search").display = False
        self.view.focus()

    def action_kind(self) -> None:
        """Words as they are, or a regular expression."""
        self._expression = not self._expression
        self._show_sign()
        self._seek()

    def _show_sign(self) -> None:
        sign = _("expression") + " / " if self._expression else "/ "
        self.query_one("#search-sign", Static).update(Content(sign))

    def _tell(self, text: str, *, bad: bool = False) -> None:
        state = self.query_one("#search-state", Static)
        state.set_class(bad, "-bad")
        state.update(Content(text))
