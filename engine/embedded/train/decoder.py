"""The decoder alone, on a latent space that stays as it is: as true as the code allows, then as sharp as asked.

The encoder is settled long before the decoder is, and the denoiser needs nothing but the encoder: so the two train side
by side, each on a card of its own. The codes carry noise, so the decoder forgives the denoiser's small errors. Knows no
speech and no denoiser.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.embedded.train.footage import Footage, FootagePool
from engine.embedded.train.losses import Whetstone, edge_energy, edge_energy_loss, gradient_loss, pixel_loss, psnr
from engine.embedded.train.schedule import Clock, MovingAverage, share_gradients
from engine.model.vae import WanVae

CODE_NOISE = 0.08
"""Deviation of the noise on normalised latents."""
RENEW = 80
"""Steps between two lots of fresh strips."""
SHARP_FROM = 0.3
"""Share of the time after which edges are asked for."""
SHARPNESS = 0.77
"""Laplacian energy to reach, of the truth's."""


def decoded(vae: WanVae, latents: Tensor) -> Tensor:
    """Frames of latents with noise on them."""
    return vae.decode_whole(latents + CODE_NOISE * torch.randn_like(latents))


def train(vae: WanVae, pool: FootagePool, seconds: float, size: int, peak: float) -> WanVae:
    """Train the decoder for `seconds` with batches of `size` windows; returns the averaged weights."""
    device = pool.source.device
    parameters = [*vae.decoder.parameters(), *vae.conv2.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(parameters, peak, betas=(0.9, 0.98), weight_decay=1e-4, fused=device.type == "cuda")
    clock, average = Clock("decoder", seconds, peak, flat=0.4), MovingAverage(vae)
    whetstone = Whetstone(SHARPNESS, device)
    draw = torch.compile(decoded, dynamic=False) if device.type == "cuda" else decoded
    for fraction in clock.ticks(optimiser):
        if clock.steps % RENEW == 0:
            pool.add()
        footage = pool.sample(size)
        with torch.autocast(device.type, torch.bfloat16):
            output = draw(vae, footage.latents).float()
        loss, energy, decibels = judged(output, footage, whetstone, fraction > SHARP_FROM)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        share_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        average.update()
        clock.log(loss=loss.detach(), psnr=decibels, energy=energy, weight=whetstone.weight)
    average.copy_to_source()
    return vae.eval().requires_grad_(False)


def judged(output: Tensor, footage: Footage, whetstone: Whetstone, sharp: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, edge energy and PSNR of the frames that the focus looks at."""
    made, true, focus = (
        x.transpose(1, 2).flatten(0, 1) for x in (output, footage.frames, footage.focus.transpose(1, 2))
    )
    loss = pixel_loss(made, true, focus) + 0.5 * gradient_loss(made, true, focus)
    face = (focus > 1.15 * focus.amin((-1, -2), keepdim=True)).float()
    energy = edge_energy(made, true, face)
    if sharp:
        loss = loss + whetstone.press(energy) * edge_energy_loss(made, true, focus)
    looked = (focus.amax((1, 2, 3)) > 0).float()[:, None, None, None]
    return loss, energy, psnr(made * looked, true * looked) + 10 * torch.log10(looked.mean())
