"""Two adapters side by side: what their configs say, what they cover, how strong each is where, and how alike they are.

Values for the command line and the app. Numbers come from `strength`, which is imported when they are asked for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lora_repository.heat_map import HeatMap, Unit, heat_maps
from lora_repository.proof import PartProof, Proof

if TYPE_CHECKING:
    from lora_repository.base_norms import BaseNorms
    from lora_repository.part import Target
    from lora_repository.strength import Measured

What = Literal["a", "b", "distance", "cosine"]


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One key of config.json that differs: JSON of both values, "" where it is absent."""

    key: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class CoverageChange:
    """How many of the `total` linears that `target` stands for each side adapts; None where it does not name it."""

    target: str
    a: int | None
    b: int | None
    total: int


@dataclass(frozen=True, slots=True)
class ModuleDifference:
    """One linear, or all of a part (`module` is ""). Sizes are Frobenius norms of the updates `s * B @ A`.

    `a`, `b` None where a side does not adapt it; `base` is that of the weight, None where it is not known; `cosine` of
    the angle between both updates, None where one is missing or nothing; `distance` is the norm of their difference.
    """

    module: str
    a: float | None
    b: float | None
    base: float | None
    cosine: float | None
    distance: float

    @property
    def relative_a(self) -> float | None:
        """`a` as a part of the weight."""
        return self.a / self.base if self.a is not None and self.base else None

    @property
    def relative_b(self) -> float | None:
        """`b` as a part of the weight."""
        return self.b / self.base if self.b is not None and self.base else None


@dataclass(frozen=True, slots=True)
class PartDifference:
    """The video model (`dit`) or the text encoder (`t5`); pairs are (a, b), None for a side without this part."""

    target: Target
    rank: tuple[int | None, int | None]
    strength: tuple[float | None, float | None]
    coverage: tuple[CoverageChange, ...]
    modules: tuple[ModuleDifference, ...]
    total: ModuleDifference

    @property
    def relative(self) -> bool:
        """The norms of all weights are known."""
        return all(module.base for module in self.modules)

    def heat_maps(self, what: What) -> tuple[HeatMap, ...]:
        """`a`, `b` and `distance` as a part of the weights where these are known, else absolute; or the cosine."""
        unit: Unit = "cosine" if what == "cosine" else "relative" if self.relative else "absolute"
        return heat_maps({one.module: _shown_value(one, what, self.relative) for one in self.modules}, unit)


@dataclass(frozen=True, slots=True)
class Compared:
    """One side: what it is called, and its proof."""

    name: str
    proof: Proof

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.proof.path


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything about two adapters; `base` is the model that both were held against."""

    a: Compared
    b: Compared
    base: str
    config: tuple[ConfigChange, ...]
    parts: tuple[PartDifference, ...]

    @property
    def relative(self) -> bool:
        """The strengths of every part can be told as a part of the weights."""
        return all(part.relative for part in self.parts)


Progress = Callable[[int, int], None]
"""Told (bytes read, bytes to read)."""


def differ(a: Compared, b: Compared, norms: Mapping[Target, BaseNorms], progress: Progress | None = None) -> Difference:
    """Compare two adapters; a part that does not load as a whole takes no part.

    Raises Problem LORA076 for numbers that are none, and as `read_header` for files that are not what was proved.
    """
    told = _Told(progress)
    targets = tuple(dict.fromkeys(part.target for side in (a, b) for part in side.proof.parts))
    pairs: dict[Target, tuple[PartProof | None, PartProof | None]] = {
        target: (_part_of(a.proof, target), _part_of(b.proof, target)) for target in targets
    }
    told.expect(sum(_bytes_of(part) for pair in pairs.values() for part in pair if part is not None))
    parts = [_differ_in(target, one, two, norms.get(target), told) for target, (one, two) in pairs.items()]
    return Difference(a, b, a.proof.base, _config_changes(a.proof, b.proof), tuple(parts))


class _Told:
    """Adds up what is read for a progress that wants sums. Mutable."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._done = self._total = 0

    def expect(self, count: int) -> None:
        self._total += count

    def add(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, max(self._done, self._total))


def _part_of(proof: Proof, target: Target) -> PartProof | None:
    return next((part for part in proof.parts if part.target == target), None)


def _bytes_of(part: PartProof) -> int:
    try:
        return part.file.stat().st_size
    except OSError:
        return 0  # told by whoever reads it


def _differ_in(
    target: Target, a: PartProof | None, b: PartProof | None, norms: BaseNorms | None, told: _Told
) -> PartDifference:
    from lora_repository.strength import measure

    modules = list(dict.fromkeys(pair.module for part in (a, b) if part is not None for pair in part.pairs))
    base: Mapping[str, float] = {}
    if norms is not None:
        told.expect(norms.missing_bytes(modules))
        base = norms.of(modules, told.add)
    measured = list(measure(a, b, modules, told.add))
    has = [frozenset(pair.module for pair in part.pairs) if part is not None else frozenset() for part in (a, b)]
    found = [_difference(one, one.module in has[0], one.module in has[1], base.get(one.module)) for one in measured]
    whole = _total(measured, found, a is not None, b is not None)
    sides = [(part.rank, part.strength) if part is not None else (None, None) for part in (a, b)]
    return PartDifference(
        target=target,
        rank=(sides[0][0], sides[1][0]),
        strength=(sides[0][1], sides[1][1]),
        coverage=_coverage_changes(a, b),
        modules=tuple(found),
        total=whole,
    )


def _difference(one: Measured, in_a: bool, in_b: bool, base: float | None) -> ModuleDifference:
    sizes = one.a * one.b
    return ModuleDifference(
        module=one.module,
        a=one.a if in_a else None,
        b=one.b if in_b else None,
        base=base,
        cosine=max(-1.0, min(1.0, one.inner / sizes)) if sizes > 0 else None,
        distance=math.sqrt(max(0.0, one.a**2 + one.b**2 - 2 * one.inner)),
    )


def _total(measured: Sequence[Measured], found: Sequence[ModuleDifference], in_a: bool, in_b: bool) -> ModuleDifference:
    """All modules as one: norms add up by their squares, inner products as they are."""
    from lora_repository.strength import Measured as One

    a, b = (
        math.sqrt(math.fsum(size**2 for size in sizes)) for sizes in zip(*((m.a, m.b) for m in measured), strict=True)
    )
    inner = math.fsum(one.inner for one in measured)
    known = [one.base for one in found if one.base is not None]
    base = math.sqrt(math.fsum(norm**2 for norm in known)) if len(known) == len(found) else None
    return _difference(One("", a, b, inner), in_a, in_b, base)


def _config_changes(a: Proof, b: Proof) -> tuple[ConfigChange, ...]:
    one, two = (proof.config.as_dict() if proof.config is not None else {} for proof in (a, b))
    keys = dict.fromkeys([*one, *two])
    return tuple(ConfigChange(key, _json(one, key), _json(two, key)) for key in keys if one.get(key) != two.get(key))


def _json(document: Mapping[str, object], key: str) -> str:
    return json.dumps(document[key], ensure_ascii=False) if key in document else ""


def _coverage_changes(a: PartProof | None, b: PartProof | None) -> tuple[CoverageChange, ...]:
    """Of every target that a side names."""
    one, two = (part.coverage if part is not None else {} for part in (a, b))
    return tuple(
        CoverageChange(
            target,
            one[target][0] if target in one else None,
            two[target][0] if target in two else None,
            (one.get(target) or two[target])[1],
        )
        for target in dict.fromkeys([*one, *two])
    )


def _shown_value(one: ModuleDifference, what: What, relative: bool) -> float | None:
    value = {"a": one.a, "b": one.b, "distance": one.distance, "cosine": one.cosine}[what]
    return value / one.base if value is not None and relative and one.base and what != "cosine" else value
