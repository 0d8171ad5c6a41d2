"""The small diffusion transformer, trained on the path that a run takes.

The corpus's motion follows from speech and prompt, so the four steps are a refinement towards one answer. Half-way the
noisy inputs stop coming from the truth: the model walks the four steps itself and learns each step from where it really
stands (`walk`). All blocks of a clip go in parallel, which is exactly the rollout (`parallel`), so nothing differs
between training and use.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from torch import Tensor

from engine.embedded.train.latents import LatentBatch, LatentPool, encode_text
from engine.embedded.train.schedule import Clock, MovingAverage, own_way, rank, same_start, share_gradients
from engine.embedded.train.shapes import DIT
from engine.model.config import DiTConfig
from engine.model.dit import DiT
from engine.model.t5 import UmT5Encoder
from engine.training.path import (
    STEP_WEIGHTS,
    STEPS,
    Conditions,
    conditions,
    draw_placement,
    own_point,
    path_error,
    true_point,
)


def build() -> DiT:
    """A fresh model of the embedded size, the same on every rank."""
    same_start()
    model = DiT(DiTConfig.from_json(DIT))
    model.initialise()
    own_way()
    return model


def conditions_of(model: DiT, encoder: UmT5Encoder, batch: LatentBatch, generator: torch.Generator) -> Conditions:
    """Text, audio and condition keys of a batch, with gradient; where its clips lie in time is drawn."""
    blocks, grid = batch.features.shape[-1] // 12, (batch.latents.shape[-2], batch.latents.shape[-1])
    placement = draw_placement(model, grid, len(batch.latents), blocks, generator)
    context = encode_text(encoder, batch.tokens)
    return conditions(model, context, batch.features, batch.reference, batch.motion, placement)


def step_loss(model: DiT, given: Conditions, x: Tensor, sigma: Tensor, batch: LatentBatch) -> tuple[Tensor, Tensor]:
    """Weighted error of the clean latents that the velocity at x points to, and the plain one."""
    square = path_error(model, given, x, sigma, batch.latents)
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
    given = conditions_of(model, encoder, batch, generator)
    noise = torch.randn(batch.latents.shape, generator=generator, device=batch.latents.device)
    step = choice.choices(range(STEPS), weights=STEP_WEIGHTS)[0]
    if own_path:
        return step_loss(model, given, *own_point(model, given, noise, step), batch)
    weights = torch.tensor(STEP_WEIGHTS, device=noise.device)
    drawn = torch.multinomial(weights, len(noise), replacement=True, generator=generator)
    return step_loss(model, given, *true_point(batch.latents, noise, drawn), batch)
