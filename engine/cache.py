"""Keys and values that outlive a forward pass: the sink of the condition tokens, and the ring of one denoising step.

Knows no schedule and no model; `KvRing` is mutable, and is the only mutable thing of a rollout. At 704x384 the 14B
model's ring of one step is 12.5 GB in bf16: it is allocated once and written in place.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from engine.model.attention import KeyValue

RING_BLOCKS: Final = 4
"""Blocks that a query sees: its own and the three before (SPEC section 5)."""

Sink = tuple[KeyValue, ...]
"""Condition tokens of every layer, each [B, C, NH, HD]: keys normalised and un-roped, and values."""


class KvRing:
    """Mutable: what one denoising step remembers, [condition | ring] in one buffer of [L, B, C + 4 S, NH, HD].

    A block's place is its index modulo four; it is overwritten, never moved. Attention does not mind the order.
    """

    def __init__(self, sink: Sink, block_tokens: int) -> None:
        like = sink[0].key
        batch, self._condition, heads, width = like.shape
        self._block = block_tokens
        shape = (len(sink), batch, self._condition + RING_BLOCKS * block_tokens, heads, width)
        self._key = torch.empty(shape, dtype=like.dtype, device=like.device)
        self._value = torch.empty_like(self._key)

    def place_keys(self, layer: int, keys: Tensor, start: int = 0) -> None:
        """Put roped condition keys [B, c, NH, HD] at token `start`."""
        self._key[layer, :, start : start + keys.shape[1]] = keys

    def place_values(self, layer: int, values: Tensor) -> None:
        """Put the condition values [B, C, NH, HD]."""
        self._value[layer, :, : self._condition] = values

    def write(self, layer: int, block: int, key: Tensor, value: Tensor) -> None:
        """Keep a block's roped keys and its values [B, S, NH, HD], in place of the block four before."""
        start = self._condition + (block % RING_BLOCKS) * self._block
        self._key[layer, :, start : start + self._block] = key
        self._value[layer, :, start : start + self._block] = value

    def read(self, layer: int, block: int) -> KeyValue:
        """All that block `block` attends to, after it was written; views, no copy."""
        end = self._condition + min(block + 1, RING_BLOCKS) * self._block
        return KeyValue(self._key[layer, :, :end], self._value[layer, :, :end])
