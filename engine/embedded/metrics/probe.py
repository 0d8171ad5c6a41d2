"""Reads the renderer's parameters back from pixels: how far the mouth is open, which feeling, who it is.

`python -m engine.embedded.metrics.probe --train --minutes 3` trains it on renders (with `--device cuda`, or in some
twenty minutes on a processor core). It has seen nothing but renders, so it judges any video of the avatar's kind.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.embedded.corpus.clips import Renderer
from engine.embedded.corpus.identity import RANGES, Identity, generator, sample
from engine.embedded.corpus.renderer import render
from engine.embedded.corpus.scene import MOTION
from engine.embedded.metrics import judges

STATES: Final = ("open", "wide", "round", "smile", "angry", "sad", "surprise", "eye", "yaw", "pitch", "roll")
COLOURS: Final = ("skin", "hair", "cloth", "iris", "background")
SHAPES: Final = ("face_width", "jaw", "eye_size", "mouth_width")
SWITCHES: Final = ("has_hair", "long_hair", "curly", "beard", "glasses", "jacket")
_SIZE: Final = 128


@dataclass(frozen=True)
class Reading:
    """What the probe sees in N frames: `states` [N, 11] as in STATES, `colours` [N, 15], `shapes` [N, 10] in 0..1."""

    states: Tensor
    colours: Tensor
    shapes: Tensor

    def state(self, name: str) -> Tensor:
        """[N]."""
        return self.states[:, STATES.index(name)]

    def colour(self, name: str) -> Tensor:
        """[N, 3] in 0..1."""
        start = 3 * COLOURS.index(name)
        return self.colours[:, start : start + 3]

    def person(self) -> Tensor:
        """[N, 22]: who it is, without the background."""
        return torch.cat([self.colours[:, : 3 * (len(COLOURS) - 1)], 0.35 * self.shapes], 1)


class Probe(nn.Module):
    """A small convolutional network, 0.16 million parameters, on frames of 128 px."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 48, 64)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(4, after), nn.SiLU()]
        layers += [nn.Conv2d(64, 64, 3, 1, 1), nn.GroupNorm(4, 64), nn.SiLU(), nn.Conv2d(64, 12, 1), nn.Flatten()]
        self.trunk = nn.Sequential(*layers, nn.Linear(12 * 64, 96), nn.SiLU())
        self.head = nn.Linear(96, len(STATES) + 3 * len(COLOURS) + len(SHAPES) + len(SWITCHES))

    def forward(self, frames: Tensor) -> Tensor:
        """[N, 36] from frames [N, 3, H, W] in 0..1 of any size."""
        if frames.shape[-2:] != (_SIZE, _SIZE):
            frames = F.interpolate(frames, size=(_SIZE, _SIZE), mode="bilinear", antialias=True)
        result: Tensor = self.head(self.trunk(frames * 2 - 1))
        return result

    @torch.no_grad()
    def read(self, frames: Tensor, chunk: int = 256) -> Reading:
        """What is seen in frames [N, 3, H, W]."""
        seen = torch.cat([self(part) for part in torch.split(frames, chunk)])
        return Reading(*torch.split(seen, [len(STATES), 3 * len(COLOURS), len(SHAPES) + len(SWITCHES)], 1))


def load() -> Probe:
    """The trained probe."""
    return judges.load(Probe(), "probe")


def truth(who: Identity, moves: Tensor) -> Tensor:
    """What the probe should say of avatars in states `moves` [N, 15]: [N, 36]."""
    states = moves[:, [MOTION.index(name) for name in STATES]]
    colours = torch.cat([who.colour(name) for name in COLOURS], 1)
    shapes = [(who.scalar(name) - RANGES[name][0]) / (RANGES[name][1] - RANGES[name][0]) for name in SHAPES]
    switches = [who.scalar(name) for name in SWITCHES]
    return torch.cat([states, colours, torch.stack(shapes + switches, 1)], 1)


def random_states(count: int, rng: torch.Generator) -> Tensor:
    """Motion [count, 15] far wider than speech brings, so that every state occurs with every other."""

    def between(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=rng, device=rng.device) * (high - low) + low

    def sometimes(share: float) -> Tensor:
        return (between(0, 1) < share).float()

    channels = {
        "open": between(-0.4, 1.15).clamp(0) * (1 - 0.95 * sometimes(0.2)),
        "wide": between(-1, 1),
        "round": between(-0.5, 1).clamp(0),
        "teeth": between(-0.2, 1).clamp(0),
        "smile": between(-1, 1) * sometimes(0.7),
        "angry": between(0.3, 1) * sometimes(0.25),
        "sad": between(0.3, 1) * sometimes(0.25),
        "surprise": between(0.3, 1) * sometimes(0.25),
        "eye": 1 - between(0, 1) * sometimes(0.2),
        "gaze": between(-1, 1),
        "yaw": between(-0.28, 0.22),
        "pitch": between(-0.15, 0.28),
        "roll": between(-0.1, 0.1),
        "x": between(-0.05, 0.05),
        "y": between(-0.05, 0.05),
    }
    return torch.stack([channels[name] for name in MOTION], 1)


def train(minutes: float, device: str, renderer: Renderer = render) -> Probe:
    """Train on fresh renders; a hundred to a few hundred seconds on a GPU are plenty."""
    rng = generator(7_000, device=device)
    judge = Probe().to(device)
    weight = torch.ones(judge.head.out_features, device=device)
    weight[0] = 4
    weight[8:11] = 10  # angles are small numbers

    def loss() -> Tensor:
        with torch.no_grad():
            who, moves = sample(64, rng), random_states(64, rng)
            frames = judges.blurred(renderer(who, moves, _SIZE), rng)
        error: Tensor = judge(frames) - truth(who, moves)
        return (error.square() * weight).mean()

    for step, value in judges.train(judge, loss, minutes, 2e-3):
        print(f"step {step} loss {value:.4f}", flush=True)
    return judge.eval()


def correlations(judge: Probe, device: str) -> dict[str, float]:
    """How well each state is read on avatars never trained on."""
    rng = generator(7_000, held_out=True, device=device)
    who, moves = sample(512, rng), random_states(512, rng)
    with torch.no_grad():
        states = judge.read(render(who, moves, _SIZE)).states
    told = truth(who, moves)
    return {name: float(torch.corrcoef(torch.stack([states[:, i], told[:, i]]))[0, 1]) for i, name in enumerate(STATES)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the probe, or show how well it reads.")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="compile the renderer: 4 times as fast")
    chosen = parser.parse_args()
    if chosen.train:
        judges.save(train(chosen.minutes, chosen.device, torch.compile(render) if chosen.compile else render), "probe")
    for name, value in correlations(load().to(chosen.device), chosen.device).items():
        print(f"{name:10s} {value:.3f}")


if __name__ == "__main__":
    main()
