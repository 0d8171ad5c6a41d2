"""Do the lips move as they should? Correlations of a measured opening with the true one. Knows no pixels."""

from __future__ import annotations

import torch
from torch import Tensor


def correlation(measured: Tensor, true: Tensor) -> float:
    """Pearson's r of two tracks [T], over the frames that both have; 0 where either never moves."""
    frames = min(len(measured), len(true))
    a, b = measured[:frames].double(), true[:frames].double()
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-9))


def best_lag(measured: Tensor, true: Tensor, reach: int = 5) -> tuple[int, float]:
    """Frames by which `measured` comes late (negative: early), and the correlation there."""
    frames = min(len(measured), len(true)) - 2 * reach
    middle = true[reach : reach + frames]
    tried = {lag: correlation(measured[reach + lag : reach + lag + frames], middle) for lag in range(-reach, reach + 1)}
    lag = max(tried, key=lambda key: tried[key])
    return lag, tried[lag]


def amplitude(measured: Tensor, true: Tensor) -> float:
    """Standard deviation of the measured track over that of the true one: below 1 the mouth mumbles."""
    return float(measured.double().std() / true.double().std().clamp(min=1e-9))


def mean(values: list[float]) -> float:
    """Of a list; nan where it is empty."""
    return float(torch.tensor(values).mean()) if values else float("nan")
