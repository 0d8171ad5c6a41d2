"""A run's memory beside its plan: told as it goes on, noted when it ends. Mutable.

Reads host and card; knows no phase of the run but the stages of a plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.job_folder import reason
from engine.log import LOG
from engine.memory import HOST, Case, MemoryPlan, Stage, case_of, mode_for, plan_case
from engine.memory.calibration import constants_for
from engine.memory.noting import MemoryNotes
from engine.memory_use import host_use
from engine.probe import probe
from engine.protocol import Finished, Memory

if TYPE_CHECKING:
    import torch

    from engine.resolving import Resolved


class MemoryWatch:
    """Mutable: what was planned for a run of `height` x `width`, and what it held at the end of each stage."""

    def __init__(self, resolved: Resolved, device: torch.device) -> None:
        self._resolved = resolved
        self._card = device if device.type == "cuda" else None
        self._notes = MemoryNotes()
        self._planned: tuple[Case, MemoryPlan] | None = None

    def plan(self, height: int, width: int) -> None:
        """Plan as preflight did; before that nothing is predicted."""
        spec, layout = self._resolved.spec, self._resolved.layout
        card = None if self._card is None else str(self._card)
        case = case_of(layout, height, width, spec.passes, mode_for(spec, layout, card))
        self._planned = case, plan_case(case, constants_for(probe(), card or HOST))

    def saw(self, stage: Stage) -> None:
        """A stage is over."""
        self._notes.saw(stage, self._read())

    def readings(self) -> list[Memory]:
        """What is held at this moment beside the predicted peak, for every device."""
        if self._planned is None:
            return self._read()
        _case, plan = self._planned
        return [msgspec.structs.replace(one, predicted=plan.torch_peak(one.device)) for one in self._read()]

    def keep(self, finished: Finished, job: str) -> None:
        """Note predicted against measured for the next preflight; a run is none the worse where that cannot be."""
        if self._planned is None:
            return
        case, plan = self._planned
        for run in self._notes.measured(plan, case, finished, job):
            LOG.info("Memory of %s: predicted %+.1f %%", run.device, 100 * run.error)
        try:
            self._notes.keep(plan, case, finished, job)
        except OSError as fault:
            LOG.warning("What the run took could not be noted: %s", reason(fault))

    def _read(self) -> list[Memory]:
        used = [host_use()]
        if self._card is not None:
            from engine.card_use import card_use

            used.append(card_use(self._card.index or 0))
        return used
