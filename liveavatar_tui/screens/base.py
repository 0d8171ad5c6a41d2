"""What every screen of the app has: the title above, its keys below, and a table of keys for palette and help."""

from __future__ import annotations

from typing import ClassVar, Final, Literal, TypeVar

from textual.screen import Screen
from textual.worker import Worker, WorkerState

from liveavatar_tui.keys import Key
from liveavatar_tui.quantities import path_text
from liveavatar_tui.safe_text import safe_text
from lora_repository.finding import Finding, Severity
from lora_repository.i18n import _

WIDE: Final = 112
"""Columns from which on panels stand side by side."""
Result = TypeVar("Result")
_ERROR_SHOWN_S: Final = 20.0  # long enough to read code, cause and fix
_LEVEL: Final[dict[Severity, Literal["error", "warning", "information"]]] = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "information",
}


class Place(Screen[Result]):
    """A full screen. `KEYS` are its own keys, without the app's."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012
    KEYS: ClassVar[tuple[Key, ...]] = ()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker that met what nobody foresaw: said on the screen, written down whole, and the app goes on."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            from liveavatar_tui.fault_log import write_fault

            path = write_fault(event.worker.error)
            told = _("Unexpected fault: {fault}. The details are in {path}.")
            text = told.format(fault=repr(event.worker.error), path=path_text(path))
            self.notify(safe_text(text), severity="error", timeout=_ERROR_SHOWN_S, markup=False)

    def tell(self, finding: Finding) -> None:
        """Show a finding as a notification, with code and fix; never as markup."""
        text = safe_text(finding.message, multiline=True)
        if finding.fix:
            text += "\n→ " + safe_text(finding.fix, multiline=True)
        shown_s = _ERROR_SHOWN_S if finding.severity is Severity.ERROR else None
        self.notify(
            text, title=safe_text(finding.code), severity=_LEVEL[finding.severity], timeout=shown_s, markup=False
        )

    def say(self, text: str) -> None:
        """Show a short notice."""
        self.notify(safe_text(text), markup=False)
