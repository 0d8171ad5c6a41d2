"""What is recorded of one version, in words: record, remarks, tests with their intervals, samples, switches. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from textual.content import Content

from liveavatar_tui.quantities import path_text
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.screens.switch_text import by_whom, channel_name, shorten
from liveavatar_tui.version_facts import Facts
from liveavatar_tui.widgets.paragraphs import Paragraph, paragraph, spaced
from lora_repository.i18n import N_, _
from lora_repository.scores import Comparison, Score

_SWITCHES: Final = 6
_SAMPLES: Final = 8
_NAME: Final = 12
_VERSION: Final = 20
_VERDICTS: Final = {
    "better": N_("better than {other}"),
    "equal": N_("as good as {other}"),
    "worse": N_("worse than {other}"),
    "abstained": N_("not told apart from {other}"),
}


def described(facts: Facts) -> list[Paragraph]:
    """Everything that is recorded."""
    return spaced(
        [
            _use(facts.users),
            _remarks(facts),
            _record(facts),
            *(_comparison(one) for one in facts.comparisons[:1]),
            _samples(facts),
            _switches(facts),
        ]
    )


def _use(users: Sequence[str]) -> list[Paragraph]:
    if not users:
        return [_muted(_("Nothing uses it: it could be removed."))]
    return [
        paragraph(safe_text(_("In use by {users}.").format(users=", ".join(users))), Content.styled("● ", "$primary"))
    ]


def _remarks(facts: Facts) -> list[Paragraph]:
    said = facts.remarks
    if said is None or not (said.tags or said.note):
        return [_muted(_("No tags, no note: {key} writes some.").format(key="e"))]
    tags = (
        [paragraph(Content.styled(safe_text(" ".join(f"#{tag}" for tag in said.tags)), "$secondary"))]
        if said.tags
        else []
    )
    note = [paragraph(safe_text(line)) for line in said.note.splitlines()]
    when = f"{said.time.astimezone():%Y-%m-%d %H:%M}"
    by = _("{user} on {host}, {time}").format(user=said.user, host=said.host, time=when)
    return [*tags, *note, _muted(by)]


def _record(facts: Facts) -> list[Paragraph]:
    made = facts.published
    if made is None:
        return [_muted(_("It was put there by hand: nobody vouches for its bytes."))]
    when = f"{made.time.astimezone():%Y-%m-%d %H:%M}"
    by = _("{user} on {host}, {time}").format(user=made.user, host=made.host, time=when)
    head = paragraph(Content.assemble((_("Published"), "bold"), f"  {safe_text(by)}"))
    return [head, _muted(_("from {source}").format(source=made.source))]


def _comparison(made: Comparison) -> list[Paragraph]:
    sign, colour = ("✓", "$text-success") if made.passed else ("✗", "$text-error")
    word = _("passed") if made.passed else _("failed")
    verdict = _(_VERDICTS[made.verdict]).format(other=made.against or _("nothing"))
    head = Content.assemble((_("Test"), "bold"), "  ", (f"{sign} {word}", f"bold {colour}"), f"  {safe_text(verdict)}")
    when = _("{protocol}, {user} on {host}, {time}").format(
        protocol=made.protocol, user=made.user, host=made.host, time=f"{made.time.astimezone():%Y-%m-%d %H:%M}"
    )
    reasons = [paragraph(safe_text(reason), "· ") for reason in made.reasons]
    return [paragraph(head), _muted(when), *reasons, *(_score(one) for one in made.scores)]


def _score(one: Score) -> Paragraph:
    """`lip_sync  ✓ 0.874 → 0.912 [0.88, 0.94]`."""
    sign = {True: ("✓ ", "$text-success"), False: ("✗ ", "$text-error"), None: ("  ", "")}[one.passed]
    value = "–" if one.value is None else f"{one.value:.4g}{one.unit}"
    between = "" if one.low is None or one.high is None else f" [{one.low:.3g}, {one.high:.3g}]"
    before = "" if one.reference is None else f"{one.reference:.4g} → "
    name = safe_text(one.name)[:_NAME].ljust(_NAME)
    line = Content.assemble((name, "$muted"), " ", sign, (before, "$muted"), safe_text(value), (between, "$muted"))
    return paragraph(line, "  ")


def _samples(facts: Facts) -> list[Paragraph]:
    if not facts.samples:
        return []
    more = len(facts.samples) - _SAMPLES
    lines = [_muted(path_text(path)) for path in facts.samples[:_SAMPLES]]
    rest = [_muted(_("and {n} more").format(n=more))] if more > 0 else []
    return [paragraph(Content.styled(_("Samples"), "bold")), *lines, *rest]


def _switches(facts: Facts) -> list[Paragraph]:
    if not facts.switches:
        return []
    told = [paragraph(Content.styled(_("Switches"), "bold"))]
    for made in facts.switches[:_SWITCHES]:
        before, after = shorten(made.before or _("nothing"), _VERSION), shorten(made.after, _VERSION)
        told.append(paragraph(Content.styled(by_whom(made), "$muted"), channel_name(made.channel) + Content("  ")))
        told.append(paragraph(f"{before} → {after}", "  "))
    return told


def _muted(text: str) -> Paragraph:
    return paragraph(Content.styled(safe_text(text), "$muted"))
