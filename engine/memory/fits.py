"""A run against a machine: does it fit, on which device not, and what is it that does not. Imports no torch.

The one question of preflight, of the queue and of a retry. Reads headers: the base model's, and the portrait's for its
true size, since `size` only bounds the area.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.checkpoint_layout import find_layout
from engine.memory.calibration import constants_for
from engine.memory.constants import Constants
from engine.memory.mode import mode_for
from engine.memory.ours import Case, case_of, plan_case
from engine.memory.plan import HOST, MemoryPlan, Stage, Term
from engine.probe import Card, Machine, probe
from engine.resolving import video_size
from engine.sources import measure_portrait
from engine.spec import RunSpec

TIGHT: Final = 0.9
"""A need above this share of what is free fits and leaves no air for other programs."""


@dataclass(frozen=True, slots=True)
class DeviceVerdict:
    """One device: bytes needed (with the margin) at the peak, bytes free, and what is largest then."""

    device: str
    name: str
    need: int
    peak: int
    stage: Stage
    free: int
    held: tuple[Term, ...]

    @property
    def ok(self) -> bool:
        """It fits."""
        return self.need <= self.free

    @property
    def tight(self) -> bool:
        """It fits, and hardly anything else does."""
        return self.ok and self.need > self.free * TIGHT

    @property
    def short(self) -> int:
        """Bytes that are lacking, 0 where none are."""
        return max(0, self.need - self.free)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every device of a run, cards first."""

    case: Case
    plan: MemoryPlan
    devices: tuple[DeviceVerdict, ...]

    @property
    def ok(self) -> bool:
        """It fits everywhere."""
        return all(one.ok for one in self.devices)

    @property
    def tight(self) -> bool:
        """It fits, somewhere barely."""
        return self.ok and any(one.tight for one in self.devices)


def fits(spec: RunSpec, machine: Machine | None = None) -> Verdict:
    """The verdict on a run; `machine` is probed where it is not given. Raises `Problem` for files that cannot be read.

    Some 10 ms for the 14B model, of which the headers are read once.
    """
    machine = machine or probe()
    return judge(case_for(spec, machine), machine)


def case_for(spec: RunSpec, machine: Machine) -> Case:
    """What the engine will do with this spec here: on the first card, else on the host."""
    layout = find_layout(spec.ckpt_dir)
    height, width = video_size(spec, measure_portrait(Path(spec.image)))
    card = machine.cards[0].device if machine.cards else None
    return case_of(layout, height, width, spec.passes, mode_for(spec, layout, card))


def judge(case: Case, machine: Machine, constants: Constants | None = None) -> Verdict:
    """The verdict on a case; `constants` are those of this machine, read where they are not given."""
    plan = plan_case(case, constants or constants_for(machine, case.mode.device))
    return Verdict(case, plan, tuple(_verdict(plan, device, machine) for device in plan.devices))


def _verdict(plan: MemoryPlan, device: str, machine: Machine) -> DeviceVerdict:
    peak = plan.peak(device)
    card = card_of(device, machine)
    name = machine.host.name if card is None else card.name
    free = machine.host.available if device == HOST else 0 if card is None else card.free
    held = plan.at(device, peak.stage)
    return DeviceVerdict(device, name, plan.need(device), peak.size, peak.stage, free, held)


def card_of(device: str, machine: Machine) -> Card | None:
    """The card that a device is; None for the host and for a card that is not there."""
    return next((card for card in machine.cards if card.device == device), None)
