"""Findings as text for a panel: sign, word and colour of the severity, the code, the message, and what mends it.

Knows no check. Messages are plain text; nothing of them is read as markup.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from textual.content import Content

from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.widgets.paragraphs import Paragraph, paragraph
from lora_repository.finding import Finding, Severity
from lora_repository.i18n import N_, _

_SIGN: Final = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.INFO: "·"}
_WORD: Final = {Severity.ERROR: N_("error"), Severity.WARNING: N_("warning"), Severity.INFO: N_("info")}
COLOUR: Final = {Severity.ERROR: "$text-error", Severity.WARNING: "$text-warning", Severity.INFO: "$muted"}
_RANK: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def worst(findings: Iterable[Finding]) -> Severity | None:
    """The gravest severity, or None without findings."""
    return min((finding.severity for finding in findings), key=_RANK.__getitem__, default=None)


def verdict(severity: Severity | None) -> tuple[str, str]:
    """Word and colour for a whole: `ok` when nothing graver than info was found."""
    if severity in (None, Severity.INFO):
        return _("ok"), "$text-success"
    return _(_WORD[severity]), COLOUR[severity]


def describe(findings: Iterable[Finding]) -> list[Paragraph]:
    """All findings, gravest first: code, message, and what mends it."""
    ordered = sorted(findings, key=lambda finding: _RANK[finding.severity])
    return [told for finding in ordered for told in describe_one(finding)]


def describe_one(finding: Finding) -> list[Paragraph]:
    """One finding: its code on a line of its own, so that long messages have the whole width."""
    code = f"{_SIGN[finding.severity]} {_(_WORD[finding.severity])} {safe_text(finding.code)}"
    told = [
        paragraph(Content.styled(code, f"bold {COLOUR[finding.severity]}")),
        paragraph(safe_text(finding.message, multiline=True), "  "),
    ]
    if finding.fix:
        fix = Content.styled(safe_text(finding.fix, multiline=True), "$primary")
        told.append(paragraph(fix, Content.styled("  → ", "$primary")))
    return told
