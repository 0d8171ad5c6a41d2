"""All blocks of a clip in one forward pass, exactly as a rollout computes them one after the other.

Every denoising step has a cache of its own (SPEC section 5), so at one noise level block b attends to blocks b-3..b of
the same level and to the condition: one pass over the whole clip with that pattern *is* the rollout's arithmetic. No
second copy of the history, no re-noising. Knows no loss and no optimiser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.model.attention import KeyValue, attend
from engine.model.config import PATCH
from engine.model.dit import DiT
from engine.model.rope import (
    REFERENCE_FRAME,
    apply_rope,
    condition_positions,
    noisy_positions,
    reference_positions,
    rope_table,
)
from engine.spec import BLOCKS_PER_CLIP, LATENTS_PER_BLOCK

DISTANCES = (4, 30)
"""The reference stands this many latent frames ahead of a rolling block (SPEC section 4)."""


@dataclass(frozen=True)
class Placement:
    """Rotary tables of a batch of clips: `noisy` [B, S, HD/2, 2]; `condition` [B, blocks, Sc, HD/2, 2]."""

    noisy: Tensor
    condition: Tensor
    prefill: Tensor


def place(model: DiT, grid: tuple[int, int], blocks: int, first: Tensor, distance: Tensor) -> Placement:
    """Positions for clips that start at latent frame `first` [B]; `distance` [B, blocks] is drawn for every block."""
    rows, columns = grid[0] // PATCH, grid[1] // PATCH
    head_dim, device = model.config.head_dim, first.device
    noisy = noisy_positions(0, rows, columns, blocks * LATENTS_PER_BLOCK).to(device)
    shift = torch.zeros(len(first), 1, 3, dtype=torch.long, device=device)
    shift[:, 0, 0] = first
    starts = first[:, None] + LATENTS_PER_BLOCK * torch.arange(blocks, device=device)
    frame = REFERENCE_FRAME + (starts - (REFERENCE_FRAME - distance)).clamp(min=0)
    condition = condition_positions(0, rows, columns).to(device).expand(*frame.shape, -1, 3).clone()
    count = len(reference_positions(0, rows, columns))
    condition[:, :, :count, 0] = frame[:, :, None]
    still = condition_positions(REFERENCE_FRAME, rows, columns).to(device)
    return Placement(rope_table(noisy + shift, head_dim), rope_table(condition, head_dim), rope_table(still, head_dim))


def prefill(
    model: DiT, reference: Tensor, motion: Tensor, text: Sequence[KeyValue], placement: Placement
) -> list[KeyValue]:
    """Un-roped keys and values of the condition tokens, a pair a layer, with gradient."""
    kept: list[KeyValue] = []

    def attention(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        kept.append(KeyValue(k, v))
        return attend(apply_rope(q, placement.prefill), apply_rope(k, placement.prefill), v)

    zero = torch.zeros(reference.shape[0], 1, device=reference.device)
    model.prefill(model.condition_tokens(reference, motion), model.modulate(zero), text, attention)
    return kept


class ParallelAttention:
    """The `self_attention` seam for whole clips: block b sees the condition and its window, and nothing else."""

    def __init__(self, condition: Sequence[KeyValue], placement: Placement, blocks: int) -> None:
        self.condition = condition
        self.placement = placement
        self.blocks = blocks

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """[B, S, NH, HD] each -> [B, S, NH, HD]."""
        q, k = apply_rope(q, self.placement.noisy), apply_rope(k, self.placement.noisy)
        size = q.shape[1] // self.blocks
        outputs = []
        for block in range(min(BLOCKS_PER_CLIP - 1, self.blocks)):
            window = slice(0, (block + 1) * size)
            outputs.append(self._attend(layer, q, k, v, slice(block, block + 1), window, size))
        if self.blocks >= BLOCKS_PER_CLIP:
            outputs.append(self._attend_full(layer, q, k, v, size))
        return torch.cat(outputs, 1)

    def _attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, block: slice, window: slice, size: int) -> Tensor:
        """A block whose window is not full yet."""
        ck, cv = self._condition(layer, block)
        rows = slice(block.start * size, block.stop * size)
        return attend(q[:, rows], torch.cat((k[:, window], ck[:, 0]), 1), torch.cat((v[:, window], cv[:, 0]), 1))

    def _attend_full(self, layer: int, q: Tensor, k: Tensor, v: Tensor, size: int) -> Tensor:
        """All blocks with a full window at once, blocks folded into the batch."""
        batch, first = q.shape[0], BLOCKS_PER_CLIP - 1
        ck, cv = self._condition(layer, slice(first, self.blocks))
        windows = [
            torch.cat((x.unfold(1, BLOCKS_PER_CLIP * size, size).permute(0, 1, 4, 2, 3), c), 2).flatten(0, 1)
            for x, c in ((k, ck), (v, cv))
        ]
        queries = q[:, first * size :].unflatten(1, (-1, size)).flatten(0, 1)
        attended: Tensor = attend(queries, *windows).unflatten(0, (batch, -1)).flatten(1, 2)
        return attended

    def _condition(self, layer: int, blocks: slice) -> tuple[Tensor, Tensor]:
        """Condition keys roped for each block's reference position, and values: [B, blocks, Sc, NH, HD]."""
        pair = self.condition[layer]
        table = self.placement.condition[:, blocks]
        key = apply_rope(pair.key[:, None].expand(-1, table.shape[1], -1, -1, -1), table)
        return key, pair.value[:, None].expand_as(key)
