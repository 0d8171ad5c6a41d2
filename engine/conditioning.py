"""What a video is held to: text, portrait and motion, and the pass that makes keys and values of it (SPEC section 4).

Knows no audio and no noise. A still stands for the past: the portrait, repeated, is both reference and motion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from engine.cache import ConditionCache, Slot
from engine.model.attention import KeyValue, attend
from engine.model.config import PATCH
from engine.model.dit import DiT
from engine.model.rope import REFERENCE_FRAME, apply_rope, condition_positions, rope_table
from engine.model.vae import WanVae

STILL_FRAMES: Final = 73
"""Frames of the repeated portrait: 19 latents, all that the motion tokens cover."""
UPSTREAM_STILL_FRAMES: Final = 5 * STILL_FRAMES
"""What upstream's single-GPU script encodes by mistake (SPEC section 12, flaw 1)."""
ENCODED_AT_ONCE: Final = 24
"""Frames in one pass of the encoder: a third of the time of 365 at once on a CPU, and memory that does not grow."""


@dataclass(frozen=True)
class Condition:
    """`text`: keys and values of every block; `reference` [B, C, 1, h, w]; `motion` [B, C, F, h, w], newest last."""

    text: Sequence[KeyValue]
    reference: Tensor
    motion: Tensor

    def pose(self, frames: int) -> Tensor:
        """The reference in the place of a pose, for `frames` latent frames: [B, C, frames, h, w]."""
        return self.reference.expand(-1, -1, frames, -1, -1)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens."""
        return self.reference.shape[3] // PATCH, self.reference.shape[4] // PATCH


@torch.no_grad()
def encode_still(vae: WanVae, picture: Tensor, frames: int = STILL_FRAMES) -> Tensor:
    """Latents [B, z, 1 + (frames - 1) / 4, h, w] of a picture [B, 3, 1, H, W] in [-1, 1], held for `frames`."""
    return vae.encode(picture.expand(-1, -1, frames, -1, -1), frames_per_pass=ENCODED_AT_ONCE)


@torch.no_grad()
def make_condition(dit: DiT, still: Tensor, context: Tensor) -> Condition:
    """The condition from a still's latents and the text encoder's rows [B, length, text_dim].

    The reference is latent 1, which upstream gets from five frames: the encoder is causal, so no more frames change it.
    """
    text = dit.text_kv(dit.embed_text(context))
    return Condition(text, still[:, :, 1:2], still)


@torch.no_grad()
def prefill(dit: DiT, condition: Condition, cache: ConditionCache, *, rounded: bool = False) -> None:
    """Run the condition tokens through the model at time 0; every layer's keys and values go into `cache`."""
    positions = condition_positions(REFERENCE_FRAME, *condition.grid).to(condition.reference.device)
    table = rope_table(positions, dit.config.head_dim, rounded=rounded)
    seam = [_Keeping(slot, table) for slot in cache.slots]
    tokens = dit.condition_tokens(condition.reference, condition.motion)
    start = torch.zeros(1, 1, device=tokens.device)
    dit.prefill(tokens, dit.modulate(start), condition.text, seam)


class _Keeping:
    """The seam of one layer: condition tokens attend among themselves and are kept."""

    def __init__(self, slot: Slot, table: Tensor) -> None:
        self.slot = slot
        self.table = table

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        roped = apply_rope(key, self.table)
        self.slot.reference.copy_(key[:, : self.slot.reference.shape[1]])
        self.slot.key.copy_(roped)
        self.slot.value.copy_(value)
        return attend(apply_rope(query, self.table), roped, value)
