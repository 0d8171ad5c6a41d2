"""What a sweep hands over: the checkpoints of a training, the best first. Knows no torch and no video."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from engine.compare.measures import BY_NAME
from engine.compare.outcome import PROTOCOL
from engine.compare.verdict import Values, Verdict, judge

DOCUMENT: Final = "sweep.json"
_MOST: Final = 3.0
_FAILED: Final = -100.0


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One checkpoint: its folder, its sum of gains, and what was found against the reference."""

    name: str
    path: str
    sum: float
    passed: bool
    word: str
    reasons: tuple[str, ...]


class Ranking(msgspec.Struct, frozen=True, kw_only=True):
    """All checkpoints, the best first, held against `reference`."""

    reference: str
    places: tuple[Place, ...]
    protocol: str = PROTOCOL


def total(verdict: Verdict) -> float:
    """The sum of gains, each in units of what matters (the measure's margin) and no more than three of them.

    A version that did not pass comes after all that did.
    """
    gains = 0.0
    for line in verdict.lines:
        measure = BY_NAME[line.name]
        if line.gain is not None and measure.decides and measure.margin > 0 and line.word != "abstained":
            gains += max(-_MOST, min(_MOST, line.gain[0] / measure.margin))
    return gains if verdict.passed else gains + _FAILED


def ranked(
    examined: Mapping[str, Values], paths: Mapping[str, Path], reference: Values, controls: Values
) -> tuple[Place, ...]:
    """Versions by name, the best first; of equals the earlier one."""
    made = []
    for name, values in examined.items():
        verdict = judge(values, reference, controls)
        place = Place(
            name=name,
            path=str(paths[name]),
            sum=round(total(verdict), 3),
            passed=verdict.passed,
            word=verdict.word,
            reasons=verdict.reasons,
        )
        made.append(place)
    return tuple(sorted(made, key=lambda place: -place.sum))


def read_ranking(folder: Path) -> Ranking:
    """Raises OSError, msgspec.DecodeError."""
    return msgspec.json.decode((folder / DOCUMENT).read_bytes(), type=Ranking)
