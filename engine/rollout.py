"""The loop: audio block by audio block, noise becomes latents in a few steps (SPEC sections 1 and 5).

Knows no wave, no picture and no pixel: features come in, latents go out, as long as features come. Every denoising step
has its own ring, so a block at one noise level sees earlier blocks at that same level, and nothing is ever recomputed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.cache import KvRing, Sink
from engine.conditioning import Condition, prefill
from engine.model.attention import attend
from engine.model.dit import DiT
from engine.model.rope import (
    apply_rope,
    motion_positions,
    noisy_positions,
    reference_frame,
    reference_positions,
    rope_table,
)
from engine.randomness import Draws
from engine.sampler import euler, timesteps
from engine.spec import BLOCKS_PER_CLIP, LATENTS_PER_BLOCK


@dataclass(frozen=True)
class LatentBlock:
    """Three clean latent frames [B, C, 3, h, w] in float32."""

    index: int
    latents: Tensor


class RingAttention:
    """The seam of one forward pass: rope, write the ring, attend to all of it."""

    def __init__(self, ring: KvRing, block: int, table: Tensor) -> None:
        self._ring = ring
        self._block = block
        self._table = table

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        self._ring.write(layer, self._block, apply_rope(key, self._table), value)
        return attend(apply_rope(query, self._table), *self._ring.read(layer, self._block))


class Memory:
    """Mutable: the sink and one ring a step. Places the reference where a forward pass wants it, when it moved."""

    def __init__(self, dit: DiT, condition: Condition, steps: int, *, rounded: bool = False) -> None:
        self._dit = dit
        self._rounded = rounded
        self._grid = condition.grid
        self._frame_tokens = self._grid[0] * self._grid[1]
        self._device = condition.reference.device
        self._sink: Sink = prefill(dit, condition, rounded=rounded)
        self._rings = [KvRing(self._sink, LATENTS_PER_BLOCK * self._frame_tokens) for _ in range(steps)]
        self._placed: list[int | None] = [None] * steps
        self._spread()

    def renew(self, condition: Condition) -> None:
        """Hold the video to another condition from here on; what the rings remember of the video stays."""
        self._sink = ()  # two of them would be 4.4 GB of a card
        self._sink = prefill(self._dit, condition, rounded=self._rounded)
        self._placed = [None] * len(self._rings)
        self._spread()

    def block_table(self, block: int) -> Tensor:
        """Rotary table of the noisy tokens of a block; positions are absolute and never run out."""
        return self._table(noisy_positions(LATENTS_PER_BLOCK * block, *self._grid, device=self._device))

    def attention(self, block: int, step: int, distance: int, table: Tensor) -> RingAttention:
        """The seam for one forward pass, the reference placed for it."""
        frame = reference_frame(LATENTS_PER_BLOCK * block, distance)
        if self._placed[step] != frame:
            self._place_reference(self._rings[step], frame)
            self._placed[step] = frame
        return RingAttention(self._rings[step], block, table)

    def _place_reference(self, ring: KvRing, frame: int) -> None:
        table = self._table(reference_positions(frame, *self._grid, device=self._device))
        for layer, (key, _value) in enumerate(self._sink):
            ring.place_keys(layer, apply_rope(key[:, : self._frame_tokens], table))

    def _spread(self) -> None:
        """Motion keys and all values never move: into every ring once."""
        table = self._table(motion_positions(*self._grid).to(self._device))
        for layer, (key, value) in enumerate(self._sink):
            motion = apply_rope(key[:, self._frame_tokens :], table)
            for ring in self._rings:
                ring.place_keys(layer, motion, start=self._frame_tokens)
                ring.place_values(layer, value)

    def _table(self, positions: Tensor) -> Tensor:
        return rope_table(positions, self._dit.config.head_dim, rounded=self._rounded)


@torch.no_grad()
def rollout(
    dit: DiT,
    condition: Condition,
    audio_blocks: Iterable[Tensor],
    draws: Draws,
    steps: int,
    *,
    anchor_update: bool | None = None,
    rounded: bool = False,
) -> Iterator[LatentBlock]:
    """Latents of one block for every block of audio features [B, layers, C, 12].

    `anchor_update` (default: as the model's config says) replaces the reference by the first generated latent frame
    from clip 1 on; `rounded` takes upstream's rounded rotary table.
    """
    anchor_update = dit.config.anchor_update if anchor_update is None else anchor_update
    device = condition.reference.device
    batch, channels, _frames, height, width = condition.reference.shape
    times = [dit.modulate(time.view(1, 1).to(device)) for time in timesteps(steps)]
    memory = Memory(dit, condition, steps, rounded=rounded)
    pose = condition.pose(LATENTS_PER_BLOCK) if dit.config.reference_pose else None
    anchor: Tensor | None = None

    for block, features in enumerate(audio_blocks):
        # 1. from clip 1 on, the video is held to its own first frame
        if anchor_update and block == BLOCKS_PER_CLIP and anchor is not None:
            memory.renew(replace(condition, reference=anchor))
        # 2. what the steps of this block share
        audio = dit.audio_injections(dit.encode_audio(features.to(device)))
        table = memory.block_table(block)
        noise = draws.noise(block, (channels, LATENTS_PER_BLOCK, height, width))
        x = noise.to(device).expand(batch, -1, -1, -1, -1)
        # 3. noise to latents
        for step in range(steps):
            attention = memory.attention(block, step, draws.distance(block, step), table)
            x = euler(x, dit(x, times[step], condition.text, audio, attention, pose), steps, step)
        anchor = x[:, :, :1] if anchor is None else anchor
        yield LatentBlock(block, x)
