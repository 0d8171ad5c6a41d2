"""Attention in two halves, so that whoever calls decides what is attended to; and the one call that attends.

Knows no position, no mask and no cache: those belong to the caller (the `self_attention` seam of `Block`).
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


class KeyValue(NamedTuple):
    """Keys and values [B, S, NH, HD]."""

    key: Tensor
    value: Tensor


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax attention over [B, S, NH, HD], scaled by 1/sqrt(HD); `mask` broadcasts to [B, NH, Sq, Sk]."""
    out = functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=mask
    )
    return out.transpose(1, 2)


class RmsNorm(nn.Module):
    """x / rms(x) over the last axis, in float32, rounded to x's dtype before the weight (SPEC section 3)."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.to(torch.float32)
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return (wide * scale).to(x.dtype) * self.weight


class Attention(nn.Module):
    """Projections of one attention, upstream's names; RMS norm over the full width before heads are split."""

    def __init__(self, dim: int, heads: int, eps: float) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)
        self.o = nn.Linear(dim, dim)
        self.norm_q = RmsNorm(dim, eps)
        self.norm_k = RmsNorm(dim, eps)

    def query(self, x: Tensor) -> Tensor:
        """[B, S, D] -> [B, S, NH, HD]."""
        return self._split(self.norm_q(self.q(x)))

    def key_value(self, x: Tensor) -> KeyValue:
        """[B, S, D] -> keys (after the norm, un-roped) and values."""
        return KeyValue(self._split(self.norm_k(self.k(x))), self._split(self.v(x)))

    def output(self, attended: Tensor) -> Tensor:
        """[B, S, NH, HD] -> [B, S, D]."""
        return cast("Tensor", self.o(attended.flatten(2)))

    def cross(self, x: Tensor, context: KeyValue) -> Tensor:
        """Attend from x [B, S, D] to keys and values that were computed beforehand."""
        return self.output(attend(self.query(x), context.key, context.value))

    def _split(self, x: Tensor) -> Tensor:
        return torch.unflatten(x, -1, (self.heads, -1))
