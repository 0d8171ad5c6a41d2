"""Telling of one job in lines: its progress while it runs, how it ended. Stopping to follow does not stop the job."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Final

from engine.job_folder import JobFolder
from engine.protocol import Finished, Learned, PhaseChanged, Progress, Saved, Warned
from liveavatar_tui.commands.output import complain, complain_finding, say, say_table
from liveavatar_tui.jobs.ending import explain
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.records import read_launch, read_origin
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.watching import Watcher
from liveavatar_tui.jobs.words import PHASE_WORDS, STATE_WORDS
from liveavatar_tui.quantities import span_text
from lora_repository.i18n import _

_LOOK_S: Final = 0.1
_TELL_S: Final = 1.0
"""Seconds between two lines of progress: a log of an hour stays readable."""


def follow_job(folder: JobFolder, *, quiet: bool) -> Job:
    """The job when it is over; prints a line for each phase, warning and second of progress unless `quiet`."""
    watcher = Watcher(folder)
    told, stood = 0.0, ""
    try:
        while True:
            job = watcher.poll()
            if not quiet:
                stood = _tell_standing(job, stood)
                told = _tell(watcher, job, told)
            if not job.state.live:
                return job
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        complain(_("The job goes on. Watch it: liveavatar-tui jobs show {job} --follow").format(job=folder.root.name))
        raise


def _tell_standing(job: Job, before: str) -> str:
    """Print that it waits, and at which place, or does not respond; what was printed last."""
    stands = state_text(job) if job.state.queued or job.state is State.SILENT else ""
    if job.place is not None:
        stands = _("{state}, place {n} in the queue").format(state=stands, n=job.place)
    if stands and stands != before:
        say(f"{job.id}  {stands}")
    return stands


def _tell(watcher: Watcher, job: Job, told: float) -> float:
    """Print what the last poll brought; when the last line of progress was told."""
    for event in watcher.fresh:
        if isinstance(event, PhaseChanged):
            say(f"{job.id}  {_(PHASE_WORDS[event.phase])}  {event.note}".rstrip())
        elif isinstance(event, Warned):
            complain(f"{_('warning')} {event.code}: {event.message}")
        elif isinstance(event, Saved):
            say(f"{job.id}  {event.path}")
    told = _tell_learned(watcher, job, told)
    progress = next((event for event in reversed(watcher.fresh) if isinstance(event, Progress)), None)
    now = time.monotonic()
    if progress is None or (now - told < _TELL_S and progress.block < progress.blocks):
        return told
    say(f"{job.id}  {progress_text(progress)}")
    return now


def _tell_learned(watcher: Watcher, job: Job, told: float) -> float:
    """Print how far a training is; when the last line was told."""
    learned = next((event for event in reversed(watcher.fresh) if isinstance(event, Learned)), None)
    now = time.monotonic()
    if learned is None or (now - told < _TELL_S and learned.step < learned.steps):
        return told
    say(f"{job.id}  {learned_text(learned)}")
    return now


def learned_text(learned: Learned) -> str:
    """`40/140 steps  loss 0.1834  held out 0.1662  0.5 steps/s  3:20 left`."""
    parts = [
        _("{step}/{steps} steps").format(step=learned.step, steps=learned.steps),
        _("loss {loss:.4f}").format(loss=learned.loss),
        _("held out {loss:.4f}").format(loss=learned.held_out) if learned.held_out is not None else "",
        _("{pace:.2g} steps/s").format(pace=learned.steps_per_s),
        _("{left} left").format(left=span_text(learned.eta_s)),
    ]
    return "  ".join(part for part in parts if part)


def progress_text(progress: Progress) -> str:
    """`12/40 blocks  144 frames  24.8 fps  0:03 left`."""
    return _("{block}/{blocks} blocks  {frame} frames  {fps:.1f} fps  {left} left").format(
        block=progress.block,
        blocks=progress.blocks,
        frame=progress.frame,
        fps=progress.fps,
        left=span_text(progress.eta_s),
    )


def ended_well(job: Job) -> bool:
    """Whether the video is there."""
    return job.state is State.DONE


def say_ending(job: Job) -> None:
    """The video's path on stdout, or on stderr why there is none."""
    if isinstance(job.story.end, Finished):
        say(job.story.end.output)
    elif (finding := explain(job)) is not None:
        complain_finding(finding)
    else:
        complain(f"{job.id}  {state_text(job)}")


def state_text(job: Job) -> str:
    """The state in the user's language; of a running job its phase."""
    if job.state is State.RUNNING:
        return _(PHASE_WORDS[job.story.phase])
    return _(STATE_WORDS[job.state])


def job_json(job: Job) -> dict[str, Any]:
    """A job as scripts read it."""
    story, finding, launch = job.story, explain(job), read_launch(job.folder)
    end = story.end
    return {
        "id": job.id,
        "folder": str(job.folder.root),
        "state": job.state,
        "phase": story.phase,
        "label": job.spec.label if job.spec else None,
        "started": datetime.fromtimestamp(job.created, UTC).isoformat(timespec="seconds") if job.created else None,
        "elapsed_s": round(job.elapsed_s, 1),
        "block": story.progress.block if story.progress else None,
        "blocks": story.progress.blocks if story.progress else None,
        "fps": story.progress.fps if story.progress else None,
        "output": end.output if isinstance(end, Finished) else None,
        "finding": finding.as_dict() if finding else None,
        "place": job.place,
        "note": job.note or None,
        "repeats": read_origin(job.folder),
        "shelter": launch.shelter if launch is not None else None,
    }


def _circumstances(job: Job) -> list[tuple[str, str]]:
    """Where it stands and lives, what it repeats, what was written on it."""
    launch, repeats = read_launch(job.folder), read_origin(job.folder)
    rows = []
    if job.place is not None:
        rows.append((_("place"), str(job.place)))
    if launch is not None and launch.shelter:
        rows.append((_("held together by"), shelter_text(launch.shelter)))
    if repeats is not None:
        rows.append((_("repeats"), repeats))
    if job.note:
        rows.append((_("note"), job.note))
    return rows


def shelter_text(shelter: str) -> str:
    """What holds the processes of a job together, in words."""
    kind, _space, name = shelter.partition(" ")
    words = {
        "scope": _("systemd scope {name}").format(name=name),
        "cgroup": _("a control group of its own"),
        "session": _("a session of its own"),
    }
    return words.get(kind, shelter)


def say_job(job: Job) -> None:
    """One job in full."""
    spec, story = job.spec, job.story
    rows = [(_("job"), job.id), (_("state"), state_text(job)), (_("folder"), str(job.folder.root))]
    if spec is not None:
        rows += [(_("LoRA"), spec.label or _("none")), (_("prompt"), spec.prompt)]
        rows += [(_("portrait"), spec.image), (_("speech"), spec.audio)]
    if story.plan is not None:
        rows.append((_("video"), f"{story.plan.width}x{story.plan.height}, {story.plan.frames / story.plan.fps:.1f} s"))
    if story.progress is not None:
        rows.append((_("progress"), progress_text(story.progress)))
    if story.learned is not None:
        rows.append((_("progress"), learned_text(story.learned)))
    rows.append((_("time"), span_text(job.elapsed_s)))
    rows += _circumstances(job)
    if isinstance(story.end, Finished):
        rows.append((_("output"), story.end.output))
    say_table(rows, indent="")
    if (finding := explain(job)) is not None:
        complain_finding(finding)
