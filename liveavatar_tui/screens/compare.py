"""Two versions side by side, with the map of where they differ. What is shown was worked out before."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from liveavatar_tui import keymap, keys
from liveavatar_tui.screens.base import Place
from liveavatar_tui.screens.difference_text import TURNS, described
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.text_pane import TextPane
from lora_repository.difference import Difference

_EDGES = 5  # borders, padding and the place of the scroll bar


class CompareScreen(Place[bool]):
    """The answer says whether to compare the other way round."""

    KEYS = keymap.COMPARE
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.COMPARE)
    AUTO_FOCUS = "TextPane"
    DEFAULT_CSS = "CompareScreen TextPane { height: 1fr; }"

    def __init__(self, difference: Difference, host: str) -> None:
        super().__init__()
        self._difference = difference
        self._host = host
        self._turn = 0

    def compose(self) -> ComposeResult:
        yield TitleBar("versions", self._host)
        yield TextPane(classes="panel")
        yield KeyBar(self.KEYS, keymap.APP)

    def on_mount(self) -> None:
        self._show()

    def on_resize(self) -> None:
        self._show()

    def _show(self) -> None:
        width = self.app.size.width - _EDGES
        self.query_one(TextPane).show(described(self._difference, TURNS[self._turn], width))

    def action_turn(self) -> None:
        """The next map."""
        self._turn = (self._turn + 1) % len(TURNS)
        self._show()

    def action_swap(self) -> None:
        """The other way round."""
        self.dismiss(True)

    def action_back(self) -> None:
        """Back to the versions."""
        self.dismiss(False)
