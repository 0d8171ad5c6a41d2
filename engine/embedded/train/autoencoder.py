"""The small video autoencoder, trained on rendered clips.

Single pictures first, then clips of 5 latents: pictures teach colour and shape in a twentieth of the time, and clips of
at least four latents are needed against drift. The code is the mean plus fixed noise
(no sampled variance: a random one collapses), so the decoder forgives the denoiser's small errors.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.embedded.train.clips import ClipSource, PicturePool, focus_map
from engine.embedded.train.losses import edge_energy_loss, gradient_loss, laplacian, luma, pixel_loss, psnr
from engine.embedded.train.schedule import Clock, MovingAverage, own_way, same_start, share_gradients
from engine.embedded.train.shapes import SIZE, VAE
from engine.model.vae import VaeConfig, WanVae

CODE_NOISE = 0.1
SCALE_PENALTY = 1e-3


@dataclass(frozen=True)
class Stage:
    """Frames a clip, how many of them show the still, and clips a batch, until `until` of the budget."""

    until: float
    frames: int
    still: int
    batch: int


STAGES = (Stage(0.05, 1, 0, 128), Stage(1.0, 17, 5, 16))
FRESH = 16
"""Steps between two lots of fresh pictures."""


def build() -> WanVae:
    """A fresh autoencoder of the embedded size, statistics 0 and 1."""
    same_start()
    vae = WanVae(VaeConfig(**VAE))
    own_way()
    return vae


def through(vae: WanVae, video: Tensor) -> tuple[Tensor, Tensor]:
    """Mean codes and output of clips [B, 3, T, H, W]."""
    mean = vae.moments(video)[:, : vae.config.z_dim].float()
    return mean, vae.decode_whole(mean + CODE_NOISE * torch.randn_like(mean))


def loss_of(passed: tuple[Tensor, Tensor], video: Tensor, focus: Tensor, sharpness: float) -> tuple[Tensor, Tensor]:
    """Loss and PSNR of what `through` gave for `video`; `focus` [B, T, 1, H, W]."""
    mean, output = passed
    made, true = (x.transpose(1, 2).flatten(0, 1) for x in (output.float(), video))
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
    # One graph for the stage that takes the time: 2.7 times the speed on a Hopper card.
    compiled = torch.compile(through, dynamic=False) if device.type == "cuda" else through
    for fraction in clock.ticks(optimiser):
        video, focus = next(batches)
        with torch.autocast(device.type, torch.bfloat16):
            passed = (compiled if video.shape[2] == STAGES[-1].frames else through)(vae, video)
        loss, decibels = loss_of(passed, video, focus, 0.3 if fraction > 0.3 else 0.0)
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
    pools: dict[int, PicturePool] = {}
    for number in itertools.count():
        stage = next(stage for stage in STAGES if clock.fraction <= stage.until)
        if stage.frames not in pools:
            pools = {stage.frames: PicturePool(source, stage.frames)}
            pools[stage.frames].add()
        if number % FRESH == 0:
            pools[stage.frames].add()
        clips = pools[stage.frames].sample(stage.batch)
        still = stage.still * (number % 2)
        shown = clips.video[:, :, : stage.frames - still]
        video = torch.cat((clips.still[:, :, None].expand(-1, -1, still, -1, -1), shown), 2)
        cut = replace(clips, mouth=clips.mouth[:, : stage.frames - still])
        yield video, focus_map(cut, SIZE, stage.frames)


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
    clips = source.sample(16, frames)
    output = vae.decode_whole(vae.encode(clips.video)).float().clamp(-1, 1)
    made, true = (x.transpose(1, 2).flatten(0, 1) for x in (output, clips.video))
    energy = laplacian(luma(made)).square().mean() / laplacian(luma(true)).square().mean()
    return float(psnr(made, true)), float(energy)
