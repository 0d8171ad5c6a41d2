"""Anti-aliased shapes: signed distances and how much of a pixel they cover.

Plain differentiable arithmetic on [B, H, W] fields (negative inside), no branches on values. Knows no face.
"""

from __future__ import annotations

import torch
from torch import Tensor

EDGE = 1.5
"""Width of a soft edge, in pixels."""
_TINY = 1e-6


def cover(distance: Tensor, pixel: Tensor | float) -> Tensor:
    """Coverage 0..1 of the inside of `distance`; `pixel` is a pixel's size in the same unit."""
    return (0.5 - distance / (EDGE * pixel)).clamp(0, 1)


def band(value: Tensor, low: Tensor, high: Tensor, pixel: Tensor | float) -> Tensor:
    """Coverage of low < value < high. Both edges count, so a band of no thickness covers nothing."""
    return (cover(low - value, pixel) + cover(value - high, pixel) - 1).clamp(0, 1)


def ellipse(x: Tensor, y: Tensor, a: Tensor | float, b: Tensor | float) -> Tensor:
    """Near-exact distance to an axis-aligned ellipse of half axes a, b (first-order corrected by the gradient)."""
    u, v = x / a, y / b
    k = torch.sqrt(u * u + v * v + _TINY)
    slope = torch.sqrt((u / a) ** 2 + (v / b) ** 2 + _TINY)
    return k * (k - 1) / slope


def box(x: Tensor, y: Tensor, a: Tensor | float, b: Tensor | float, corner: Tensor | float) -> Tensor:
    """Distance to a rectangle of half sides a, b with round corners."""
    dx, dy = x.abs() - a + corner, y.abs() - b + corner
    outside = torch.sqrt(dx.clamp(min=0) ** 2 + dy.clamp(min=0) ** 2 + _TINY * _TINY)
    return outside + torch.maximum(dx, dy).clamp(max=0) - corner


def union(*distances: Tensor) -> Tensor:
    """Inside any."""
    result = distances[0]
    for distance in distances[1:]:
        result = torch.minimum(result, distance)
    return result


def intersection(*distances: Tensor) -> Tensor:
    """Inside all."""
    result = distances[0]
    for distance in distances[1:]:
        result = torch.maximum(result, distance)
    return result


def glow(x: Tensor, y: Tensor, a: Tensor | float, b: Tensor | float) -> Tensor:
    """A soft spot: 1 in the middle, 0 from the ellipse outwards, smooth everywhere."""
    return (1 - (x / a) ** 2 - (y / b) ** 2).clamp(0, 1) ** 2


def over(image: Tensor, alpha: Tensor, colour: Tensor) -> Tensor:
    """Lay `colour` [B, 3] (or a field [B, 3, H, W]) on `image` [B, 3, H, W] with coverage `alpha` [B, H, W]."""
    paint = colour[:, :, None, None] if colour.dim() == 2 else colour
    return torch.lerp(image, paint.expand_as(image), alpha[:, None].expand_as(image))
