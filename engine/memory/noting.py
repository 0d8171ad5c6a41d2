"""What a run took, stage by stage, and the line that is kept of it. Mutable while the run goes on.

Measures nothing itself: it is handed the readings that the engine tells anyway.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from engine.memory.calibration import key_of
from engine.memory.ours import Case
from engine.memory.plan import MemoryPlan, Stage
from engine.memory.records import Measured, case_name, note
from engine.probe import probe
from engine.protocol import Finished, Memory


class MemoryNotes:
    """Mutable: the largest reading of every device in every stage."""

    def __init__(self) -> None:
        self._peaks: dict[str, dict[str, int]] = {}

    def saw(self, stage: Stage, readings: Iterable[Memory]) -> None:
        """Readings at the end of a stage, or anywhere in it."""
        for reading in readings:
            stages = self._peaks.setdefault(reading.device, {})
            stages[stage] = max(reading.peak, stages.get(stage, 0))

    def measured(self, plan: MemoryPlan, case: Case, finished: Finished, job: str) -> list[Measured]:
        """A record for each device; of a card, what torch has reserved is held against that part of the plan."""
        machine = probe()
        return [
            Measured(
                key=key_of(machine, device),
                case=case_name(case),
                device=device,
                predicted={stage: _predicted(plan, device, Stage(stage)) for stage in stages},
                measured=stages,
                fps=finished.fps,
                frames=finished.frames,
                when=time.time(),
                job=job,
            )
            for device, stages in self._peaks.items()
        ]

    def keep(self, plan: MemoryPlan, case: Case, finished: Finished, job: str) -> None:
        """Add the records to this user's file; raises OSError."""
        for run in self.measured(plan, case, finished, job):
            note(run)


def _predicted(plan: MemoryPlan, device: str, stage: Stage) -> int:
    """The largest of this stage and those before it: a peak does not go down again."""
    order = list(Stage)
    return max(plan.torch_size(device, one) for one in order[: order.index(stage) + 1])
