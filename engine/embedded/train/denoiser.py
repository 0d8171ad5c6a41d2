"""The small diffusion transformer, trained on the path that a run takes.

The corpus's motion follows from speech and prompt, so the four steps are a refinement towards one answer. Half-way the
noisy inputs stop coming from the truth: the model walks the four steps itself and learns each step from where it really
stands (`walk`). All blocks of a clip go in parallel, which is exactly the rollout (`parallel`), so nothing differs
between training and use.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.embedded.train.latents import LatentBatch, LatentPool, encode_text
from engine.embedded.train.parallel import DISTANCES, ParallelAttention, Placement, place, prefill
from engine.embedded.train.schedule import Clock, MovingAverage, own_way, rank, same_start, share_gradients
from engine.embedded.train.shapes import DIT
from engine.model.attention import KeyValue
from engine.model.audio_encoder import AudioInjection
from engine.model.config import DiTConfig
from engine.model.dit import DiT
from engine.model.t5 import UmT5Encoder
from engine.sampler import sigmas

STEPS = 4
FAR = 50_000
"""Half of the clips start at a frame up to here: motion tokens then lie at any distance, as in a long video."""


@dataclass(frozen=True)
class Conditions:
    """Everything of a batch but the noisy latents."""

    text: Sequence[KeyValue]
    audio: Sequence[AudioInjection]
    attention: ParallelAttention
    pose: Tensor | None


def build() -> DiT:
    """A fresh model of the embedded size, the same on every rank."""
    same_start()
    model = DiT(DiTConfig.from_json(DIT))
    model.initialise()
    own_way()
    return model


def velocity(model: DiT, x: Tensor, sigma: Tensor, given: Conditions) -> Tensor:
    """Velocity of clips x [B, C, F, h, w] at noise level `sigma` [B]."""
    time = model.modulate(1000.0 * sigma[:, None])
    v: Tensor = model(x, time, given.text, given.audio, given.attention, given.pose)
    return v


def conditions(model: DiT, encoder: UmT5Encoder, batch: LatentBatch, placement: Placement) -> Conditions:
    """Text, audio and condition keys of a batch, with gradient."""
    text = model.text_kv(model.embed_text(encode_text(encoder, batch.tokens)))
    audio = model.audio_injections(model.encode_audio(batch.features))
    kept = prefill(model, batch.reference, batch.motion, text, placement)
    blocks = batch.features.shape[-1] // 12
    frames = batch.latents.shape[2]
    pose = batch.reference.expand(-1, -1, frames, -1, -1) if model.config.reference_pose else None
    return Conditions(text, audio, ParallelAttention(kept, placement, blocks), pose)


def draw_placement(model: DiT, batch: LatentBatch, generator: torch.Generator) -> Placement:
    """Where the clips lie in time: half at the start of a video, half anywhere."""
    count, blocks = len(batch.latents), batch.features.shape[-1] // 12
    device = batch.latents.device
    far = (FAR ** torch.rand(count, generator=generator, device=device)).long()
    first = torch.where(torch.rand(count, generator=generator, device=device) < 0.5, far, 0)
    distance = torch.randint(DISTANCES[0], DISTANCES[1] + 1, (count, blocks), generator=generator, device=device)
    return place(model, (batch.latents.shape[-2], batch.latents.shape[-1]), blocks, first, distance)


def walk(model: DiT, conditions: Conditions, noise: Tensor, stop: int) -> Tensor:
    """The latents that a run holds before step `stop` (0..3), from pure noise."""
    levels = sigmas(STEPS)
    x = noise
    for step in range(stop):
        level = torch.full((len(x),), float(levels[step]), device=x.device)
        v = velocity(model, x, level, conditions)
        x = x + (float(levels[step + 1]) - float(levels[step])) * v
    return x


def step_loss(
    model: DiT, conditions: Conditions, x: Tensor, sigma: Tensor, batch: LatentBatch
) -> tuple[Tensor, Tensor]:
    """Weighted error of the clean latents that the velocity at x points to, and the plain one."""
    v = velocity(model, x, sigma, conditions)
    level = sigma.view(-1, 1, 1, 1, 1)
    # v* leads from x to the truth; near sigma 0 the step is tiny, so is its weight.
    error = (v * level - (x - batch.latents)) / level.clamp(min=0.5)
    square = error.square()
    return (square * batch.weight).mean(), square.detach().mean()


def train(
    model: DiT,
    encoder: UmT5Encoder,
    pool: LatentPool,
    seconds: float,
    size: int,
    peak: float = 1.5e-3,
    own_from: float = 0.35,
    keep: Callable[[dict[str, Tensor]], None] | None = None,
) -> DiT:
    """Train for `seconds` with batches of `size` clips; returns the averaged weights.

    From `own_from` of the budget on the share of the model's own path grows, to 80 % half a budget later. `keep` is
    handed the averaged weights every 500 steps, for a machine that may be lost.
    """
    device = pool.device
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, peak, betas=(0.9, 0.95), weight_decay=0.01, fused=device.type == "cuda")
    clock, average = Clock("denoiser", seconds, peak), MovingAverage(model)
    generator = torch.Generator(device).manual_seed(17 + rank())
    choice = random.Random(0)  # the same on every rank: ranks take the same number of forwards
    for fraction in clock.ticks(optimiser):
        batch = pool.sample(size)
        own_path = choice.random() < min(0.8, max(0.0, (fraction - own_from) / 0.5))
        # No cache of cast weights: one made in `walk`, without gradient, would serve the step that needs it.
        with torch.autocast(device.type, torch.bfloat16, cache_enabled=False):
            loss, plain = loss_of(model, encoder, batch, generator, choice, own_path)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        share_gradients(parameters)
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        average.update()
        pool.refresh(clock.steps)
        if keep is not None and clock.steps % 500 == 499:
            keep(average.state())
        clock.log(loss=loss.detach(), plain=plain, norm=norm, own=float(own_path))
    average.copy_to_source()
    return model


def loss_of(
    model: DiT,
    encoder: UmT5Encoder,
    batch: LatentBatch,
    generator: torch.Generator,
    choice: random.Random,
    own_path: bool,
) -> tuple[Tensor, Tensor]:
    """One training step's loss (weighted, and plain): from the truth's path, or from the model's own."""
    given = conditions(model, encoder, batch, draw_placement(model, batch, generator))
    noise = torch.randn(batch.latents.shape, generator=generator, device=batch.latents.device)
    levels = sigmas(STEPS)
    step = choice.choices(range(STEPS), weights=(4, 3, 4, 1))[0]
    if own_path:
        with torch.no_grad():
            x = walk(model, given, noise, step)
        sigma = torch.full((len(x),), float(levels[step]), device=x.device)
        return step_loss(model, given, x, sigma, batch)
    grid = torch.tensor([float(level) for level in levels[:STEPS]], device=noise.device)
    weights = torch.tensor((4.0, 3.0, 4.0, 1.0), device=noise.device)
    drawn = torch.multinomial(weights, len(noise), replacement=True, generator=generator)
    sigma = grid[drawn]
    level = sigma.view(-1, 1, 1, 1, 1)
    return step_loss(model, given, (1 - level) * batch.latents + level * noise, sigma, batch)
