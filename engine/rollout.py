"""The loop: audio block by audio block, noise becomes latents in a few passes (SPEC sections 1 and 5).

Knows no wave, no picture and no pixel: features come in, latents go out, as long as features come. Every denoising step
has its own ring, so a block at one noise level sees earlier blocks at that same level, and nothing is ever recomputed.
All that the passes of a block read and write lies in storage that never moves: on a card, a block is recorded once and
replayed, one launch for twelve frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.cache import RING_BLOCKS, ConditionCache, Exact, Narrow, Ring, Shape, padded
from engine.compiling import compiled
from engine.conditioning import Condition, prefill
from engine.execution import Execution
from engine.model.attention import KeyValue, attend_parts
from engine.model.audio_encoder import BLOCK_FRAMES
from engine.model.dit import DiT
from engine.model.rope import apply_rope, noisy_positions, reference_frame, reference_positions, rope_table, turn_into
from engine.randomness import Draws
from engine.recording import Recording, plainly
from engine.sampler import euler, schedule, timesteps
from engine.spec import BLOCKS_PER_CLIP, LATENTS_PER_BLOCK
from engine.transfer import upload


@dataclass(frozen=True)
class LatentBlock:
    """Three clean latent frames [B, C, 3, h, w] in float32."""

    index: int
    latents: Tensor
    begins: bool
    """Whether a video begins with it: the first block, and the first after a restart."""


@dataclass(frozen=True)
class Inputs:
    """What changes from block to block, in storage that stays: filled before a block, read by all its passes."""

    x: Tensor
    """Noise, then latents [B, C, 3, h, w]."""
    features: Tensor
    """[B, layers, C, 12]."""
    table: Tensor
    """Rotary table of the block's tokens [S, HD/2, 2]."""
    references: Tensor
    """Rotary table of the reference in each pass [passes, n, HD/2, 2]."""
    places: Tensor
    """Where in the rings the block goes: [S] numbers."""
    empty: Tensor
    """How many places of ring and condition hold nothing."""


class RingAttention:
    """The seam of one layer in one pass: rope, write the ring, attend to all of it and to the condition."""

    def __init__(self, ring: Exact | Narrow, condition: KeyValue, inputs: Inputs) -> None:
        self.ring = ring
        self.condition = condition
        self.table, self.places, self.empty = inputs.table, inputs.places, inputs.empty

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        self.ring.put(self.places, apply_rope(key, self.table), value)
        return attend_parts(apply_rope(query, self.table), (self.ring.read(), self.condition), self.empty)


class Denoiser:
    """Mutable: a video in the making, all that its blocks need of one another."""

    @torch.no_grad()
    def __init__(
        self,
        dit: DiT,
        condition: Condition,
        levels: Sequence[float],
        execution: Execution | None = None,
        *,
        rounded: bool = False,
    ) -> None:
        """Make room and prefill. `levels` as `sampler.schedule`; `rounded` takes upstream's rounded rotary table.

        `condition.text` is kept, and `take_text` writes over it.
        """
        self.execution = Execution() if execution is None else execution
        self._dit = dit
        self._condition = replace(condition, reference=condition.reference.clone())
        self._levels = levels
        self._rounded = rounded
        self._grid = condition.grid
        self._device = condition.reference.device
        self._times = [dit.modulate(time.view(1, 1)) for time in timesteps(levels).to(self._device)]
        self._make_room(len(levels) - 1)
        self._run = Recording() if self.execution.recorded else plainly
        self._turn = compiled(turn_into) if self.execution.compiled else turn_into
        prefill(dit, condition, self._cache, rounded=rounded)

    def _make_room(self, passes: int) -> None:
        config, reference = self._dit.config, self._condition.reference
        like = self._dit.patch_embedding.weight
        batch, frame = len(reference), self._grid[0] * self._grid[1]
        self._block_tokens = LATENTS_PER_BLOCK * frame
        shape = Shape(config.num_layers, batch, config.num_heads, config.head_dim)
        multiple = self.execution.key_multiple
        self._ring_tokens = padded(RING_BLOCKS * self._block_tokens, multiple)
        narrow = self.execution.narrow_cache
        self._rings = [Ring(shape, self._ring_tokens, like, narrow=narrow) for _ in range(passes)]
        tokens = config.condition_tokens(*reference.shape[3:])
        self._cache = ConditionCache(shape, tokens, frame, like, multiple)
        wide = reference.new_zeros
        pairs = config.head_dim // 2
        self._inputs = Inputs(
            x=wide((batch, config.in_dim, LATENTS_PER_BLOCK, *reference.shape[3:]), dtype=torch.float32),
            features=wide((batch, config.audio_layers, config.audio_dim, BLOCK_FRAMES), dtype=like.dtype),
            table=wide((self._block_tokens, pairs, 2), dtype=torch.float32),
            references=wide((passes, frame, pairs, 2), dtype=torch.float32),
            places=wide(self._block_tokens, dtype=torch.int64),
            empty=wide((), dtype=torch.float32),
        )
        self._seams = [
            [RingAttention(*parts, self._inputs) for parts in zip(ring.layers, self._cache.layers, strict=True)]
            for ring in self._rings
        ]

    def take_text(self, text: Sequence[KeyValue]) -> Sequence[KeyValue]:
        """Attend to another text's keys and values from here on; returns where they are kept."""
        for mine, theirs in zip(self._condition.text, text, strict=True):
            mine.key.copy_(theirs.key)
            mine.value.copy_(theirs.value)
        return self._condition.text

    @torch.no_grad()
    def hold(self, reference: Tensor, motion: Tensor) -> None:
        """Hold the video to another reference [B, C, 1, h, w] and motion; what the rings remember of it stays."""
        self._condition.reference.copy_(reference)
        self._condition = replace(self._condition, motion=motion)
        prefill(self._dit, self._condition, self._cache, rounded=self._rounded)

    def forget(self) -> None:
        """Begin a new video in the same room."""
        for ring in self._rings:
            ring.clear()

    @torch.no_grad()
    def denoise(self, block: int, features: Tensor, noise: Tensor, distances: Sequence[int]) -> Tensor:
        """Latents [B, C, 3, h, w] of block `block`; `distances` from it to the reference, one a pass.

        `features` [B, layers, C, 12] and `noise` [C, 3, h, w], which may be on the host.
        """
        given = self._inputs
        given.features.copy_(upload(features, self._device))
        given.x.copy_(upload(noise, self._device))  # the same for every member of a batch
        first = LATENTS_PER_BLOCK * block
        given.table.copy_(self._table(noisy_positions(first, *self._grid, device=self._device)))
        for table, distance in zip(given.references, distances, strict=True):
            at = reference_positions(reference_frame(first, distance), *self._grid, device=self._device)
            table.copy_(self._table(at))
        start = block % RING_BLOCKS * self._block_tokens
        torch.arange(start, start + self._block_tokens, out=given.places)
        filled = min(block + 1, RING_BLOCKS) * self._block_tokens
        given.empty.fill_(self._ring_tokens - filled + self._cache.empty)
        self._run(self._denoise)
        return given.x.clone()

    @property
    def latent_shape(self) -> torch.Size:
        """[B, C, 3, h, w]."""
        return self._inputs.x.shape

    @property
    def passes(self) -> int:
        """Forward passes of a block."""
        return len(self._rings)

    def _denoise(self) -> None:
        """Noise to latents, in place. Reads and writes nothing but storage that stays."""
        dit, given = self._dit, self._inputs
        pose = self._condition.pose(LATENTS_PER_BLOCK) if dit.config.reference_pose else None
        audio = dit.audio_injections(dit.encode_audio(given.features))
        for step, seam in enumerate(self._seams):
            self._turn(self._cache.reference_keys, self._cache.reference, given.references[step])
            velocity = dit(given.x, self._times[step], self._condition.text, audio, seam, pose)
            given.x.copy_(euler(given.x, velocity, self._levels, step))

    def _table(self, positions: Tensor) -> Tensor:
        return rope_table(positions, self._dit.config.head_dim, rounded=self._rounded)


@dataclass(frozen=True)
class Turn:
    """Another condition from the next block on; `restart` begins a new video with it instead of going on."""

    condition: Condition
    restart: bool = False


@torch.no_grad()
def rollout(
    dit: DiT,
    condition: Condition,
    audio_blocks: Iterable[Tensor],
    draws: Draws,
    steps: int,
    *,
    passes: int | None = None,
    anchor_update: bool | None = None,
    rounded: bool = False,
    execution: Execution | None = None,
    turn: Callable[[], Turn | None] = lambda: None,
) -> Iterator[LatentBlock]:
    """Latents of one block for every block of audio features [B, layers, C, 12].

    `passes` as `sampler.schedule`; `anchor_update` (default: as the model's config says) replaces the reference by the
    first generated latent frame from clip 1 on; `turn` is asked before every block.
    """
    anchor_update = dit.config.anchor_update if anchor_update is None else anchor_update
    denoiser = Denoiser(dit, condition, schedule(steps, passes), execution, rounded=rounded)
    _batch, channels, _frames, height, width = condition.reference.shape
    shape = (channels, LATENTS_PER_BLOCK, height, width)
    anchor: Tensor | None = None
    block = 0
    for index, features in enumerate(audio_blocks):
        # 1. what somebody outside asked for since the last block
        asked = turn()
        if asked is not None:
            condition = replace(asked.condition, text=denoiser.take_text(asked.condition.text))
            if asked.restart:
                denoiser.forget()
                block, anchor = 0, None
        # 2. from clip 1 on, the video is held to its own first frame
        anchored = anchor_update and anchor is not None and block >= BLOCKS_PER_CLIP
        if asked is not None or (anchored and block == BLOCKS_PER_CLIP):
            denoiser.hold(anchor if anchored and anchor is not None else condition.reference, condition.motion)
        # 3. noise to latents
        distances = [draws.distance(block, step) for step in range(denoiser.passes)]
        x = denoiser.denoise(block, features, draws.noise(block, shape), distances)
        anchor = x[:, :, :1] if anchor is None else anchor
        yield LatentBlock(index, x, begins=block == 0)
        block += 1
