"""What a stream of the video autoencoder remembers, and the steps between its convolutions.

Every activation is `[B, T, H, W, C]`, contiguous. Knows no convolution and no weight but a gain and a bias.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_NORM_EPS = 1e-12


def normed(x: Tensor, gamma: Tensor) -> Tensor:
    """`[..., C]` divided by its root mean square over channels, times a gain; the division in float32."""
    scale = torch.rsqrt(x.float().square().mean(-1, keepdim=True) + _NORM_EPS)
    return x * scale.to(x.dtype) * gamma.flatten().to(x.dtype)


def activated(x: Tensor, gamma: Tensor) -> Tensor:
    """`normed`, then SiLU."""
    return F.silu(normed(x, gamma))


def activated_after(past: Tensor, x: Tensor, gamma: Tensor, bias: Tensor | None) -> Tensor:
    """Past frames `[B, n, H, W, C]`, activated already, and the activated frames `[B, T, H, W, C]` behind them."""
    active = activated(x if bias is None else x + bias, gamma)
    return torch.cat([past, F.pad(active, (0, past.shape[-1] - active.shape[-1]))], dim=1)


def summed(y: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """y + bias + x."""
    return y + bias + x


def doubled(x: Tensor) -> Tensor:
    """Every pixel four times: `[B, T, H, W, C]` -> `[B, T, 2H, 2W, C]`."""
    b, t, h, w, c = x.shape
    return x.view(b, t, h, 1, w, 1, c).expand(b, t, h, 2, w, 2, c).reshape(b, t, 2 * h, 2 * w, c)


class Pieces(NamedTuple):
    """What stands between two convolutions, each one pass over memory once compiled; they add the biases, too.

    On a card a convolution adds its bias in a pass of its own: 10 of 93 ms a block of the 14B model.
    """

    join: Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
    add: Callable[[Tensor, Tensor, Tensor], Tensor]
    double: Callable[[Tensor], Tensor]


@dataclass
class VaeState:
    """What a stream remembers between two calls. Mutable: `decode` updates it in place and returns the same object.

    `past` maps the number of a causal module to the last input frames it needs, `[B, n, H, W, C]` (SPEC section 7), in
    storage that stays; `started` is False until the very first frame, which is not doubled in time, has passed.
    """

    past: dict[int, Tensor] = field(default_factory=dict)
    started: bool = False
    pieces: Pieces | None = None
    """Compiled steps between the convolutions, for a stream that has started; None: plain ones."""

    def remember(self, slot: int, frames: Tensor) -> None:
        """Keep a copy of the frames `[B, n, H, W, C]`; a view would keep the whole chunk alive."""
        if slot in self.past:
            self.past[slot].copy_(frames)
        else:
            self.past[slot] = frames.clone()

    def nbytes(self) -> int:
        """Bytes held by the remembered frames."""
        return sum(tensor.nbytes for tensor in self.past.values())


def join_past(
    x: Tensor, frames: int, slot: int, state: VaeState | None, gamma: Tensor | None = None, width: int = 0
) -> Tensor:
    """`frames` past frames (zeros where there are none) in front of `x`; a state remembers the last ones.

    With a `gamma`, x is activated first, and channels of zeros are added up to `width`; so is what is remembered.
    """
    x = x if gamma is None else activated(x, gamma)
    x = F.pad(x, (0, width - x.shape[-1])) if width > x.shape[-1] else x
    past = None if state is None else state.past.get(slot)
    joined = F.pad(x, (0, 0, 0, 0, 0, 0, frames, 0)) if past is None else torch.cat([past, x], dim=1)
    if state is not None:
        state.remember(slot, joined[:, -frames:])
    return joined
