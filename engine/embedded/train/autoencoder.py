"""The small video autoencoder, trained on rendered clips.

Lengths grow with the clock: single pictures, then 2 latents, then 6, because pictures teach colour and shape in a
tenth of the time and clips of at least four latents are needed against drift. The code is the mean plus fixed noise
(no sampled variance: a random one collapses), so the decoder forgives the denoiser's small errors.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.embedded.train.clips import ClipSource, focus_map
from engine.embedded.train.losses import edge_energy_loss, gradient_loss, pixel_loss, psnr
from engine.embedded.train.schedule import Clock, MovingAverage, share_gradients
from engine.embedded.train.shapes import SIZE, VAE
from engine.model.vae import VaeConfig, WanVae

CODE_NOISE = 0.1
SCALE_PENALTY = 1e-3


@dataclass(frozen=True)
class Stage:
    """Frames a clip and clips a batch until `until` of the budget."""

    until: float
    frames: int
    batch: int


STAGES = (Stage(0.06, 1, 192), Stage(0.25, 9, 32), Stage(1.0, 25, 14))


def build() -> WanVae:
    """A fresh autoencoder of the embedded size, statistics 0 and 1."""
    return WanVae(VaeConfig(**VAE))


def loss_of(vae: WanVae, video: Tensor, focus: Tensor, sharpness: float) -> tuple[Tensor, Tensor]:
    """Loss and PSNR of clips [B, 3, T, H, W]; `focus` [B, T, 1, H, W]."""
    with torch.autocast(video.device.type, torch.bfloat16):
        mean = vae.moments(video)[:, : vae.config.z_dim].float()
        output = vae.decode_whole(mean + CODE_NOISE * torch.randn_like(mean)).float()
    made, true = (x.transpose(1, 2).flatten(0, 1) for x in (output, video))
    weight = focus.flatten(0, 1)
    loss = pixel_loss(made, true, weight) + 0.5 * gradient_loss(made, true, weight)
    loss = loss + sharpness * edge_energy_loss(made, true, weight)
    return loss + SCALE_PENALTY * mean.square().mean(), psnr(made.detach(), true)


def train(source: ClipSource, seconds: float, device: torch.device) -> WanVae:
    """Train for `seconds`; returns the averaged weights with the latents' statistics taken."""
    vae = build().to(device)
    optimiser = torch.optim.AdamW(vae.parameters(), 2e-3, betas=(0.9, 0.98), weight_decay=1e-4)
    clock, average = Clock("autoencoder", seconds, 2e-3), MovingAverage(vae)
    batches = _batches(source, clock)
    for fraction in clock.ticks(optimiser):
        video, focus = next(batches)
        loss, decibels = loss_of(vae, video, focus, 0.3 if fraction > 0.25 else 0.0)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        share_gradients(vae.parameters())
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        average.update()
        clock.log(loss=loss.detach(), psnr=decibels)
    average.copy_to_source()
    take_statistics(vae, source)
    return vae.eval().requires_grad_(False)


def _batches(source: ClipSource, clock: Clock) -> Iterator[tuple[Tensor, Tensor]]:
    """Clips for the stage that the clock is in; every other one begins with its still picture, as a run does."""
    for number in itertools.count():
        stage = next(stage for stage in STAGES if clock.fraction <= stage.until)
        still = 9 if stage.frames > 9 and number % 2 else 0
        clips = source.sample(stage.batch, stage.frames - still)
        video = torch.cat((clips.still[:, :, None].expand(-1, -1, still, -1, -1), clips.video), 2)
        focus = focus_map(clips, SIZE, video.shape[2])
        yield video, focus


@torch.no_grad()
def take_statistics(vae: WanVae, source: ClipSource, clips: int = 256) -> None:
    """Mean and deviation of each latent channel over clips that start from their still picture."""
    means = []
    for _ in range(clips // 32):
        batch = source.sample(32, 24)
        video = torch.cat((batch.still[:, :, None], batch.video), 2)
        means.append(vae.moments(video)[:, : vae.config.z_dim].float())
    codes = torch.cat(means).transpose(0, 1).flatten(1)
    vae.set_statistics(codes.mean(1).tolist(), codes.std(1).tolist())


@torch.no_grad()
def held_out_psnr(vae: WanVae, source: ClipSource, frames: int = 49) -> tuple[float, float]:
    """PSNR over clips, and Laplacian energy of output over truth."""
    from engine.embedded.train.losses import laplacian

    clips = source.sample(16, frames)
    output = vae.decode_whole(vae.encode(clips.video)).float().clamp(-1, 1)
    made, true = (x.transpose(1, 2).flatten(0, 1) for x in (output, clips.video))
    energy = laplacian(made).square().mean() / laplacian(true).square().mean()
    return float(psnr(made, true)), float(energy)
