"""What the home screen says: channels, jobs and this machine as lines. Pure, but for `machine_told`, which looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from liveavatar_tui import overview
from liveavatar_tui.overview import PRODUCTION, ChannelFact, DiskFact
from liveavatar_tui.quantities import bytes_text, moment_text, path_text, span_text
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.settings import Settings
from liveavatar_tui.widgets.paragraphs import Paragraph, paragraph, spaced
from liveavatar_tui.widgets.rows import Line
from lora_repository.finding import Severity
from lora_repository.i18n import _, ngettext

if TYPE_CHECKING:
    from engine.probe import Card, Machine
    from liveavatar_tui.jobs.job import Job
    from lora_repository.history import Generation

Told = list[Paragraph]
_NAME: Final = 12
_PLACE: Final = 34
_VERDICT: Final = 9
_AFTER: Final = 14  # gaps, and enough for `→ latest`
_STATE: Final = 14
_SHARE: Final = 5
_LABEL: Final = 26
_BAR: Final = 14
_STYLE: Final = {PRODUCTION: "bold $production on $accent", "staging": "bold $secondary", "latest": "bold $primary"}
_SIGN: Final = {None: "✓", Severity.INFO: "✓", Severity.WARNING: "!", Severity.ERROR: "✗"}
_COLOUR: Final = {
    None: "$text-success",
    Severity.INFO: "$text-success",
    Severity.WARNING: "$text-warning",
    Severity.ERROR: "$text-error",
}
_MOST_JOBS: Final = 100
_TIGHT: Final = ((0.95, "$text-error"), (0.85, "$text-warning"))
"""From which share of use on a bar is coloured."""


# --- channels


def channel_lines(facts: Sequence[ChannelFact], verdicts: Mapping[Path, Severity | None]) -> list[Line]:
    """A line for each channel; the verdict is empty until the place is proved."""
    return [
        Line(fact.name, partial(_channel, fact, _verdict(fact, verdicts)), _NAME if fact.name == PRODUCTION else 0)
        for fact in facts
    ]


def _channel(fact: ChannelFact, verdict: Content, width: int) -> Content:
    word = f" {fact.name.upper()}" if fact.name == PRODUCTION else f" {fact.name}"
    name = Content.styled(set_cell_size(word, _NAME), _STYLE.get(fact.name, "$foreground"))
    if fact.target is None:
        return name + Content.styled("  " + _("not set"), "$muted")
    if fact.finding is not None:
        return name + Content.styled(f"  ✗ {safe_text(fact.finding.message)}", "$text-error")
    room = width - _NAME - _VERDICT - _AFTER
    place = Content(_fitted(safe_text(fact.place.name if fact.place else ""), min(_PLACE, max(8, room))))
    return Content.assemble(name, "  ", place, "  ", verdict, "  ", _since(fact))


def _since(fact: ChannelFact) -> Content:
    if fact.follows:
        return Content.styled("→ latest", "$muted")
    return Content.styled(_switched(fact.switch), "$muted") if fact.switch is not None else Content("")


def _switched(switch: Generation) -> str:
    when = moment_text(switch.time.timestamp())
    told = _("since {when} by {who}").format(when=when, who=safe_text(switch.user))
    return f"{told}: {safe_text(switch.reason)}" if switch.reason else told


def _verdict(fact: ChannelFact, verdicts: Mapping[Path, Severity | None]) -> Content:
    if fact.place is None or fact.place not in verdicts:
        return Content.styled(_fitted(_("checking"), _VERDICT), "$muted")
    found = verdicts[fact.place]
    words = {Severity.ERROR: _("error"), Severity.WARNING: _("warning")}
    word = words[found] if found in words else _("ok")
    return Content.styled(_fitted(f"{_SIGN[found]} {word}", _VERDICT), _COLOUR[found])


def place(settings: Settings) -> Content:
    """Where the versions are."""
    return Content(safe_text(path_text(Path(settings.lora.repository))))


# --- jobs


def job_lines(jobs: Sequence[Job]) -> list[Line]:
    """What runs first, then what ended, newest first."""
    if not jobs:
        return [Line("", Content.styled(" " + _("No job yet. Press n to start one."), "$muted"))]
    ordered = sorted(jobs, key=lambda job: not job.state.live)[:_MOST_JOBS]
    return [Line(job.id, partial(_job, job)) for job in ordered]


def _job(job: Job, width: int) -> Content:
    from liveavatar_tui.jobs.words import STATE_WORDS

    sign, style = _state(job)
    label = (job.spec.label if job.spec else "") or _("base model")
    prompt = job.spec.prompt if job.spec else _("its description cannot be read")
    when = _when(job)
    room = width - _STATE - _SHARE - _LABEL - cell_len(when) - 7
    parts: list[Content | tuple[str, str] | str] = [
        (_fitted(f" {sign} {_(STATE_WORDS[job.state])}", _STATE), style),
        " ",
        _fitted(f"{job.fraction:.0%}" if job.fraction is not None else "", _SHARE),
        "  ",
        _fitted(safe_text(label), min(_LABEL, max(8, width - _STATE - _SHARE - cell_len(when) - 6))),
    ]
    if room >= 8:
        parts += ["  ", (_fitted(safe_text(prompt), room), "$muted")]
    return Content.assemble(*parts, "  ", (when, "$muted"))


def _state(job: Job) -> tuple[str, str]:
    """Sign and colour."""
    from liveavatar_tui.jobs.state import State

    if job.state.queued:
        return "○", "$primary"
    if job.state.active:
        return "●", "bold $warning" if job.state is State.SILENT else "bold $primary"
    ended = {
        State.DONE: ("✓", "$text-success"),
        State.CANCELLED: ("–", "$muted"),
        State.FOREIGN: ("·", "$muted"),
    }
    return ended.get(job.state, ("✗", "$text-error"))


def _when(job: Job) -> str:
    progress = job.story.progress
    if job.state.live and progress is not None and progress.eta_s is not None:
        return _("{time} left").format(time=span_text(progress.eta_s))
    return moment_text(job.created)


def jobs_count(jobs: Sequence[Job]) -> Content | None:
    """How many run and how many wait; None when none does."""
    active, queued = sum(job.state.active for job in jobs), sum(job.state.queued for job in jobs)
    told = []
    if active:
        told.append(ngettext("{n} running", "{n} running", active).format(n=active))
    if queued:
        told.append(ngettext("{n} waiting", "{n} waiting", queued).format(n=queued))
    return Content(" · ".join(told)) if told else None


# --- this machine


def looking() -> Told:
    """Before the first look."""
    return [paragraph(Content.styled(_("Looking…"), "$muted"))]


def machine_told(settings: Settings) -> Told:
    """Cards with who holds their memory, host memory, disks. Looks: some 10 ms with cards."""
    found = overview.machine()
    host = found.host
    memory = _gauge(_("memory"), host.total if host.limit is None else host.limit, host.available)
    found_disks = overview.disks(settings)
    disks = [told for disk in found_disks for told in _disk(disk, named=len(found_disks) > 1)]
    return spaced([_cards(found), [memory, *disks]])


def _disk(disk: DiskFact, *, named: bool) -> list[Paragraph]:
    told = [_gauge(_("disk"), disk.total, disk.free)]
    if named:
        told.append(paragraph(Content.styled(safe_text(path_text(disk.path)), "$muted"), " " * (_NAME - 3)))
    return told


def _cards(found: Machine) -> list[Paragraph]:
    if not found.cards:
        why = _("No graphics card: {reason}.").format(reason=safe_text(found.note.rstrip(".")) or "?")
        told = _("The embedded avatar runs on the processor.")
        return [paragraph(Content.styled(f"{why} {told}", "$muted"))]
    return [told for card in found.cards for told in _card(found, card)]


def _card(found: Machine, card: Card) -> list[Paragraph]:
    gauge = _gauge(card.device, card.total, card.free)
    told = [Paragraph(gauge.lead, gauge.body + Content.styled(f"  {safe_text(card.name)}", "$muted"))]
    for owner in overview.owners(found, card.index):
        who = _("{program} of {user}, process {pid}").format(
            program=safe_text(owner.program) or "?", user=safe_text(owner.user) or "?", pid=owner.pid
        )
        size = bytes_text(owner.size) if owner.size else "?"
        told.append(paragraph(Content.styled(f"{size}  {who}", "$muted"), " " * (_NAME - 3)))
    return told


def _gauge(name: str, total: int, free: int) -> Paragraph:
    used = 1 - free / total if total else 0.0
    full = round(used * _BAR)
    colour = next((style for share, style in _TIGHT if used >= share), "$primary")
    bar = Content.assemble(("━" * full, colour), ("━" * (_BAR - full), "$border-blurred"))
    room = _("{free} of {total} free").format(free=bytes_text(free), total=bytes_text(total))
    return Paragraph(Content.styled(_fitted(name, _NAME - 3), "$muted"), bar + Content(f"  {room}"))


def _fitted(text: str, cells: int) -> str:
    """Exactly so many cells, with an ellipsis where something is cut."""
    return set_cell_size(text, cells) if cell_len(text) <= cells else set_cell_size(text, cells - 1) + "…"
