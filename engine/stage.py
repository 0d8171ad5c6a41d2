"""Where a run stands, told to the journal as it moves on; and the word from outside that it shall end.

Knows neither model nor files: `run` does the work and says here how far it is.
"""

from __future__ import annotations

import signal
import time
from collections import deque
from types import FrameType
from typing import Final

from engine.job_folder import Journal
from engine.log import LOG
from engine.protocol import AnyEvent, Phase, PhaseChanged, Progress

_WINDOW: Final = 8
"""Blocks that the told speed looks back on: 4 s of video."""
_NOTE_GAP_S: Final = 0.5


class Stopped(Exception):
    """Somebody outside asked the run to end; the text says how."""


class Stage:
    """Mutable: the phase, how long each took, and whether to go on."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._stopped_by = ""
        self._noted = ""
        self._noted_at = 0.0
        self._entered = time.monotonic()
        self.phase = Phase.QUEUED
        self.seconds: dict[str, float] = {}
        """How long each finished phase took."""

    def listen(self) -> None:
        """SIGTERM and SIGINT end the run at the next block, SIGHUP is ignored: the terminal may go, the run stays."""
        signal.signal(signal.SIGTERM, self._hear)
        signal.signal(signal.SIGINT, self._hear)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self._stopped_by = signal.Signals(number).name

    def tell(self, event: AnyEvent) -> None:
        """Write an event down."""
        self._journal.append(event)

    def enter(self, phase: Phase, note: str = "") -> None:
        """Go on to the next phase; raises Stopped when the run shall end."""
        self.go_on()
        self.close()
        self.phase = phase
        self.tell(PhaseChanged(phase=phase, note=note))

    def note(self, what: str, share: float | None = None) -> None:
        """What exactly is being done in this phase, and the share of it that is done: twice a second at most."""
        moment = time.monotonic()
        if what == self._noted and moment - self._noted_at < _NOTE_GAP_S:
            return
        self._noted, self._noted_at = what, moment
        self.tell(PhaseChanged(phase=self.phase, note=what if share is None else f"{what} {share:.0%}"))

    def go_on(self) -> None:
        """Raises Stopped when the run shall end; called between blocks."""
        if self._stopped_by:
            raise Stopped(self._stopped_by)

    def close(self) -> None:
        """Stop the watch of this phase."""
        moment = time.monotonic()
        self.seconds[self.phase] = round(moment - self._entered, 3)
        self._entered = moment
        LOG.debug("%s took %.3f s", self.phase, self.seconds[self.phase])


class Pace:
    """Mutable: frames per second over the last blocks, end to end, and what is left at that pace."""

    def __init__(self, blocks: int, frames: int) -> None:
        self._blocks = blocks
        self._frames = frames
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)], maxlen=_WINDOW + 1)

    def after(self, block: int, frames_done: int) -> Progress:
        """The progress when block `block`, counted from 1, is in the file."""
        self._marks.append((time.monotonic(), frames_done))
        (since, before), (until, after) = self._marks[0], self._marks[-1]
        fps = (after - before) / max(until - since, 1e-9)
        left = max(0.0, (self._frames - frames_done) / fps) if fps else 0.0
        return Progress(
            block=block,
            blocks=self._blocks,
            frame=frames_done,
            frames=self._frames,
            fps=round(fps, 2),
            eta_s=round(left, 1),
        )
