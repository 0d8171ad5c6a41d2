"""A bar of progress and a line of steps, both drawn once per change: nothing moves by itself.

Knows no job: it is told a share and the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

import msgspec
from textual.content import Content
from textual.widget import Widget


class Mark(Enum):
    """State of one step: sign and colour."""

    DONE = ("✓", "$text-success")
    NOW = ("●", "bold $primary")
    NEXT = ("○", "$faint")
    FAILED = ("✗", "bold $text-error")


class Step(msgspec.Struct, frozen=True):
    """One step of the way: its name in the user's language and how far it is."""

    name: str
    mark: Mark


class Stepper(Widget):
    """The steps of a way in one line."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "Stepper { height: 1; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._steps: tuple[Step, ...] = ()

    def show(self, steps: Sequence[Step]) -> None:
        """Draw these steps, if they differ from the ones shown."""
        if tuple(steps) != self._steps:
            self._steps = tuple(steps)
            self.refresh()

    def render(self) -> Content:
        parts = [
            Content.styled(f"{step.mark.value[0]} {step.name}", step.mark.value[1])  # one style for sign and name
            for step in self._steps
        ]
        wide = sum(part.cell_length for part in parts) + 5 * (len(parts) - 1) <= self.content_size.width
        return Content.styled(" ── " if wide else "  ", "$faint").join(parts)


_FULL: Final = "━"
_HALF: Final = "╸"


class Meter(Widget):
    """A share of a whole, one line high."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "Meter { height: 1; color: $primary; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._share = 0.0
        self._label = ""

    def show(self, share: float, label: str) -> None:
        """`share` from 0 to 1; `label` stands at the right of the bar."""
        share = min(1.0, max(0.0, share))
        if (share, label) != (self._share, self._label):
            self._share, self._label = share, label
            self.refresh()

    def render(self) -> Content:
        label = Content(self._label)
        width = max(4, self.content_size.width - label.cell_length - (2 if self._label else 0))
        halves = round(self._share * width * 2)
        done = _FULL * (halves // 2) + _HALF * (halves % 2)
        rest = _FULL * (width - len(done))
        bar = Content.assemble((done, ""), (rest, "$border-blurred"))
        return bar + Content("  " if self._label else "") + label.stylize("$foreground")
