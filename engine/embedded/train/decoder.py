"""The last stage: the decoder learns to draw from what the denoiser makes, not only from what the encoder makes.

The denoiser's latents are a little off, and always in the same way; the decoder can know that way and stay sharp. The
encoder, and with it the latent space, stays as it is. Knows no speech.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.embedded.train.clips import Clips, focus_map
from engine.embedded.train.denoiser import conditions, draw_placement, walk
from engine.embedded.train.latents import LatentBatch, LatentPool
from engine.embedded.train.losses import edge_energy_loss, gradient_loss, pixel_loss, psnr
from engine.embedded.train.schedule import Clock, MovingAverage, share_gradients
from engine.embedded.train.shapes import SIZE
from engine.model.dit import DiT
from engine.model.t5 import UmT5Encoder
from engine.model.vae import WanVae

STEPS = 4
LEAD = 4
"""Still latents in front of a clip, so that it is decoded as a continuation, as in a run."""


@torch.no_grad()
def generate(dit: DiT, encoder: UmT5Encoder, batch: LatentBatch, draw: torch.Generator) -> Tensor:
    """Latents of whole clips as a run makes them."""
    with torch.autocast(batch.latents.device.type, torch.bfloat16, cache_enabled=False):
        given = conditions(dit, encoder, batch, draw_placement(dit, batch, draw))
        noise = torch.randn(batch.latents.shape, generator=draw, device=batch.latents.device)
        return walk(dit, given, noise, STEPS).float()


def decoded(vae: WanVae, motion: Tensor, latents: Tensor) -> Tensor:
    """Frames [B, 3, 4 F, H, W] of latents that follow a still."""
    frames = vae.decode_whole(torch.cat((motion[:, :, :LEAD], latents), 2))
    return frames[:, :, -4 * latents.shape[2] :]


def train(
    vae: WanVae, dit: DiT, encoder: UmT5Encoder, pool: LatentPool, seconds: float, size: int, sharpness: float = 0.5
) -> WanVae:
    """Train the decoder for `seconds` on three generated clips to one encoded."""
    device = pool.device
    parameters = [*vae.decoder.parameters(), *vae.conv2.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(parameters, 5e-4, betas=(0.9, 0.98), weight_decay=1e-4)
    clock, average = Clock("decoder", seconds, 5e-4, flat=0.4), MovingAverage(vae, horizon=200)
    draw = torch.Generator(device).manual_seed(23)
    for _ in clock.ticks(optimiser):
        clips, batch = pool.make_with_video(size)
        made = generate(dit, encoder, batch, draw)
        made[: size // 4] = batch.latents[: size // 4]
        loss, decibels = _loss(vae, batch.motion, made, clips, sharpness)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        share_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        average.update()
        clock.log(every=50, loss=loss.detach(), psnr=decibels)
    average.copy_to_source()
    return vae.eval().requires_grad_(False)


def _loss(vae: WanVae, motion: Tensor, latents: Tensor, clips: Clips, sharpness: float) -> tuple[Tensor, Tensor]:
    with torch.autocast(latents.device.type, torch.bfloat16):
        output = decoded(vae, motion, latents).float()
    made, true = (x.transpose(1, 2).flatten(0, 1) for x in (output, clips.video))
    weight = focus_map(clips, SIZE, clips.motion.shape[1]).flatten(0, 1)
    loss = pixel_loss(made, true, weight) + 0.5 * gradient_loss(made, true, weight)
    return loss + sharpness * edge_energy_loss(made, true, weight), psnr(made.detach(), true)
