"""A yes or no with its name, in characters that every terminal has: `[x]`, `[ ]`. Knows nothing of what it decides."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from liveavatar_tui import keymap, keys


class Tick(Widget, can_focus=True):
    """Toggled by space, enter or a click."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.FIELDS[:1])
    DEFAULT_CSS = """
    Tick { width: auto; height: 1; padding: 0 1; }
    Tick:focus { background: $block-cursor-blurred-background; }
    """

    value = reactive(False)

    class Changed(Message):
        """The value is another one now."""

    def __init__(self, label: str, value: bool, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._label = label
        self.set_reactive(Tick.value, value)

    def render(self) -> Content:
        box = ("[x] ", "bold $primary") if self.value else ("[ ] ", "$muted")
        return Content.assemble(box, (self._label, "" if self.value else "$muted"))

    def watch_value(self) -> None:
        self.post_message(self.Changed())

    def on_click(self) -> None:
        self.action_flip()

    def action_flip(self) -> None:
        """The other value."""
        self.value = not self.value
