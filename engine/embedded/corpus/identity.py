"""Who an avatar is: some seventy numbers, drawn at random, packed in one tensor.

Knows nothing of motion or pixels. Training and held-out identities come from disjoint seeds (`generator`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import torch
from torch import Tensor

Colour = tuple[float, float, float]

BACKGROUNDS: Final[dict[str, Colour]] = {
    "blue": (0.25, 0.45, 0.85),
    "green": (0.30, 0.68, 0.38),
    "red": (0.82, 0.28, 0.28),
    "yellow": (0.93, 0.83, 0.38),
    "white": (0.95, 0.95, 0.95),
    "black": (0.12, 0.12, 0.14),
    "gray": (0.55, 0.55, 0.58),
    "purple": (0.55, 0.36, 0.76),
    "pink": (0.96, 0.68, 0.78),
    "orange": (0.96, 0.60, 0.27),
}
HAIRS: Final[dict[str, Colour]] = {
    "black": (0.10, 0.09, 0.11),
    "brown": (0.38, 0.23, 0.13),
    "blond": (0.90, 0.74, 0.42),
    "red": (0.72, 0.29, 0.13),
    "gray": (0.68, 0.68, 0.70),
    "blue": (0.24, 0.40, 0.78),
    "pink": (0.90, 0.50, 0.66),
}
CLOTHES: Final[dict[str, Colour]] = {
    "red": (0.75, 0.19, 0.21),
    "blue": (0.19, 0.32, 0.66),
    "green": (0.17, 0.50, 0.32),
    "white": (0.92, 0.92, 0.93),
    "black": (0.15, 0.15, 0.17),
    "yellow": (0.91, 0.76, 0.27),
    "purple": (0.46, 0.27, 0.62),
    "teal": (0.15, 0.55, 0.58),
}
SKINS: Final[tuple[Colour, ...]] = (
    (1.00, 0.87, 0.76),
    (0.97, 0.80, 0.66),
    (0.88, 0.68, 0.51),
    (0.74, 0.53, 0.38),
    (0.58, 0.39, 0.27),
    (0.44, 0.29, 0.21),
)
IRISES: Final[tuple[Colour, ...]] = ((0.32, 0.19, 0.09), (0.20, 0.44, 0.74), (0.26, 0.50, 0.28), (0.42, 0.44, 0.46))
FRAMES: Final[tuple[Colour, ...]] = ((0.12, 0.12, 0.14), (0.52, 0.12, 0.14), (0.72, 0.58, 0.26), (0.16, 0.28, 0.50))
ACCENTS: Final[tuple[Colour, ...]] = ((0.95, 0.95, 0.96), (0.97, 0.84, 0.42), (0.62, 0.78, 0.92), (0.93, 0.62, 0.62))

COLOURS: Final = ("skin", "hair", "background", "cloth", "iris", "lips", "frame", "accent")
RANGES: Final[dict[str, tuple[float, float]]] = {
    "bg_gradient": (0.0, 1.0),
    "bg_glow": (0.0, 1.0),
    "bg_slant": (-1.0, 1.0),
    "bg_frequency": (7.0, 13.0),
    "cx": (-0.04, 0.04),
    "cy": (-0.10, -0.03),
    "scale": (0.60, 0.66),
    "face_width": (0.71, 0.89),
    "jaw": (0.05, 0.75),
    "ear": (0.85, 1.2),
    "hair_volume": (0.0, 0.16),
    "hair_length": (0.35, 1.45),
    "hair_flare": (-0.10, 0.16),
    "curl": (0.03, 0.06),
    "curl_count": (13.0, 19.0),
    "fringe": (0.02, 0.20),
    "fringe_frequency": (1.5, 5.0),
    "fringe_phase": (0.0, 6.28),
    "hairline": (-0.66, -0.46),
    "temple": (0.15, 0.70),
    "part": (-0.45, 0.45),
    "shoulder": (0.88, 1.14),
    "neckline": (0.6, 1.3),
    "blush": (0.0, 0.55),
    "nose": (0.8, 1.35),
    "nose_length": (0.85, 1.15),
    "eye_gap": (0.29, 0.355),
    "eye_size": (0.155, 0.20),
    "eye_height": (0.76, 0.98),
    "eye_tilt": (-0.16, 0.16),
    "brow_thickness": (0.022, 0.052),
    "brow_height": (-0.03, 0.03),
    "brow_arch": (0.3, 1.1),
    "mouth_rest": (0.02, 0.26),
    "mouth_width": (0.27, 0.36),
    "lip": (0.026, 0.055),
    "mouth_gain": (0.92, 1.12),
    "beard_line": (0.22, 0.48),
}
CHANCES: Final[dict[str, float]] = {
    "bg_stripes": 0.18,
    "has_hair": 0.94,
    "long_hair": 0.45,
    "curly": 0.22,
    "bun": 0.12,
    "side_part": 0.5,
    "v_neck": 0.35,
    "jacket": 0.3,
    "turtleneck": 0.12,
    "beard": 0.16,
    "moustache": 0.08,
    "glasses": 0.22,
    "glasses_round": 0.55,
    "earrings": 0.16,
}
SCALARS: Final = (*RANGES, *CHANCES)
WIDTH: Final = 3 * len(COLOURS) + len(SCALARS)
_TRAIN_SEED: Final = 1_000_003
_HELD_OUT_SEED: Final = 900_000_041


@dataclass(frozen=True)
class Identity:
    """A batch of avatars: `values` [B, WIDTH] f32; `hair`, `background`, `cloth` [B] int64 index the palettes."""

    values: Tensor
    hair: Tensor
    background: Tensor
    cloth: Tensor

    def __len__(self) -> int:
        return self.values.shape[0]

    def colour(self, name: str) -> Tensor:
        """[B, 3] in 0..1."""
        start = 3 * COLOURS.index(name)
        return self.values[:, start : start + 3]

    def scalar(self, name: str) -> Tensor:
        """[B]."""
        return self.values[:, 3 * len(COLOURS) + SCALARS.index(name)]

    def select(self, index: Tensor) -> Identity:
        """The avatars at `index` [M], repeats allowed."""
        return Identity(self.values[index], self.hair[index], self.background[index], self.cloth[index])

    def repeat(self, times: int) -> Identity:
        """Each avatar `times` times in a row: [B * times], as the frames of a clip need."""
        parts = (self.values, self.hair, self.background, self.cloth)
        return Identity(*(part.repeat_interleave(times, 0) for part in parts))

    def to(self, device: torch.device | str) -> Identity:
        """The same avatars on another device."""
        return Identity(self.values.to(device), self.hair.to(device), self.background.to(device), self.cloth.to(device))

    def with_background(self, background: Tensor, chosen: Tensor) -> Identity:
        """Where `chosen` [B] bool, in front of palette colour `background` [B]; elsewhere unchanged."""
        start = 3 * COLOURS.index("background")
        palette = self.values.new_tensor(list(BACKGROUNDS.values()))
        colour = torch.where(chosen[:, None], palette[background], self.colour("background"))
        values = torch.cat([self.values[:, :start], colour, self.values[:, start + 3 :]], 1)
        return replace(self, values=values, background=torch.where(chosen, background, self.background))


def generator(seed: int, *, held_out: bool = False, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator whose stream is disjoint between training and held-out identities."""
    offset = _HELD_OUT_SEED if held_out else _TRAIN_SEED
    return torch.Generator(device).manual_seed(offset + seed)


def sample(count: int, rng: torch.Generator) -> Identity:
    """`count` random avatars on the generator's device. No value leaves the device."""
    device = rng.device
    skin = _skin(count, rng)
    hair, hair_index = _pick(tuple(HAIRS.values()), count, rng, 0.04)
    background, background_index = _pick(tuple(BACKGROUNDS.values()), count, rng, 0.03)
    cloth, cloth_index = _pick(tuple(CLOTHES.values()), count, rng, 0.04)
    warmth = torch.tensor([0.16, -0.10, -0.06], device=device) + _uniform(count, rng, -0.04, 0.06, 3)
    lips = (skin * 0.80 + warmth).clamp(0, 1)
    others = [_pick(palette, count, rng, 0.03)[0] for palette in (IRISES, FRAMES, ACCENTS)]
    colours = torch.cat([skin, hair, background, cloth, others[0], lips, others[1], others[2]], 1)
    scalars = [_uniform(count, rng, low, high) for low, high in RANGES.values()]
    switches = [(_uniform(count, rng, 0, 1) < chance).float() for chance in CHANCES.values()]
    values = torch.cat([colours, torch.stack(scalars + switches, 1)], 1)
    return Identity(values, hair_index, background_index, cloth_index)


@dataclass(frozen=True)
class Family:
    """The borders of what `sample` can draw: `low` and `high` of each of the values, [WIDTH], and which are 0 or 1."""

    low: Tensor
    high: Tensor
    is_switch: Tensor


@cache
def family() -> Family:
    """Of all avatars, on the CPU."""
    colours, switches = 3 * len(COLOURS), len(CHANCES)
    low = [0.0] * colours + [low for low, _high in RANGES.values()] + [0.0] * switches
    high = [1.0] * colours + [high for _low, high in RANGES.values()] + [1.0] * switches
    return Family(torch.tensor(low), torch.tensor(high), torch.arange(WIDTH) >= WIDTH - switches)


def _uniform(count: int, rng: torch.Generator, low: float, high: float, *width: int) -> Tensor:
    return torch.rand(count, *width, generator=rng, device=rng.device) * (high - low) + low


def _pick(palette: tuple[Colour, ...], count: int, rng: torch.Generator, jitter: float) -> tuple[Tensor, Tensor]:
    index = torch.randint(len(palette), (count,), generator=rng, device=rng.device)
    colour = torch.tensor(palette, device=rng.device)[index] + _uniform(count, rng, -jitter, jitter, 3)
    return colour.clamp(0, 1), index


def _skin(count: int, rng: torch.Generator) -> Tensor:
    """Between two neighbouring tones of the table, so that every tone between the lightest and the deepest occurs."""
    tones = torch.tensor(SKINS, device=rng.device)
    place = _uniform(count, rng, 0, len(SKINS) - 1.001)
    below = place.long()
    weight = (place - below)[:, None]
    return tones[below] * (1 - weight) + tones[below + 1] * weight
