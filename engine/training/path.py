"""The way of a clip through the noise levels, with gradient: what a rollout computes, all blocks at once.

Knows no data set and no optimiser. A clip is [B, C, F, h, w] latents, F three a block; `sigma` are noise levels 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from engine.model.attention import KeyValue
from engine.model.audio_encoder import AudioInjection
from engine.model.dit import DiT
from engine.sampler import TRAIN_STEPS, sigmas
from engine.training.parallel import DISTANCES, ParallelAttention, Placement, place, prefill

STEPS: Final = 4
"""Noise levels that a run visits, and that are trained."""
STEP_WEIGHTS: Final = (4.0, 3.0, 4.0, 1.0)
"""How often each level is drawn: the last, at 0.0089 of the noise, decides least."""
FAR: Final = 50_000
"""Half of the clips start at a frame up to here: motion tokens then lie at any distance, as in a long video."""
_FLOOR: Final = 0.5
"""Least divisor of the error: towards no noise the step is tiny, and so is its weight."""


@dataclass(frozen=True)
class Conditions:
    """Everything of a batch but the noisy latents."""

    text: Sequence[KeyValue]
    audio: Sequence[AudioInjection]
    attention: ParallelAttention
    pose: Tensor | None


def conditions(
    model: DiT, context: Tensor, features: Tensor, reference: Tensor, motion: Tensor, placement: Placement
) -> Conditions:
    """Text, audio and condition keys of a batch, with gradient.

    `context` [B, length, text_dim], `features` [B, layers, C, 12 blocks], `reference` [B, C, 1, h, w], `motion`
    [B, C, 19, h, w].
    """
    text = model.text_kv(model.embed_text(context))
    audio = model.audio_injections(model.encode_audio(features))
    kept = prefill(model, reference, motion, text, placement)
    blocks = features.shape[-1] // 12
    pose = reference.expand(-1, -1, 3 * blocks, -1, -1) if model.config.reference_pose else None
    return Conditions(text, audio, ParallelAttention(kept, placement, blocks), pose)


def draw_placement(model: DiT, grid: tuple[int, int], count: int, blocks: int, generator: torch.Generator) -> Placement:
    """Where `count` clips of `grid` latents lie in time: half at the start of a video, half anywhere."""
    device = generator.device
    far = (FAR ** torch.rand(count, generator=generator, device=device)).long()
    first = torch.where(torch.rand(count, generator=generator, device=device) < 0.5, far, 0)
    distance = torch.randint(DISTANCES[0], DISTANCES[1] + 1, (count, blocks), generator=generator, device=device)
    where = model.patch_embedding.weight.device
    return place(model, grid, blocks, first.to(where), distance.to(where))


def velocity(model: DiT, x: Tensor, sigma: Tensor, given: Conditions) -> Tensor:
    """Velocity of clips x at noise level `sigma` [B]."""
    time = model.modulate(TRAIN_STEPS * sigma[:, None])
    v: Tensor = model(x, time, given.text, given.audio, given.attention, given.pose)
    return v


def walk(model: DiT, given: Conditions, noise: Tensor, stop: int) -> Tensor:
    """The latents that a run holds before step `stop` (0..4), from pure noise; 4: what it shows."""
    levels = sigmas(STEPS)
    x = noise
    for step in range(stop):
        level = torch.full((len(x),), levels[step], device=x.device)
        x = x + (levels[step + 1] - levels[step]) * velocity(model, x, level, given)
    return x


def path_error(model: DiT, given: Conditions, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
    """Squared error [B, C, F, h, w] of the clean latents that the velocity at x points to."""
    v = velocity(model, x, sigma, given)
    level = sigma.view(-1, 1, 1, 1, 1)
    return ((v * level - (x - clean)) / level.clamp(min=_FLOOR)).square()


def own_point(model: DiT, given: Conditions, noise: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """Where the model itself stands before `step`, and the noise level there [B]."""
    with torch.no_grad():
        x = walk(model, given, noise, step)
    return x, torch.full((len(x),), sigmas(STEPS)[step], device=x.device)


def true_point(clean: Tensor, noise: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """The straight line between noise and truth at the levels of `steps` [B], and those levels."""
    sigma = torch.tensor(sigmas(STEPS)[:STEPS], device=noise.device)[steps]
    level = sigma.view(-1, 1, 1, 1, 1)
    return (1 - level) * clean + level * noise, sigma
