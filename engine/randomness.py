"""Chance, by counting: the noise of a block and the reference distance of a step are functions of the seed alone.

Knows no model and no device. Nothing here has a hidden state, so blocks may be drawn in any order, twice, or after a
restart, and a run with the same seed has the same bits. Upstream draws distances from an unseeded generator (SPEC
section 12, flaw 22); `UpstreamDraws` is that order of drawing, seeded, for comparison.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
import torch
from torch import Tensor

from engine.spec import BLOCKS_PER_CLIP, LATENTS_PER_BLOCK

NEAREST: Final = 4
FARTHEST: Final = 30
"""Latent frames between a block and its reference: drawn from NEAREST..FARTHEST at every forward pass."""
_NOISE, _DISTANCE = 0, 1


class Draws(Protocol):
    """All the chance of one video."""

    def noise(self, block: int, shape: Sequence[int]) -> Tensor:
        """Standard normal noise of block `block`, `shape` = [C, 3, h, w], float32 on the CPU."""
        ...

    def distance(self, block: int, step: int) -> int:
        """The reference distance of one forward pass."""
        ...


class CounterDraws:
    """Philox-4x64 keyed by the seed and counted by (what, step, block); normals by Box and Muller.

    Only numpy's raw 64-bit stream is used, which its policy keeps the same in all versions.
    """

    def __init__(self, seed: int) -> None:
        self._key = seed % 2**64

    def noise(self, block: int, shape: Sequence[int]) -> Tensor:
        """See `Draws.noise`; blocks are independent."""
        count = math.prod(shape)
        half = (count + 1) // 2
        uniform = (self._raw(_NOISE, 0, block, 2 * half) >> np.uint64(11)) * 2.0**-53
        radius = np.sqrt(-2.0 * np.log1p(-uniform[:half]))  # 1 - u lies in (0, 1]
        angle = 2.0 * np.pi * uniform[half:]
        normal = np.concatenate((radius * np.cos(angle), radius * np.sin(angle)))[:count]
        return torch.from_numpy(normal.astype(np.float32)).reshape(*shape)

    def distance(self, block: int, step: int) -> int:
        """See `Draws.distance`."""
        return NEAREST + int(self._raw(_DISTANCE, step, block, 1)[0]) % (FARTHEST - NEAREST + 1)

    def _raw(self, what: int, step: int, block: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        # Word 0 is numpy's own running counter, so it starts at 0 and never reaches word 1.
        counter = np.array([0, block, step, what], dtype=np.uint64)
        raw = np.random.Philox(key=self._key, counter=counter).random_raw(count)
        return np.asarray(raw, dtype=np.uint64)


class UpstreamDraws:
    """Upstream's own streams: torch noise seeded a clip, Python's `randint` in order of forward passes (SPEC 1, 4)."""

    def __init__(self, seed: int, steps: int) -> None:
        self._seed = seed
        self._steps = steps
        # Upstream's `random` is a Mersenne twister; nothing here guards a secret.
        self._stream = random.Random(seed)  # noqa: S311
        self._drawn: list[int] = []

    def noise(self, block: int, shape: Sequence[int]) -> Tensor:
        """See `Draws.noise`: the block's slice of its clip's noise."""
        clip, part = divmod(block, BLOCKS_PER_CLIP)
        channels, frames, height, width = shape
        generator = torch.Generator().manual_seed(self._seed + clip)
        whole = torch.randn(channels, BLOCKS_PER_CLIP * frames, height, width, generator=generator)
        return whole[:, part * LATENTS_PER_BLOCK : (part + 1) * LATENTS_PER_BLOCK]

    def distance(self, block: int, step: int) -> int:
        """See `Draws.distance`: all draws up to this one are made, once, and kept."""
        number = block * self._steps + step
        while len(self._drawn) <= number:
            self._drawn.append(self._stream.randint(NEAREST, FARTHEST))
        return self._drawn[number]
