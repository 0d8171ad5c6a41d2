"""A preflight report in words: what was found, and what was looked at. Pure functions; knows no disk."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len
from textual.content import Content

from liveavatar_tui.preflight.report import Report, Row
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.widgets.findings import COLOUR, describe
from liveavatar_tui.widgets.paragraphs import Paragraph, spaced
from lora_repository.finding import Finding, Severity
from lora_repository.i18n import _, ngettext

_SIGN: Final = {None: "✓", Severity.INFO: "✓", Severity.WARNING: "!", Severity.ERROR: "✗"}


def refused(finding: Finding) -> Report:
    """A report for a run that could not even be described."""
    return Report((), (finding,))


def errors(report: Report) -> list[Finding]:
    """What forbids a launch."""
    return [finding for finding in report.findings if finding.severity is Severity.ERROR]


def describe_report(report: Report) -> list[Paragraph]:
    """Errors and warnings first: they must be seen without scrolling; then every row, then what is only told."""
    grave = [finding for finding in report.findings if finding.severity is not Severity.INFO]
    notes = [finding for finding in report.findings if finding.severity is Severity.INFO]
    width = max((cell_len(row.title) for row in report.rows), default=0)
    return spaced([describe(grave), [_row(row, width) for row in report.rows], describe(notes)])


def _row(row: Row, width: int) -> Paragraph:
    colour = "$text-success" if row.worst in (None, Severity.INFO) else COLOUR[row.worst]
    title = safe_text(row.title)
    padded = title + " " * (width - cell_len(title) + 2)
    lead = Content.assemble((f"{_SIGN[row.worst]} ", colour), (padded, "$muted"))
    detail = (("  " if row.value else "") + safe_text(row.detail), "$muted")
    return Paragraph(lead, Content.assemble(safe_text(row.value), detail if row.detail else ""))


def verdict(report: Report) -> Content:
    """One line beside the launch button."""
    count = len(errors(report))
    if count:
        text = ngettext("{n} error forbids the launch", "{n} errors forbid the launch", count).format(n=count)
        return Content.styled(f"✗ {text}", "$text-error")
    if any(finding.severity is Severity.WARNING for finding in report.findings):
        return Content.styled("! " + _("Ready, with warnings"), "$text-warning")
    return Content.styled("✓ " + _("Ready"), "$text-success")
