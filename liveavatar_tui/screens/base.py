"""What every screen of the app has: the title above, its keys below, and a table of keys for palette and help."""

from __future__ import annotations

from typing import ClassVar, Final, TypeVar

from textual.screen import Screen

from liveavatar_tui.keymap import Key
from liveavatar_tui.safe_text import safe_text
from lora_repository.finding import Finding, Severity

WIDE: Final = 112
"""Columns from which on panels stand side by side."""
Result = TypeVar("Result")
_SEVERITY = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "information"}


class Place(Screen[Result]):
    """A full screen. `KEYS` are its own keys, without the app's."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012
    KEYS: ClassVar[tuple[Key, ...]] = ()

    def tell(self, finding: Finding) -> None:
        """Show a finding as a notification, with code and fix; never as markup."""
        text = safe_text(finding.message, multiline=True)
        if finding.fix:
            text += "\n→ " + safe_text(finding.fix, multiline=True)
        self.notify(text, title=safe_text(finding.code), severity=_SEVERITY[finding.severity], markup=False)  # type: ignore[arg-type]

    def say(self, text: str) -> None:
        """Show a short notice."""
        self.notify(safe_text(text), markup=False)
