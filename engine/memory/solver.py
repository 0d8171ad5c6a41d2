"""What to change when a run does not fit: every single change in order, and the smallest combination that does.

The order is that of regret: what costs nothing comes first, what costs quality last. Knows no screen; a change is a new
spec, so whoever takes it runs exactly what was judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Final

import msgspec

from engine.checkpoint_layout import find_layout
from engine.media import size_for
from engine.memory.calibration import constants_for, key_of
from engine.memory.fits import Verdict, card_of, case_for, judge
from engine.memory.mode import FP8_CAPABILITY, mode_for
from engine.memory.ours import Case
from engine.memory.records import Measured, pace_of, recent
from engine.memory.speed import Pace
from engine.probe import Machine
from engine.sources import measure_portrait
from engine.spec import EMBEDDED, Precision, Pristine, RunSpec
from lora_repository.i18n import N_

SIZES: Final = ("704*384", "640*352", "576*320", "512*288", "448*256", "384*224", "320*192", "256*144", "192*128")
"""Areas to try, largest first; height and width follow the portrait."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change: `said` is English and translated by whoever shows it, `flag` what is typed for it.

    `gives` is what the device that lacks most would need less, in bytes; `pace` how fast the run would then be, None
    where that is not known; `fits` whether this change alone is enough.
    """

    key: str
    said: str
    flag: str
    spec: RunSpec
    gives: int
    pace: Pace | None
    fits: bool


@dataclass(frozen=True, slots=True)
class Solution:
    """The verdict on a run as asked for, its pace, and the ways out where there must be one.

    `smallest` is the combination of fewest changes that fits, cheapest first; None where none does, empty where the run
    fits as it is. `spec` is the run with it.
    """

    verdict: Verdict
    pace: Pace | None
    changes: tuple[Change, ...] = ()
    smallest: tuple[Change, ...] | None = ()
    spec: RunSpec | None = None

    @property
    def cheapest(self) -> Change | None:
        """The first single change that is enough."""
        return next((change for change in self.changes if change.fits), None)


@dataclass(frozen=True, slots=True)
class _Step:
    """A kind of change: `apply` gives the changed spec, or None where there is nothing to change."""

    key: str
    said: str
    apply: Callable[[RunSpec], RunSpec | None]


def _set(**values: object) -> Callable[[RunSpec], RunSpec | None]:
    def apply(spec: RunSpec) -> RunSpec | None:
        changed = msgspec.structs.replace(spec, **values)
        return None if changed == spec else changed

    return apply


def _pristine_lower(spec: RunSpec) -> RunSpec | None:
    lower = {Pristine.CARD: Pristine.HOST, Pristine.HOST: Pristine.NONE}.get(spec.pristine)
    return None if lower is None else msgspec.structs.replace(spec, pristine=lower)


def _skip_last(spec: RunSpec) -> RunSpec | None:
    return _set(skip_last_step=True)(spec) if spec.sample_steps > 1 else None


OFFLOAD: Final = _Step("offload", N_("let the text encoder go once the prompt is read"), _set(offload_model=True))
PRISTINE: Final = _Step("pristine", N_("keep the untouched base model elsewhere than on the card"), _pristine_lower)
FP8: Final = _Step("fp8", N_("store the large matrices in fp8"), _set(precision=Precision.FP8))
SKIP: Final = _Step("passes", N_("leave the last denoising pass out"), _skip_last)
FP8_CACHE: Final = _Step("fp8-cache", N_("store keys and values in fp8"), _set(cache_precision=Precision.FP8))
FLAGS: Final = {
    "offload": "--offload-model True",
    "pristine": "--pristine {pristine}",
    "fp8": "--precision fp8",
    "passes": "--skip-last-step",
    "fp8-cache": "--cache-precision fp8",
    "size": '--size "{size}"',
}
SIZE: Final = "size"
_SMALLER: Final = N_("a smaller picture")


class _Bench:
    """Judges specs of one run on one machine, the headers read once."""

    def __init__(self, spec: RunSpec, machine: Machine, runs: Sequence[Measured]) -> None:
        self.spec = spec
        self.machine = machine
        self.layout = find_layout(spec.ckpt_dir)
        self.base = case_for(spec, machine)
        self.constants = constants_for(machine, self.base.mode.device)
        self.key = key_of(machine, self.base.mode.device)
        self.portrait = measure_portrait(Path(spec.image))
        self.runs = list(runs)
        self.steps = tuple(_steps(self.base, machine))

    def case(self, spec: RunSpec) -> Case:
        """As `case_for`, without opening the base model again."""
        mode = mode_for(spec, self.layout, self.base.mode.device if self.base.mode.on_card else None)
        height, width = self.base.height, self.base.width
        if spec.size != self.spec.size:
            height, width = size_for(self.portrait.height, self.portrait.width, spec.area())
        return replace(self.base, height=height, width=width, passes=spec.passes, mode=mode)

    def verdict(self, spec: RunSpec) -> Verdict:
        """The verdict on a changed run."""
        return judge(self.case(spec), self.machine, self.constants)

    def pace(self, spec: RunSpec) -> Pace | None:
        """How fast a changed run would be."""
        case = self.case(spec)
        card = card_of(case.mode.device, self.machine)
        return pace_of(case, "" if card is None else card.name, self.runs, self.key)


def solve(spec: RunSpec, machine: Machine, runs: Sequence[Measured] | None = None) -> Solution:
    """The verdict on `spec` and, where it does not fit, what would. Raises `Problem` for files that cannot be read."""
    bench = _Bench(spec, machine, recent() if runs is None else runs)
    verdict, pace = bench.verdict(spec), bench.pace(spec)
    if verdict.ok:
        return Solution(verdict, pace, spec=spec)
    changes = tuple(change for change in _singles(bench, verdict) if change.gives > 0)
    smallest = _smallest(bench)
    if smallest is None:
        return Solution(verdict, pace, changes, None)
    names = [step.key for step in smallest.steps] + ([SIZE] if smallest.spec.size != spec.size else [])
    chosen = tuple(_single(bench, verdict, name, smallest.spec) for name in names)
    return Solution(verdict, pace, changes, chosen, smallest.spec)


def _steps(base: Case, machine: Machine) -> Iterator[_Step]:
    """The changes that this run and this card can take, what is least regretted first."""
    if not base.mode.on_card:
        yield OFFLOAD
        return
    card = card_of(base.mode.device, machine)
    yield from (OFFLOAD, PRISTINE)
    if card is not None and card.capability >= FP8_CAPABILITY:
        yield FP8
    yield from (SKIP, FP8_CACHE)


def _singles(bench: _Bench, verdict: Verdict) -> Iterator[Change]:
    for step in bench.steps:
        changed = step.apply(bench.spec)
        if changed is not None:
            yield _single(bench, verdict, step.key, changed)
    smaller = _largest_that_fits(bench, bench.spec) or _next_smaller(bench)
    if smaller is not None:
        yield _single(bench, verdict, SIZE, smaller)


def _single(bench: _Bench, verdict: Verdict, key: str, target: RunSpec) -> Change:
    """The change `key` towards `target`, alone."""
    step = next((step for step in bench.steps if step.key == key), None)
    alone = bench.spec if step is None else (step.apply(bench.spec) or bench.spec)
    if key == SIZE:
        alone = msgspec.structs.replace(bench.spec, size=target.size)
    after = bench.verdict(alone)
    worst = max(verdict.devices, key=lambda one: one.short)
    gives = next((worst.need - one.need for one in after.devices if one.device == worst.device), 0)
    flag = FLAGS[key].format(pristine=alone.pristine, size=alone.size)
    said = _SMALLER if step is None else step.said
    return Change(key, said, flag, alone, gives, bench.pace(alone), after.ok)


@dataclass(frozen=True, slots=True)
class _Way:
    steps: tuple[_Step, ...]
    spec: RunSpec


def _smallest(bench: _Bench) -> _Way | None:
    """Fewest changes first; of as many, the ones regretted least; a smaller picture goes in last."""
    for count in range(1, len(bench.steps) + 2):
        for steps in combinations(bench.steps, count):
            spec = _applied(bench.spec, steps)
            if spec is not None and bench.verdict(spec).ok:
                return _Way(steps, spec)
        for steps in combinations(bench.steps, count - 1):
            spec = _applied(bench.spec, steps)
            smaller = None if spec is None else _largest_that_fits(bench, spec)
            if smaller is not None:
                return _Way(steps, smaller)
    return None


def _applied(spec: RunSpec, steps: Sequence[_Step]) -> RunSpec | None:
    for step in steps:
        changed = step.apply(spec)
        if changed is None:
            return None
        spec = changed
    return spec


def _smaller_sizes(spec: RunSpec) -> list[RunSpec]:
    """The same run at smaller areas, largest first; the embedded model has one size."""
    if spec.ckpt_dir == EMBEDDED:
        return []
    smaller = (msgspec.structs.replace(spec, size=size) for size in SIZES)
    return [one for one in smaller if one.area() < spec.area()]


def _largest_that_fits(bench: _Bench, spec: RunSpec) -> RunSpec | None:
    return next((smaller for smaller in _smaller_sizes(spec) if bench.verdict(smaller).ok), None)


def _next_smaller(bench: _Bench) -> RunSpec | None:
    """The largest area that makes this portrait's video smaller at all."""
    now = bench.base.height * bench.base.width
    cases = ((one, bench.case(one)) for one in _smaller_sizes(bench.spec))
    return next((one for one, case in cases if case.height * case.width < now), None)
