"""Guesses which avatar a picture shows: one small network, from pixels to the renderer's parameters.

A guess drawn again and compared with the picture tells at once whether the picture is of the avatars' kind; it is also
where fitting starts. `python -m engine.embedded.portrait_reader --train --minutes 3` trains it on renders alone.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.embedded.corpus.clips import Renderer
from engine.embedded.corpus.identity import WIDTH, Identity, family, generator, sample
from engine.embedded.corpus.renderer import render
from engine.embedded.corpus.scene import MOTION, rest
from engine.embedded.metrics import judges

POSE: Final = ("smile", "gaze", "yaw", "pitch", "roll")
"""What of the motion a portrait may show; its mouth is shut and its eyes are open."""
_REACH: Final = (0.5, 0.4, 0.1, 0.06, 0.05)
_SIZE: Final = 128
WEIGHTS: Final = Path(__file__).with_name("portrait_reader.safetensors")


class PortraitReader(nn.Module):
    """0.3 million parameters; answers in 0..1 of each parameter's range."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((3, 24, 40, 64, 80)):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.SiLU()]
        layers += [nn.Conv2d(80, 80, 3, 1, 1), nn.GroupNorm(8, 80), nn.SiLU(), nn.Conv2d(80, 16, 1), nn.Flatten()]
        self.trunk = nn.Sequential(*layers, nn.Linear(16 * 64, 128), nn.SiLU())
        self.head = nn.Linear(128, WIDTH + len(POSE))

    def forward(self, picture: Tensor) -> Tensor:
        """[N, WIDTH + 5] from pictures [N, 3, 128, 128] in 0..1."""
        if picture.shape[-2:] != (_SIZE, _SIZE):
            picture = F.interpolate(picture, size=(_SIZE, _SIZE), mode="bilinear", antialias=True)
        result: Tensor = self.head(self.trunk(picture * 2 - 1))
        return result

    @torch.no_grad()
    def guess(self, picture: Tensor) -> Tensor:
        """As `forward`, within 0..1, switches decided."""
        return decided(self(picture).clamp(0, 1))


def decided(unit: Tensor) -> Tensor:
    """Switches (has it a beard?) to 0 or 1, the rest as it is. `unit` [N, WIDTH + 5]."""
    switches = family().is_switch.to(unit.device)
    answer = unit[:, :WIDTH]
    return torch.cat([torch.where(switches, (answer > 0.5).to(unit.dtype), answer), unit[:, WIDTH:]], 1)


def draw(unit: Tensor, size: int, renderer: Renderer = render) -> Tensor:
    """The avatars of `unit` [N, WIDTH + 5]: [N, 3, size, size]; differentiable."""
    return renderer(*unpacked(unit), size)


def unpacked(unit: Tensor) -> tuple[Identity, Tensor]:
    """Identity and motion [N, 15] that `unit` [N, WIDTH + 5] in 0..1 stands for."""
    low, high = (edge.to(unit.device) for edge in (family().low, family().high))
    values = low + (high - low) * unit[:, :WIDTH]
    label = torch.zeros(len(unit), dtype=torch.long, device=unit.device)
    reach = unit.new_tensor(_REACH)
    pose = rest(len(unit), device=unit.device)
    shift = torch.zeros(len(POSE), len(MOTION), device=unit.device)
    shift[range(len(POSE)), [MOTION.index(name) for name in POSE]] = 1
    return Identity(values, label, label, label), pose + ((unit[:, WIDTH:] * 2 - 1) * reach) @ shift


def packed(who: Identity) -> Tensor:
    """`unit` [N, WIDTH + 5] of avatars at rest."""
    low, high = (edge.to(who.values.device) for edge in (family().low, family().high))
    pose = torch.full((len(who), len(POSE)), 0.5, device=who.values.device)
    return torch.cat([(who.values - low) / (high - low), pose], 1)


def random_portraits(count: int, rng: torch.Generator) -> Tensor:
    """`unit` [count, WIDTH + 5] of random avatars in random calm poses."""
    unit = packed(sample(count, rng))
    pose = torch.rand(count, len(POSE), generator=rng, device=rng.device)
    return torch.cat([unit[:, :WIDTH], pose], 1)


def importance(rng: torch.Generator, count: int = 24) -> Tensor:
    """[WIDTH + 5]: mean square change of the pixels when one parameter moves over its range, to weigh errors by."""
    unit = random_portraits(count, rng)
    with torch.no_grad():
        before = draw(unit, 32)
        weights = []
        for column in range(unit.shape[1]):
            moved = unit.clone()
            moved[:, column] = torch.where(moved[:, column] > 0.5, moved[:, column] - 0.5, moved[:, column] + 0.5)
            weights.append((draw(moved, 32) - before).square().mean() * 4)
    weight = torch.stack(weights)
    return weight / weight.mean() + 0.02


def load() -> PortraitReader:
    """The trained reader."""
    return judges.load(PortraitReader(), "portrait_reader", WEIGHTS)


def train(minutes: float, device: str, renderer: Renderer = render) -> PortraitReader:
    """Regression on fresh renders, each parameter weighed by what it does to the picture."""
    rng = generator(9_000, device=device)
    reader = PortraitReader().to(device)
    weight = importance(rng)

    def loss() -> Tensor:
        with torch.no_grad():
            unit = random_portraits(64, rng)
            picture = judges.blurred(draw(unit, _SIZE, renderer), rng, 0.4)
        error: Tensor = reader(picture) - unit
        return (error.square() * weight).mean()

    for step, value in judges.train(reader, loss, minutes, 2e-3):
        print(f"step {step} loss {value:.4f}", flush=True)  # noqa: T201
    return reader.eval()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the reader of portraits.")
    parser.add_argument("--train", action="store_true", required=True)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="compile the renderer: 4 times as fast")
    chosen = parser.parse_args()
    renderer = torch.compile(render) if chosen.compile else render
    judges.save(train(chosen.minutes, chosen.device, renderer), "portrait_reader", WEIGHTS)


if __name__ == "__main__":
    main()
