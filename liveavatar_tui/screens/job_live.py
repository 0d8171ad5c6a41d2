"""The thread behind a job's screen: it follows journal, log and frames, and posts what changed. Knows no widget.

Journal and process table are asked twice a second. Log and frames come as one update, and only while the terminal has
taken in the one before: keys are answered in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from textual.message import Message

from engine.job_folder import JobFolder
from engine.protocol import ENDS, AnyEvent, Phase, PhaseChanged
from liveavatar_tui.jobs.ending import explain
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.watching import Watcher
from liveavatar_tui.logs.feed import LogFeed
from liveavatar_tui.messages import Newest
from liveavatar_tui.pictures.frames import Frames
from liveavatar_tui.terminal.capabilities import PictureMode
from liveavatar_tui.terminal.flow import Flow
from lora_repository.finding import Finding

if TYPE_CHECKING:
    from liveavatar_tui.pictures.canvas import Patch

_LOOK_S: Final = 0.02
"""While something moves; a look at files that did not change takes 20 us."""
_REST_S: Final = 0.1
_MOVING_S: Final = 0.5
"""After a change the next one is looked for at the higher rate this long."""
_JUDGE_S: Final = 0.5
_LOG_S: Final = 0.1
_LOG_BYTES: Final = 3_000
"""About what a page of log takes."""


@dataclass
class JobChanged(Newest):
    """The job as it stands, and why it ended badly if it did; an older one that still waits is dropped.

    `last` is the last phase before any end.
    """

    job: Job
    cause: Finding | None
    last: Phase


@dataclass
class Moved(Message):
    """The log moved, or pictures did: `patches` by the name of the frame. None is dropped: each builds on the last."""

    log: bool
    patches: dict[str, Patch]


class LiveJob:
    """Mutable: one job as one thread follows it; without a `feed` its log is left out."""

    def __init__(self, folder: JobFolder, feed: LogFeed | None, flow: Flow, mode: PictureMode) -> None:
        self._watcher = Watcher(folder)
        self._folder = folder
        self._feed = feed
        self._flow = flow
        self._frames = {"preview": Frames(folder.preview, mode), "first": Frames(folder.first, mode)}
        self._told: Job | None = None
        self._last = Phase.QUEUED
        self._judged = self._log_at = self._moved_at = 0.0
        self._log_moved = False

    def look(self, boxes: dict[str, tuple[int, int]], post: Callable[[Message], object]) -> float:
        """Post what changed; seconds until the next look. `boxes` are the columns and rows that each frame may have;
        without any nothing is shown, and log and frames wait."""
        now = time.monotonic()
        if now - self._judged >= _JUDGE_S:
            self._judged = now
            self._judge(post)
        if now - self._log_at >= _LOG_S:
            self._log_at = now
            self._log_moved |= self._feed is not None and self._feed.poll()
        if self._flow.ready and (moved := self._moved(boxes)):
            self._moved_at = now
            size = sum(patch.size for patch in moved.patches.values()) + _LOG_BYTES * moved.log
            self._flow.send(size)
            post(moved)
        return _LOOK_S if now - self._moved_at < _MOVING_S else _REST_S

    def _judge(self, post: Callable[[Message], object]) -> None:
        job = self._watcher.poll()
        self._last = _last_phase(self._watcher.fresh, self._last)
        if self._told is None or _differs(self._told, job):
            self._told = job
            post(JobChanged(job, explain(job), self._last))
            if not job.state.live and self._folder.last.exists():
                self._frames["preview"].path = self._folder.last

    def _moved(self, boxes: dict[str, tuple[int, int]]) -> Moved | None:
        ended = self._told is not None and not self._told.state.live
        patches = {
            name: patch
            for name, frames in self._frames.items()
            if name in boxes
            and (ended or name == "preview")
            and (patch := frames.next(boxes[name], self._flow.allowance)) is not None
        }
        log = self._log_moved and bool(boxes)
        self._log_moved &= not log
        return Moved(log, patches) if log or patches else None


def _differs(old: Job, new: Job) -> bool:
    return (old.story.seq, old.state, old.cancel_requested) != (new.story.seq, new.state, new.cancel_requested)


def _last_phase(events: Iterable[AnyEvent], before: Phase) -> Phase:
    phases = [event.phase for event in events if isinstance(event, PhaseChanged) and event.phase not in ENDS]
    return phases[-1] if phases else before
