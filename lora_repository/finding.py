"""One result of a check, and the one exception that carries it.

Knows nothing of how a finding is shown: the command line prints it, the app draws it, the engine writes it as an event.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters: an error stops a launch, a warning does not, info is only told."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, what was expected, and the command that mends it.

    `code` is stable across releases (`LORA004`, `RUN012`, ...); `message` and `fix` are in the user's language and are
    plain text: whoever shows them must not read them as markup.
    """

    code: str
    severity: Severity
    message: str
    fix: str = ""
    path: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """JSON form, the same in every `--json` output."""
        return asdict(self)


class Problem(Exception):
    """A mistake or a fault that a person can mend; `exit_code` is 1 for a failed check or run, 2 for misuse."""

    def __init__(self, finding: Finding, *, exit_code: int = 1) -> None:
        super().__init__(f"{finding.code}: {finding.message}")
        self.finding = finding
        self.exit_code = exit_code


def problem(code: str, message: str, fix: str = "", *, path: str | None = None, exit_code: int = 1) -> Problem:
    """Shorthand for the common case of raising one error."""
    return Problem(Finding(code, Severity.ERROR, message, fix, path), exit_code=exit_code)
