"""Rotary positions in three axes (frame, row, column), for any position however large (SPEC section 4).

Knows no cache and no schedule: positions come as integers, tables go out as float32. Angles are computed in float64, so
a table of frame 10,000,000 is as exact as one of frame 0; nothing is looked up, so positions never run out.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

Device = torch.device | None

THETA: Final = 10000.0
REFERENCE_FRAME: Final = 30
"""Where the reference stands at the start of a video."""
MOTION_FRAMES: Final = ((-1, 1), (-3, 2), (-19, 4), (-14, 4), (-9, 4), (-4, 4))
"""(frame, how much coarser than the noisy grid) of each group of motion tokens, in token order."""


def axis_pairs(head_dim: int) -> tuple[int, int, int]:
    """Complex pairs of a head that turn with frame, row and column."""
    pairs = head_dim // 2
    side = pairs // 3
    return pairs - 2 * side, side, side


def rope_table(positions: Tensor, head_dim: int, *, rounded: bool = False) -> Tensor:
    """Cosines and sines of integer `positions` [..., 3] -> [..., head_dim/2, 2] in float32.

    `rounded` reproduces upstream's table, whose entries went through float16 (largest error 2.4e-4).
    """
    angles = []
    for axis, pairs in enumerate(axis_pairs(head_dim)):
        exponent = torch.arange(pairs, dtype=torch.float64, device=positions.device) / max(pairs, 1)
        angles.append(positions[..., axis, None].to(torch.float64) * THETA**-exponent)
    angle = torch.cat(angles, dim=-1)
    table = torch.stack((angle.cos(), angle.sin()), dim=-1)
    return table.to(torch.float16).to(torch.float32) if rounded else table.to(torch.float32)


def apply_rope(x: Tensor, table: Tensor) -> Tensor:
    """Turn x [..., S, NH, HD] by table [S, HD/2, 2] or [..., S, HD/2, 2], in float32; x's dtype out."""
    if torch.compiler.is_compiling():  # complex numbers are not fused with what stands around them
        return _turn(x, table)
    pairs = torch.view_as_complex(torch.unflatten(x.to(torch.float32), -1, (-1, 2)))
    turned = pairs * torch.view_as_complex(table).unsqueeze(-2)
    return torch.view_as_real(turned).flatten(-2).to(x.dtype)


def turn_into(out: Tensor, x: Tensor, table: Tensor) -> None:
    """Write `apply_rope(x, table)` over `out`."""
    out.copy_(apply_rope(x, table))


def _turn(x: Tensor, table: Tensor) -> Tensor:
    """`apply_rope` number by number, so that nothing between a norm and the cache is written to memory."""
    pairs = torch.unflatten(x.to(torch.float32), -1, (-1, 2))
    cos, sin = table.unsqueeze(-3).split(1, dim=-1)
    sign = 2 * torch.arange(2, device=x.device) - 1
    turned: Tensor = (pairs * cos + pairs.flip(-1) * (sin * sign)).flatten(-2).to(x.dtype)
    return turned


def noisy_positions(first_frame: int, rows: int, columns: int, frames: int = 3, device: Device = None) -> Tensor:
    """Positions [frames * rows * columns, 3] of latent frames `first_frame`, ..., tokens in order (f, y, x).

    Made on `device` from plain numbers: a copy from the host would make it wait for all that is queued.
    """
    spans = ((first_frame, first_frame + frames), (0, rows), (0, columns))
    return torch.cartesian_prod(*(torch.arange(start, stop, device=device) for start, stop in spans))


def reference_positions(frame: int, rows: int, columns: int, device: Device = None) -> Tensor:
    """Positions [rows * columns, 3] of the reference tokens when the reference stands at `frame`."""
    return noisy_positions(frame, rows, columns, frames=1, device=device)


def motion_positions(rows: int, columns: int) -> Tensor:
    """Positions [S, 3] of the motion tokens: negative frames, coarse groups spread over the whole grid."""
    groups = []
    for frame, coarse in MOTION_FRAMES:
        axes = (torch.tensor([frame]), _spread(rows, coarse), _spread(columns, coarse))
        groups.append(torch.cartesian_prod(*axes))
    return torch.cat(groups)


def condition_positions(reference_frame: int, rows: int, columns: int) -> Tensor:
    """Positions [S, 3] of all condition tokens, reference first."""
    return torch.cat((reference_positions(reference_frame, rows, columns), motion_positions(rows, columns)))


def reference_frame(first_frame: int, distance: int) -> int:
    """Where the reference stands for the block at `first_frame`: fixed at first, then `distance` frames ahead of it."""
    return REFERENCE_FRAME + max(0, first_frame - (REFERENCE_FRAME - distance))


def _spread(size: int, coarse: int) -> Tensor:
    count = size // coarse
    return torch.linspace(0, size - 1, count).to(torch.int64)
