"""A field of one line whose cursor does not blink: an idle terminal is sent nothing (a blink costs 2.6 kB/s)."""

from __future__ import annotations

from textual.suggester import Suggester
from textual.widgets import Input


class QuietInput(Input):
    """Textual's input, one line high, without blinking and without markup in its placeholder."""

    DEFAULT_CSS = """
    QuietInput {
        height: 1; border: none; padding: 0 1; background: $panel; color: $foreground;
        &:focus { border: none; background: $block-cursor-blurred-background; }
        &.-invalid { border: none; color: $text-error; }
        &.-invalid:focus { border: none; }
    }
    QuietInput > .input--placeholder { color: $muted; }
    """

    def __init__(
        self,
        value: str = "",
        *,
        placeholder: str = "",
        id: str | None = None,
        classes: str = "",
        suggester: Suggester | None = None,
    ) -> None:
        super().__init__(
            value, placeholder=placeholder, id=id, classes=classes, select_on_focus=False, suggester=suggester
        )
        self.cursor_blink = False
