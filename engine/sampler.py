"""The sampler: how noise levels fall, and one Euler step (SPEC section 2). Knows no model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import torch
from torch import Tensor

TRAIN_STEPS: Final = 1000
SHIFT: Final = 3.0


def shifted(sigma: float, shift: float = SHIFT) -> float:
    """A noise level moved towards the noisy end: shift s / (1 + (shift - 1) s)."""
    return shift * sigma / (1 + (shift - 1) * sigma)


@cache
def sigmas(steps: int) -> tuple[float, ...]:
    """`steps` + 1 noise levels from 1 to 0. The low end is shifted twice, as upstream's scheduler does."""
    lowest = shifted(1 / TRAIN_STEPS)
    span = [1 + (lowest - 1) * i / max(steps - 1, 1) for i in range(steps)]
    return (*(shifted(s) for s in span), 0.0)


def schedule(steps: int, passes: int | None = None) -> tuple[float, ...]:
    """The noise levels of a run of `passes` forward passes, those of `steps` steps from the start, then 0.

    The last of four steps begins at 0.0089: left out, it changes the latents by 0.0089 of the difference of the last
    two velocities, and saves a quarter of the work and a ring.
    """
    return (*sigmas(steps)[: steps if passes is None else passes], 0.0)


def timesteps(levels: Sequence[float]) -> Tensor:
    """What the model is told of each pass: 1000 sigma, in float32 (one ulp is 4e-5 of velocity)."""
    return torch.tensor(levels[:-1], dtype=torch.float32) * TRAIN_STEPS


def euler(x: Tensor, velocity: Tensor, levels: Sequence[float], step: int) -> Tensor:
    """Latents after pass `step`, counted from 0."""
    return x + velocity * (levels[step + 1] - levels[step])
