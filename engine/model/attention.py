"""Attention in two halves, so that whoever calls decides what is attended to; and the calls that attend.

Knows no position, no mask and no cache: those belong to the caller (the `self_attention` seam of `Block`). One number:
on an H200 cuDNN attends 3168 queries to 15360 keys at 667 TFLOP/s, to 15312, no multiple of 128, at 610.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from engine.fp8 import Rows


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


def attend_parts(query: Tensor, parts: Sequence[KeyValue], empty: Tensor) -> Tensor:
    """Attention over the keys of several places in memory at once, as if they lay in one; inference only.

    `empty` (a number, on the device) of all keys are zeros that stand for none, with zero values. A zero key has the
    score 0, so each adds exactly 1 to the softmax's sum: that is taken out again, and shapes stay the same however many
    places are filled.
    """
    results = [_attend_with_sum(query, *part) for part in parts]
    sums = torch.stack([total for _, total in results])  # [parts, B, NH, S], logarithms
    top = sums.amax(0)
    shares = torch.exp(sums - top)
    shares = shares / (shares.sum(0) - empty * torch.exp(-top))
    weights = shares.transpose(2, 3).unsqueeze(-1)  # [parts, B, S, NH, 1]
    out = sum(attended * weight for (attended, _), weight in zip(results, weights, strict=True))
    return cast("Tensor", out).to(query.dtype)


def _attend_with_sum(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """What is attended to [B, S, NH, HD], and the logarithm of the softmax's sum [B, NH, S] in float32."""
    q, k, v = (part.transpose(1, 2) for part in (query, key, value))
    if not query.is_cuda:
        out, total = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v)
    elif query.dtype == torch.float32:
        out, total = torch.ops.aten._scaled_dot_product_efficient_attention(q, k, v, None, True)[:2]
        total = total[..., : q.shape[2]]
    else:
        out, total = torch.ops.aten._scaled_dot_product_cudnn_attention(q, k, v, None, True)[:2]
        total = total.view(q.shape[:3])
    return out.transpose(1, 2), total


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

    def query(self, x: Tensor | Rows) -> Tensor:
        """[B, S, D] -> [B, S, NH, HD]."""
        return self._split(self.norm_q(self.q(x)))

    def key_value(self, x: Tensor | Rows) -> KeyValue:
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
