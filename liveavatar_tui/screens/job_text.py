"""A job in words: its steps, its figures, how it ended. Pure functions from `Job` to text; knows no widget."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from textual.content import Content

from engine.memory import HOST
from engine.protocol import AdapterLoaded, Compared, Finished, Learned, Memory, Phase, Trained
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.words import PHASE_WORDS, STATE_WORDS
from liveavatar_tui.quantities import bytes_text, path_text, span_text
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.widgets.findings import describe
from liveavatar_tui.widgets.meter import Mark, Step
from liveavatar_tui.widgets.paragraphs import Paragraph, paragraph
from lora_repository.finding import Finding, Severity
from lora_repository.i18n import N_, _, ngettext

STATE_COLOURS: Final = {
    State.WAITING: "$secondary",
    State.HELD: "$muted",
    State.STARTING: "$secondary",
    State.RUNNING: "$primary",
    State.SILENT: "$text-warning",
    State.DONE: "$text-success",
    State.FAILED: "$text-error",
    State.CANCELLED: "$muted",
    State.LOST: "$text-error",
    State.REBOOTED: "$text-error",
    State.FOREIGN: "$muted",
}
_STEPS: Final = (
    (N_("Check"), (Phase.QUEUED, Phase.RESOLVING)),
    (N_("Load"), (Phase.LOADING, Phase.COMPILING)),
    (N_("Condition"), (Phase.CONDITIONING,)),
    (N_("Generate"), (Phase.GENERATING, Phase.DECODING, Phase.TRAINING, Phase.COMPARING)),
    (N_("Write"), (Phase.MUXING,)),
    (N_("Done"), (Phase.DONE,)),
)


def title(job: Job) -> Content:
    """What it is: the label that it was started with, else its id."""
    label = job.spec.label if job.spec is not None and job.spec.label else job.id
    return Content(safe_text(label))


def state_word(job: Job) -> Content:
    """Its state, coloured; a job that is asked to stop says so."""
    if job.state.live and job.cancel_requested:
        return Content.styled(_("stopping"), "$text-warning")
    return Content.styled(_(STATE_WORDS[job.state]), STATE_COLOURS[job.state])


def steps(job: Job, last: Phase) -> list[Step]:
    """The way with the present step marked; `last` is the last phase before any end."""
    if job.state is State.DONE:
        return [Step(_(name), Mark.DONE) for name, _phases in _STEPS]
    reached = next((at for at, (_name, phases) in enumerate(_STEPS) if last in phases), 0)
    here = Mark.NOW if job.state.live else Mark.FAILED
    return [
        Step(_(name), Mark.DONE if at < reached else here if at == reached else Mark.NEXT)
        for at, (name, _phases) in enumerate(_STEPS)
    ]


def progress(job: Job) -> str:
    """What stands beside the bar."""
    told = job.story.progress
    if job.state is State.DONE:
        return "100%"
    if (learned := job.story.learned) is not None:
        steps = _("step {n} of {total}").format(n=learned.step, total=learned.steps)
        return f"{job.fraction or 0.0:4.0%}  {steps}"
    if told is None:
        return _(PHASE_WORDS[job.story.phase]) if job.state.live else ""
    share = job.fraction or 0.0
    blocks = _("block {n} of {total}").format(n=told.block, total=told.blocks)
    return f"{share:4.0%}  {blocks}"


def facts(job: Job) -> Content:
    """Three lines: speed and time left, memory, adapters."""
    last = _adapters(job) if job.story.learned is None else _checkpoint(job)
    return Content("\n").join([_speed(job), _memory(job), last])


def _pair(name: str, value: str) -> Content:
    return Content.assemble((f"{name} ", "$muted"), (value, "$foreground"))


def _dotted(parts: list[Content]) -> Content:
    return Content.styled(" · ", "$faint").join(parts)


def _speed(job: Job) -> Content:
    story = job.story
    parts = []
    if story.learned is not None:
        return _dotted(_learning(story.learned, live=job.state.live))
    if story.progress is not None:
        parts.append(_pair(_("speed"), _("{fps:.1f} frames/s").format(fps=story.progress.fps)))
        if job.state.live:
            parts.append(_pair(_("left"), span_text(story.progress.eta_s)))
    if story.plan is not None:
        plan = story.plan
        done = story.progress.frame if story.progress is not None else 0
        parts.append(_pair(_("frames"), f"{done}/{plan.frames}"))
        parts.append(_pair(_("video"), f"{plan.width}×{plan.height}, {span_text(plan.frames / plan.fps)}"))
    return _dotted(parts) if parts else _pair(_("video"), _("not planned yet"))


def _learning(learned: Learned, *, live: bool) -> list[Content]:
    """Loss, speed and time left of a training."""
    parts = [_pair(_("loss"), f"{learned.loss:.4f}")]
    if learned.held_out is not None:
        parts.append(_pair(_("held out"), f"{learned.held_out:.4f}"))
    parts.append(_pair(_("speed"), _("{pace:.2g} steps/s").format(pace=learned.steps_per_s)))
    if live:
        parts.append(_pair(_("left"), span_text(learned.eta_s)))
    return parts


def _checkpoint(job: Job) -> Content:
    """Where a training's newest checkpoint lies."""
    if job.story.saved is None:
        return _pair(_("checkpoint"), _("none yet"))
    return _pair(_("checkpoint"), safe_text(path_text(Path(job.story.saved.path))))


def _memory(job: Job) -> Content:
    if not job.story.memory:
        return _pair(_("memory"), _("not measured yet"))
    return _dotted([_one_memory(memory) for memory in job.story.memory])


def _one_memory(memory: Memory) -> Content:
    text = _("{used} used, peak {peak}").format(used=bytes_text(memory.used), peak=bytes_text(memory.peak))
    if memory.predicted:
        text += ", " + _("predicted {predicted}").format(predicted=bytes_text(memory.predicted))
    name = _("host memory") if memory.device == HOST else _("memory on {device}")
    return _pair(name.format(device=safe_text(memory.device)), text)


def _adapters(job: Job) -> Content:
    if not job.story.adapters:
        return _pair(_("adapters"), _("none loaded"))
    return _dotted([_adapter(adapter) for adapter in job.story.adapters])


def _adapter(adapter: AdapterLoaded) -> Content:
    text = _("rank {rank}, strength {strength:.3g}, {matched}/{total}").format(
        rank=adapter.rank, strength=adapter.strength, matched=adapter.matched, total=adapter.total
    )
    return _pair(_("video LoRA") if adapter.target == "dit" else _("text LoRA"), text)


def ending(job: Job, cause: Finding | None) -> list[Paragraph]:
    """How it ended, with `cause` and fix; where the video is; warnings on the way. Empty for a job without any."""
    warnings = [Finding(told.code, Severity.WARNING, told.message, told.fix) for told in job.story.warnings]
    found = [*([cause] if cause is not None else []), *warnings]
    done = _finished(job, job.story.end) if isinstance(job.story.end, Finished) else []
    return [*done, *describe(found)]


def _finished(job: Job, end: Finished) -> list[Paragraph]:
    if isinstance(end, Trained | Compared):
        return _made(end)
    made = ngettext("{n} frame", "{n} frames", end.frames).format(n=end.frames)
    speed = _("{made} in {time}, {fps:.1f} frames/s, the first after {first:.1f} s").format(
        made=made, time=span_text(end.seconds), fps=end.fps, first=end.first_frame_s
    )
    path = Content.styled(safe_text(path_text(job.folder.output)), "bold")
    return [
        paragraph(path, Content.styled("✓ ", "bold $text-success")),
        paragraph(Content.styled(speed, "$muted"), "  "),
    ]


def _made(end: Trained | Compared) -> list[Paragraph]:
    """What came of a job that makes no video."""
    path = Content.styled(safe_text(path_text(Path(end.output))), "bold")
    if isinstance(end, Trained):
        told = _("{steps} steps in {time}, loss {loss:.4f}").format(
            steps=end.steps, time=span_text(end.seconds), loss=end.loss
        )
    else:
        told = _("compared in {time}").format(time=span_text(end.seconds))
    mark = Content.styled("✓ ", "bold $text-success")
    return [paragraph(path, mark), paragraph(Content.styled(told, "$muted"), "  ")]
