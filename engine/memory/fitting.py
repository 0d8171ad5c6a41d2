"""From readings to constants: what of a plan is work grows by one factor, and what nothing explains is added.

Pure arithmetic; knows no card and measures nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from engine.memory.calibration import Fitted
from engine.memory.constants import PRIOR, Constants
from engine.memory.ours import Case, plan_case
from engine.memory.plan import HOST, Stage

_LEAST_FACTOR: Final = 0.05
"""Below this the readings contradict the plan: work takes memory."""


@dataclass(frozen=True, slots=True)
class Point:
    """One measured run: peak of what torch reserved, and of what the driver counted beyond that, in bytes."""

    case: Case
    reserved: int
    beyond: int = 0


@dataclass(frozen=True, slots=True)
class Compared:
    """One point, predicted and measured, in bytes."""

    case: Case
    predicted: int
    measured: int

    @property
    def error(self) -> float:
        """Share by which it was predicted too high (above 0) or too low."""
        return self.predicted / self.measured - 1


def fit_card(points: Sequence[Point]) -> Fitted:
    """Factor of all work, bytes beyond it, and the driver's own share: least squares over the points."""
    device = points[0].case.mode.device
    works, rests = [], []
    for point in points:
        idle = plan_case(point.case, replace(PRIOR, scale=0.0)).torch_size(device, Stage.DECODING)
        works.append(plan_case(point.case, PRIOR).torch_size(device, Stage.DECODING) - idle)
        rests.append(point.reserved - idle)
    scale, extra = _line(works, rests)
    beyond = [point.beyond for point in points if point.beyond]
    context = round(median(beyond)) - PRIOR.libraries if beyond else None
    fitted = Fitted(scale=scale, extra=round(extra), context=context, when=time.time())
    return _with_error(fitted, points)


def fit_host(points: Sequence[Point]) -> Fitted:
    """What the process itself takes: the median of what is left of the readings."""
    left = [point.reserved - plan_case(point.case, replace(PRIOR, host_process=0)).peak(HOST).size for point in points]
    return _with_error(Fitted(host_process=max(0, round(median(left))), when=time.time()), points)


def compare(points: Sequence[Point], constants: Constants) -> list[Compared]:
    """Every point under these constants."""
    return [Compared(one.case, _predicted(one, constants), one.reserved) for one in points]


def _predicted(point: Point, constants: Constants) -> int:
    return plan_case(point.case, constants).torch_peak(point.case.mode.device)


def _with_error(fitted: Fitted, points: Sequence[Point]) -> Fitted:
    import msgspec

    errors = [abs(one.error) for one in compare(points, fitted.constants())]
    return msgspec.structs.replace(fitted, error=max(errors, default=0.0))


def _line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Slope and offset of least squares, both at least 0: bytes that are not there cannot be given back."""
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0
    offset = mean_y - slope * mean_x
    if spread and slope >= _LEAST_FACTOR and offset >= 0:
        return slope, offset
    through_zero = sum(x * y for x, y in zip(xs, ys, strict=True)) / sum(x * x for x in xs)
    return max(_LEAST_FACTOR, through_zero), 0.0
