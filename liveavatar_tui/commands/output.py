"""What commands write: sanitised lines, tables and JSON on stdout, errors on stderr. Knows no command."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from liveavatar_tui.safe_text import safe_text
from lora_repository.i18n import _

if TYPE_CHECKING:
    from lora_repository.finding import Finding


def say(text: str = "") -> None:
    """One line on stdout."""
    sys.stdout.write(safe_text(text) + "\n")


def say_json(value: Any) -> None:
    """One JSON document on stdout, in ASCII: what a terminal would obey is escaped."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def complain(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(safe_text(text) + "\n")


def say_table(rows: Iterable[Sequence[str]], indent: str = "  ") -> None:
    """Columns aligned by the cells that their text takes on a terminal; the last one is as long as it is."""
    from rich.cells import cell_len

    lines = [[safe_text(cell) for cell in row] for row in rows]
    columns = max((len(line) for line in lines), default=0)
    widths = [max(cell_len(line[i]) for line in lines if i < len(line)) for i in range(columns)]
    for line in lines:
        cells = [cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=False)]
        say(indent + "  ".join(cells).rstrip())


def finding_lines(finding: Finding) -> list[str]:
    """A finding as people read it: severity, code and message, then what mends it."""
    words = {"error": _("error"), "warning": _("warning"), "info": _("note")}
    lines = [f"{words[finding.severity]} {finding.code}: {finding.message}"]
    if finding.fix:
        lines.append("  " + _("to mend: {fix}").format(fix=finding.fix))
    return lines


def say_findings(findings: Iterable[Finding]) -> None:
    """Findings on stdout, as part of a report."""
    for finding in findings:
        for line in finding_lines(finding):
            say(line)


def complain_finding(finding: Finding) -> None:
    """A finding on stderr, as the reason why a command ends."""
    for line in finding_lines(finding):
        complain(line)


class Meter:
    """Bytes of a long copy on one line of stderr, while that is a terminal; a log gets no line of it. Mutable."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._done = 0

    def add(self, count: int) -> None:
        """`count` bytes more."""
        self.show(self._done + count)

    def show(self, done: int, total: int | None = None) -> None:
        """`done` bytes in all, of `total` where it is known."""
        from liveavatar_tui.quantities import bytes_text

        before, self._done = self._done, done
        # A line for each megabyte at most: a terminal over ssh must not slow a copy down.
        if self._shown and (done >> 20 != before >> 20 or done == total):
            text = bytes_text(done) if total is None else f"{bytes_text(done)} / {bytes_text(total)}"
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._shown and self._done:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
