"""Makes clean synthetic speech sound like recordings: other rooms, microphones, distances and noises, batched in torch.

None of these change when anything is said, so the mouth's track stays true. Knows no mouth.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.embedded.corpus.visemes import SAMPLE_RATE


def augment(audio: Tensor, rng: torch.Generator, *, clean: float = 0.2) -> Tensor:
    """`audio` [B, N] f32 in -1..1, with room, tilt, noise and gain each at random; a share `clean` is only scaled."""
    untouched = _random(audio, rng, 0, 1) < clean
    wet = torch.where(_random(audio, rng, 0, 1) < 0.5, reverberated(audio, rng), audio)
    tilted = equalised(wet, rng)
    noisy = tilted + noise(tilted, rng)
    return scaled(torch.where(untouched, audio, noisy), rng)


def scaled(audio: Tensor, rng: torch.Generator) -> Tensor:
    """Peak anywhere between 0.08 and 0.98, as recordings have."""
    peak = audio.abs().amax(-1, keepdim=True).clamp(min=1e-4)
    level = torch.exp(_random(audio, rng, math.log(0.08), math.log(0.98)))
    return audio / peak * level * (peak > 2e-4)


def equalised(audio: Tensor, rng: torch.Generator) -> Tensor:
    """A random smooth frequency response of up to +-9 dB, with sometimes a telephone's or a bad microphone's ends."""
    spectrum = torch.fft.rfft(audio)
    octave = torch.linspace(0, 1, spectrum.shape[-1], device=audio.device) * (SAMPLE_RATE / 2)
    octave = torch.log2(octave.clamp(min=40.0) / 40.0) / 7.7  # 0 at 40 Hz, 1 at 8 kHz
    tilt = _random(audio, rng, -6, 6) * (octave * 2 - 1)
    for cycles in (1.0, 2.0, 4.0):
        tilt = tilt + _random(audio, rng, -3, 3) * torch.cos(math.pi * cycles * octave + _random(audio, rng, 0, 6.28))
    high_pass = 60 * ((_random(audio, rng, -0.4, 0.30).clamp(min=0) - octave).clamp(min=0) * 2)
    low_pass = 60 * ((octave - _random(audio, rng, 0.80, 1.25)).clamp(min=0) * 2)
    shaped: Tensor = torch.fft.irfft(spectrum * 10 ** ((tilt - high_pass - low_pass) / 20), audio.shape[-1])
    return shaped


def reverberated(audio: Tensor, rng: torch.Generator) -> Tensor:
    """A small room: exponentially decaying noise of 50 to 350 ms behind the direct sound."""
    length = int(0.35 * SAMPLE_RATE)
    time = torch.arange(length, device=audio.device) / SAMPLE_RATE
    decay = torch.exp(-6.9 * time / _random(audio, rng, 0.05, 0.35))
    tail = torch.randn(audio.shape[0], length, generator=rng, device=audio.device) * decay
    tail = tail / tail.norm(dim=-1, keepdim=True) * _random(audio, rng, 0.05, 0.5)
    tail[:, 0] = 1
    size = 1 << (audio.shape[-1] + length - 1).bit_length()
    wet: Tensor = torch.fft.irfft(torch.fft.rfft(audio, size) * torch.fft.rfft(tail, size), size)
    return wet[:, : audio.shape[-1]]


def noise(audio: Tensor, rng: torch.Generator) -> Tensor:
    """Noise for `audio`, from white to brown, 8 to 50 dB below the speech."""
    white = torch.fft.rfft(torch.randn(audio.shape, generator=rng, device=audio.device))
    place = torch.arange(1, white.shape[-1] + 1, device=audio.device).float()
    coloured: Tensor = torch.fft.irfft(white * place ** -_random(audio, rng, 0, 1), audio.shape[-1])
    speech: Tensor = audio.square().mean(-1, keepdim=True).clamp(min=1e-7).sqrt()
    below: Tensor = 10 ** (-_random(audio, rng, 8, 50) / 20)
    level = coloured.square().mean(-1, keepdim=True).sqrt()
    return coloured / level * speech * below


def _random(audio: Tensor, rng: torch.Generator, low: float, high: float) -> Tensor:
    return torch.rand(audio.shape[0], 1, generator=rng, device=audio.device) * (high - low) + low
