"""A candidate for publication in words: what it is, whether it would load, what it takes. Pure; knows no widget."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from textual.content import Content

from liveavatar_tui.quantities import bytes_text, path_text
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.screens.version_text import part, verdict_line
from liveavatar_tui.widgets.findings import describe
from liveavatar_tui.widgets.paragraphs import Paragraph, paragraph, spaced
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.publishing import Candidate


def source_hint() -> str:
    """What can be typed."""
    return _("folder, .safetensors, org/name on the hub, https URL, or a channel")


def before() -> list[Paragraph]:
    """Before anything was looked at."""
    return [
        paragraph(
            _("enter looks at the source: fetched and converted where needed, then proved. Nothing is made yet.")
        ),
        paragraph(""),
        paragraph(_("A version is copied beside and renamed into place: all of it, or nothing.")),
        paragraph(_("From then on a changed byte of it is an error.")),
        paragraph(""),
        paragraph(
            _("Several adapters become one, each by its strength: {example}").format(
                example="v2.1 + smile.safetensors * 0.5"
            )
        ),
    ]


def report(candidate: Candidate) -> list[Paragraph]:
    """What was found out about the source."""
    where = Content.styled(safe_text(path_text(candidate.path)), "$muted")
    head = [verdict_line(candidate.proof)]
    if candidate.converted:
        several = " + " in candidate.source
        told = _("They were joined into one.") if several else _("It is in another tool's format, and was converted.")
        head.append(paragraph(told, Content.styled("· ", "$text-success")))
    room = _("{size} to copy, {free} free.").format(size=bytes_text(candidate.size), free=bytes_text(candidate.free))
    parts = [part(one) for one in candidate.proof.parts]
    return spaced([head, describe(candidate.findings), *parts, [paragraph(room), paragraph(where)]])


def number(text: str) -> float | None:
    """A positive number, None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None
