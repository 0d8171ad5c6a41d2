"""The small wav2vec2: taught by the corpus to hear what a face does.

The corpus knows the true motion of every frame, so no self-supervised stage is needed. Targets are read from the same
25 Hz grid that a run uses, and every layer must serve, since the denoiser mixes all of them.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.audio import state_positions
from engine.embedded.corpus.augment import augment
from engine.embedded.corpus.identity import generator
from engine.embedded.corpus.scene import MOTION
from engine.embedded.corpus.visemes import SAMPLES_PER_FRAME, VISEMES
from engine.embedded.train.clips import Takes
from engine.embedded.train.schedule import Clock, MovingAverage, share_gradients
from engine.embedded.train.shapes import WAV2VEC2
from engine.model.wav2vec2 import Wav2Vec2, Wav2Vec2Config
from engine.spec import FRAMES_PER_BLOCK

HEARD = ("open", "wide", "round", "teeth", "eye", "yaw", "pitch", "roll")
SCALE = (1.0, 1.0, 1.0, 1.0, 1.0, 0.15, 0.12, 0.06)
"""Size of each target, so that a glance of the head weighs as much as a word of the mouth."""
SECONDS = (3, 12)


class Heads(nn.Module):
    """What is read off each layer while training: motion and viseme."""

    def __init__(self) -> None:
        super().__init__()
        layers, width = WAV2VEC2["num_hidden_layers"] + 1, WAV2VEC2["hidden_size"]
        self.motion = nn.ModuleList(nn.Linear(width, len(HEARD)) for _ in range(layers))
        self.viseme = nn.ModuleList(nn.Linear(width, len(VISEMES)) for _ in range(layers))


def build() -> Wav2Vec2:
    return Wav2Vec2(Wav2Vec2Config(**WAV2VEC2))


def standardised(audio: Tensor) -> Tensor:
    """Zero mean, unit variance over each row, as the feature extractor does over a file."""
    return (audio - audio.mean(-1, keepdim=True)) / (audio.var(-1, keepdim=True, unbiased=False) + 1e-7).sqrt()


def listen(model: Wav2Vec2, audio: Tensor) -> Tensor:
    """Features [B, layers, C, T] at 25 Hz of audio [B, 640 T]; T is a multiple of 12 less at most the last frame."""
    states: Tensor = model(standardised(audio))  # [B, layers, S, C] at 50 Hz
    frames, count = audio.shape[-1] // SAMPLES_PER_FRAME, states.shape[2]
    blocks = range(-(-frames // FRAMES_PER_BLOCK))
    places = np.concatenate([state_positions(block, int(count / 50 * 30), count) for block in blocks])[:frames]
    before = torch.from_numpy(np.floor(places).astype(np.int64)).to(audio.device)
    share = torch.from_numpy((places % 1).astype(np.float32)).to(audio.device).view(-1, 1)
    after = (before + 1).clamp(max=count - 1)
    features = torch.lerp(states[:, :, before].float(), states[:, :, after].float(), share)
    return F.pad(features, (0, 0, 0, frames - len(places))).transpose(2, 3)


def train(takes: Takes, seconds: float, device: torch.device) -> Wav2Vec2:
    """Train for `seconds`; returns the averaged weights."""
    model, heads = build().to(device), Heads().to(device)
    both = nn.ModuleList([model, heads])
    optimiser = torch.optim.AdamW(both.parameters(), 2e-3, betas=(0.9, 0.98), weight_decay=0.01)
    clock, average = Clock("speech", seconds, 2e-3), MovingAverage(both)
    draw = generator(5, device=device)
    columns = torch.tensor([MOTION.index(name) for name in HEARD], device=device)
    scale = torch.tensor(SCALE, device=device)
    for _ in clock.ticks(optimiser):
        frames = 25 * int(torch.randint(SECONDS[0], SECONDS[1] + 1, (1,)))
        batch = 320 * 25 // frames
        first = takes.cut(batch, frames, draw)
        audio, _, _, viseme = takes.bank.cut(first, frames)
        truth = takes.motion[first[:, None] + torch.arange(frames, device=device)][..., columns] / scale
        with torch.autocast(device.type, torch.bfloat16):
            features = listen(model, augment(audio, draw)).permute(1, 0, 3, 2)  # [layers, B, T, C]
            loss = _loss(heads, features, truth, viseme)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        share_gradients(both.parameters())
        nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimiser.step()
        average.update()
        clock.log(loss=loss.detach())
    average.copy_to_source()
    report(model, heads, takes, columns, scale, draw)
    return model.eval().requires_grad_(False)


def _loss(heads: Heads, features: Tensor, truth: Tensor, viseme: Tensor) -> Tensor:
    """The last layer counts fully, the others a little."""
    loss = torch.zeros((), device=truth.device)
    for layer, hidden in enumerate(features):
        weight = 1.0 if layer == len(features) - 1 else 0.15
        motion = F.smooth_l1_loss(heads.motion[layer](hidden).float(), truth, beta=0.1)
        named = F.cross_entropy(heads.viseme[layer](hidden).float().flatten(0, 1), viseme.flatten())
        loss = loss + weight * (4 * motion + 0.3 * named)
    return loss


@torch.no_grad()
def report(
    model: Wav2Vec2, heads: Heads, takes: Takes, columns: Tensor, scale: Tensor, draw: torch.Generator
) -> dict[str, float]:
    """Correlation of each motion heard in the last layer with the true one, over cuts of 8 s."""
    first = takes.cut(32, 200, draw)
    audio = takes.bank.cut(first, 200)[0]
    heard = heads.motion[-1](listen(model, audio)[:, -1].transpose(1, 2))
    truth = takes.motion[first[:, None] + torch.arange(200, device=takes.device)][..., columns] / scale
    figures = {}
    for place, name in enumerate(HEARD):
        pair = torch.stack((heard[..., place].flatten().float(), truth[..., place].flatten().float()))
        figures[name] = round(float(torch.corrcoef(pair)[0, 1]), 3)
    print("[speech] correlation", figures, flush=True)
    return figures


@torch.no_grad()
def features_of(model: Wav2Vec2, takes: Takes) -> Tensor:
    """Features of every take, each heard whole, as a run hears a file: [F, layers, C] f16."""
    bank, draw = takes.bank, generator(6, device=takes.device)
    parts: list[Tensor] = []
    for start, frames in zip(bank.start.tolist(), bank.frames.tolist(), strict=True):
        audio = bank.audio[start * SAMPLES_PER_FRAME : (start + frames) * SAMPLES_PER_FRAME].float() / 32768
        heard = audio[None] if len(parts) % 2 else augment(audio[None], draw)
        parts.append(listen(model, heard)[0].permute(2, 0, 1).to(torch.float16))
    return torch.cat(parts)
