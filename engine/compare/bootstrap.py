"""Intervals without assumptions: means of what was drawn again from the same values, always with the same draws.

Knows no measure. The 95 % interval is that of the percentiles of 2,000 means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

DRAWS: Final = 2_000
_TAILS: Final = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the 95 % interval of it."""

    mean: float
    low: float
    high: float

    def above(self, other: Interval) -> bool:
        """Whether it lies above the other without touching it."""
        return self.low > other.high


def interval(values: Sequence[float]) -> Interval:
    """Of the mean of some values; raises ValueError for none."""
    if not values:
        raise ValueError("no value")
    found = np.asarray(values, np.float64)
    drawn = np.random.default_rng(0).integers(len(found), size=(DRAWS, len(found)))
    low, high = np.percentile(found[drawn].mean(axis=1), _TAILS)
    return Interval(float(found.mean()), float(low), float(high))


def difference(first: Sequence[float], second: Sequence[float]) -> Interval:
    """Of the mean of first - second, pair by pair; raises ValueError for lists of different lengths."""
    return interval([a - b for a, b in zip(first, second, strict=True)])
