"""One job as it stands at a moment: its events folded, its state judged. Knows no screen.

A job that nobody watches costs nothing: there is no daemon, the folder is the whole truth.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from engine.identity import PROC, Identity, boot_id, is_alive, is_stopped
from engine.job_folder import JobFolder, lock_owner
from engine.protocol import (
    AdapterLoaded,
    AnyEvent,
    Cancelled,
    Failed,
    Finished,
    Learned,
    Memory,
    Phase,
    PhaseChanged,
    Plan,
    Preview,
    Progress,
    Saved,
    Started,
    Warned,
)
from engine.spec import FRAMES_PER_BLOCK, RunSpec, decode
from liveavatar_tui.jobs.queue import Waiting, entry, read_line
from liveavatar_tui.jobs.records import read_cancel, read_launch, read_note
from liveavatar_tui.jobs.state import Evidence, State, judge

_QUIET_S: Final = 120.0
_BUSY_S: Final = 600.0
_COMPILING_S: Final = 3600.0
_BLOCKS_MISSED: Final = 10


@dataclass(frozen=True, slots=True)
class Story:
    """The events so far, folded: the last of each kind, all of those that add up."""

    phase: Phase = Phase.QUEUED
    note: str = ""
    started: Started | None = None
    plan: Plan | None = None
    progress: Progress | None = None
    preview: Preview | None = None
    learned: Learned | None = None
    """How far a training is."""
    saved: Saved | None = None
    """A training's newest checkpoint."""
    memory: tuple[Memory, ...] = ()
    """One for each device, the latest."""
    adapters: tuple[AdapterLoaded, ...] = ()
    warnings: tuple[Warned, ...] = ()
    end: Finished | Failed | Cancelled | None = None
    seq: int = -1
    """Number of the last event."""
    time: float = 0.0
    """Wall time of the last event, 0 before the first."""
    began_mono: float = 0.0
    """Monotonic time of the first event, 0 before it."""
    mono: float = 0.0
    """Monotonic time of the last event: of the same boot it can be subtracted, whatever the wall clock did."""


@dataclass(frozen=True, slots=True)
class Job:
    """`id` is the folder's name and sorts by time; `spec` is None when `spec.json` cannot be read."""

    id: str
    folder: JobFolder
    state: State
    story: Story
    spec: RunSpec | None
    created: float
    cancel_requested: bool
    place: int | None = None
    """Its number in the queue, from 1; None when it does not wait."""
    note: str = ""
    """What somebody wrote on it; keeps it from being pruned."""

    @property
    def fraction(self) -> float | None:
        """Share of the blocks that are in the file, or of a training's steps, 0 to 1; None before that is known."""
        if self.state is State.DONE:
            return 1.0
        if (learned := self.story.learned) is not None and learned.steps:
            return learned.step / learned.steps
        progress = self.story.progress
        return progress.block / progress.blocks if progress is not None and progress.blocks else None

    @property
    def memory(self) -> Memory | None:
        """What the engine last told of its card, else of the host; None before it did."""
        return max(self.story.memory, key=lambda one: one.device, default=None)  # `cuda:0` comes after `cpu`

    @property
    def elapsed_s(self) -> float:
        """Seconds from the engine's first event to its last, or to this moment while it runs.

        Monotonic, so a clock that is set meanwhile changes nothing. Before the first event: since it was asked for.
        """
        if not self.story.began_mono:
            return max(0.0, time.time() - self.created) if self.state.live else 0.0
        until = time.monotonic() if self.state.active else self.story.mono
        return max(0.0, until - self.story.began_mono)


def fold(story: Story, events: Iterable[AnyEvent]) -> Story:
    """The story continued by `events`."""
    for event in events:
        began = story.began_mono or event.mono
        story = replace(_told(story, event), seq=event.seq, time=event.time, mono=event.mono, began_mono=began)
    return story


def _told(story: Story, event: AnyEvent) -> Story:
    match event:
        case Started():
            return replace(story, started=event)
        case PhaseChanged():
            return replace(story, phase=event.phase, note=event.note)
        case Plan():
            return replace(story, plan=event)
        case Progress():
            return replace(story, progress=event)
        case Learned():
            return replace(story, learned=event)
        case Saved():
            return replace(story, saved=event)
        case Preview():
            return replace(story, preview=event)
        case Memory():
            others = tuple(one for one in story.memory if one.device != event.device)
            return replace(story, memory=(*others, event))
        case AdapterLoaded():
            return replace(story, adapters=(*story.adapters, event))
        case Warned():
            return replace(story, warnings=(*story.warnings, event))
        case Finished():
            return replace(story, end=event, phase=Phase.DONE)
        case Failed():
            return replace(story, end=event, phase=Phase.FAILED)
        case Cancelled():
            return replace(story, end=event, phase=Phase.CANCELLED)


def read_spec(folder: JobFolder) -> RunSpec | None:
    """What the job was asked to do; None when the file is missing, torn or of another version."""
    try:
        return decode(folder.spec.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None


def created(folder: JobFolder) -> float:
    """Wall time of the start: when the spec was written, 0 when there is none."""
    try:
        return folder.spec.stat().st_mtime
    except OSError:
        return 0.0


def engine_identity(folder: JobFolder, story: Story) -> Identity | None:
    """Who the engine is, by its own first event, else by the starter's note."""
    if (said := story.started) is not None:
        return Identity(said.pid, said.start_time, said.boot_id, said.host)
    launch = read_launch(folder)
    return launch.engine if launch is not None else None


def stand(folder: JobFolder, story: Story, spec: RunSpec | None, *, proc: Path = PROC) -> Job:
    """The job at this moment; asks the lock, the process table and the notes. `proc` is the process table."""
    identity = engine_identity(folder, story)
    began = created(folder)
    requested = read_cancel(folder) is not None
    settled = story.end is not None
    waits, place = (None, None) if settled or identity is not None else _place(folder)
    alive = not settled and identity is not None and is_alive(identity, proc)
    seen = Evidence(
        end=story.end,
        identity=identity,
        said_started=story.started is not None,
        owner=None if settled else lock_owner(folder.lock),
        alive=alive,
        host=socket.gethostname(),
        boot_id=boot_id(proc),
        cancel_requested=requested,
        age_s=time.time() - began,
        queued=waits is not None,
        held=waits is not None and waits.held,
        silent=alive and identity is not None and _is_silent(story, identity, proc),
    )
    return Job(folder.root.name, folder, judge(seen), story, spec, began, requested, place, read_note(folder))


def _place(folder: JobFolder) -> tuple[Waiting | None, int | None]:
    """Its entry in the queue and the number of it, from 1."""
    line = read_line(folder.root.parent)
    found = entry(line, folder.root.name)
    return found, line.index(found) + 1 if found is not None else None


def _is_silent(story: Story, identity: Identity, proc: Path) -> bool:
    """Stopped by a signal or a debugger, or quiet for longer than its phase explains."""
    return is_stopped(identity.pid, proc) or (story.mono > 0 and time.monotonic() - story.mono > patience_s(story))


def patience_s(story: Story) -> float:
    """For how long an engine in this phase may tell nothing before something is wrong.

    Blocks come at a pace that is known after the first; loading tells of every part, compiling tells nothing for long.
    """
    if story.phase is Phase.COMPILING:
        return _COMPILING_S
    if story.phase is Phase.GENERATING and story.progress is not None and story.progress.fps > 0:
        return max(_QUIET_S, _BLOCKS_MISSED * FRAMES_PER_BLOCK / story.progress.fps)
    return _BUSY_S
