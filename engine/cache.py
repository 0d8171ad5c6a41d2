"""Keys and values that outlive a forward pass: the ring of each denoising step, and the condition, shared by all steps.

Storage is made once and written in place, so that recorded work stays valid; attention joins the two (`attend_parts`).
Knows no schedule and no model. One number: at 704x384 the 14B model's ring of one step is 9.7 GiB in bfloat16 and 5.0
in eight bits, its condition 2.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from torch import Tensor

from engine.fp8 import CODE, Rows, to_rows
from engine.model.attention import KeyValue

RING_BLOCKS: Final = 4
"""Blocks that a query sees: its own and the three before (SPEC section 5)."""


@dataclass(frozen=True)
class Shape:
    """Of a model's keys: layers, batch, heads, width of a head."""

    layers: int
    batch: int
    heads: int
    width: int

    def places(self, tokens: int) -> tuple[int, ...]:
        """[L, B, tokens, NH, HD]."""
        return self.layers, self.batch, tokens, self.heads, self.width


def padded(tokens: int, multiple: int) -> int:
    """`tokens` rounded up."""
    return -(-tokens // multiple) * multiple


class Exact:
    """Mutable: places of one layer, [B, T, NH, HD] each, in the model's own type."""

    def __init__(self, key: Tensor, value: Tensor) -> None:
        self.key = key
        self.value = value

    def put(self, places: Tensor, key: Tensor, value: Tensor) -> None:
        """Keys and values [B, S, NH, HD] into places [S]."""
        self.key.index_copy_(1, places, key)
        self.value.index_copy_(1, places, value)

    def read(self) -> KeyValue:
        """All places; no copy."""
        return KeyValue(self.key, self.value)


class Narrow:
    """Mutable: as `Exact`, in eight bits with a scale for each token and head."""

    def __init__(self, key: Rows, value: Rows, dtype: torch.dtype) -> None:
        self.key_codes, self.key_scale = key
        self.value_codes, self.value_scale = value
        self.dtype = dtype

    def put(self, places: Tensor, key: Tensor, value: Tensor) -> None:
        """See `Exact.put`; rounds."""
        for codes, scale, x in (
            (self.key_codes, self.key_scale, key),
            (self.value_codes, self.value_scale, value),
        ):
            rows = to_rows(x)
            codes.index_copy_(1, places, rows.codes.view(torch.uint8))
            scale.index_copy_(1, places, rows.scale)

    def read(self) -> KeyValue:
        """All places, in the model's type: a copy."""
        key = Rows(self.key_codes.view(CODE), self.key_scale).wide(self.dtype)
        return KeyValue(key, Rows(self.value_codes.view(CODE), self.value_scale).wide(self.dtype))


class Ring:
    """Mutable: what one denoising step remembers of the video, for every layer; zeros where nothing was written."""

    def __init__(self, shape: Shape, tokens: int, like: Tensor, *, narrow: bool) -> None:
        """Room for `tokens` in the type and place of `like`, or in eight bits where `narrow`."""
        size = shape.places(tokens)
        if narrow:
            codes = [like.new_zeros(size, dtype=torch.uint8) for _ in range(2)]
            scales = [like.new_zeros((*size[:-1], 1), dtype=torch.float32) for _ in range(2)]
            self._storage = [*codes, *scales]
            parts = zip(*(tensor.unbind(0) for tensor in self._storage), strict=True)
            self.layers: Sequence[Exact | Narrow] = [
                Narrow(Rows(key, key_scale), Rows(value, value_scale), like.dtype)
                for key, value, key_scale, value_scale in parts
            ]
        else:
            self._storage = [like.new_zeros(size) for _ in range(2)]
            self.layers = [Exact(*part) for part in zip(*(tensor.unbind(0) for tensor in self._storage), strict=True)]

    def clear(self) -> None:
        """As if nothing had ever been written."""
        for tensor in self._storage:
            tensor.zero_()


class Slot(NamedTuple):
    """Where a prefill puts what it made of one layer."""

    reference: Tensor
    """Keys of the reference as no position has turned them [B, n, NH, HD]."""
    key: Tensor
    """Keys of all condition tokens, turned [B, C, NH, HD]."""
    value: Tensor


class ConditionCache:
    """Mutable: keys and values of the condition tokens of every layer; the reference's keys un-roped beside them.

    The reference moves with every forward pass, the motion stands: only the reference's keys are ever turned again.
    """

    def __init__(self, shape: Shape, tokens: int, reference_tokens: int, like: Tensor, multiple: int) -> None:
        self.empty = padded(tokens, multiple) - tokens
        key, value = (like.new_zeros(shape.places(tokens + self.empty)) for _ in range(2))
        self.reference = like.new_empty(shape.places(reference_tokens))
        """The reference's keys as no position has turned them, [L, B, n, NH, HD]."""
        self.reference_keys = key[:, :, :reference_tokens]
        """Where its turned keys are attended to."""
        self.layers = [KeyValue(*part) for part in zip(key.unbind(0), value.unbind(0), strict=True)]
        parts = zip(self.reference.unbind(0), self.layers, strict=True)
        self.slots = [Slot(reference, at.key[:, :tokens], at.value[:, :tokens]) for reference, at in parts]
