"""Poor pictures of a good one: small, soft, dim, grey, tinted, noisy, as portraits that people upload are.

An adapter that is to know a person has to be asked for that person by pictures that do not show it all. Knows no model.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

VARIANTS: Final = 3
"""Poor pictures of each good one."""
_LUMA: Final = (0.299, 0.587, 0.114)


def poorer(picture: Tensor, rng: torch.Generator) -> Tensor:
    """A poor version of a picture [1, 3, 1, H, W] in [-1, 1]; `rng` on the processor decides how."""
    unit = (picture[:, :, 0].float() + 1) / 2
    smaller = float(_between(rng, 1.0, 2.6))
    if smaller > 1.2:
        size = unit.shape[-2:]
        unit = F.interpolate(unit, scale_factor=1 / smaller, mode="bilinear", antialias=True)
        unit = F.interpolate(unit, size=size, mode="bilinear")
    return recoloured(
        unit,
        colour=float(_between(rng, 0.0, 1.1)),
        gain=float(_between(rng, 0.55, 1.1)),
        lift=float(_between(rng, -0.06, 0.12)),
        tint=_between(rng, 0.82, 1.18, 3),
        noise=float(_between(rng, 0.0, 0.05)) * torch.randn(unit.shape, generator=rng),
    )


def recoloured(unit: Tensor, *, colour: float, gain: float, lift: float, tint: Tensor, noise: Tensor) -> Tensor:
    """`unit` [1, 3, H, W] in 0..1 with its colour, contrast and white balance changed: [1, 3, 1, H, W] in [-1, 1]."""
    grey = (unit * unit.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    changed = (grey + colour * (unit - grey)) * gain * tint.view(1, 3, 1, 1) + lift + noise
    return (changed.clamp(0, 1) * 2 - 1)[:, :, None]


def _between(rng: torch.Generator, low: float, high: float, count: int = 1) -> Tensor:
    return torch.rand(count, generator=rng) * (high - low) + low
