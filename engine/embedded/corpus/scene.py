"""The coordinates that the renderer's layers are drawn in, and short names for identity and motion as fields.

Head units: the half height of the head is 1, y points down, (0, 0) is the middle of the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from engine.embedded.corpus.identity import Identity

MOTION: Final = (
    "open",
    "wide",
    "round",
    "teeth",
    "smile",
    "angry",
    "sad",
    "surprise",
    "eye",
    "gaze",
    "yaw",
    "pitch",
    "roll",
    "x",
    "y",
)
"""The last dimension of a motion tensor [..., 15]. `eye`: 1 open, 0 shut; angles in radians; x, y in half pictures."""


def rest(*shape: int, device: torch.device | str = "cpu") -> Tensor:
    """Motion [*shape, 15] of a calm face: mouth shut, eyes open."""
    motion = torch.zeros(*shape, len(MOTION), device=device)
    motion[..., MOTION.index("eye")] = 1
    return motion


@dataclass(frozen=True)
class Scene:
    """One batch of frames to draw. Fields are [B, H, W] or broadcast to it."""

    identity: Identity
    motion: Tensor
    x: Tensor
    y: Tensor
    pixel: float
    head_x: Tensor
    head_y: Tensor
    head_pixel: Tensor
    face_x: Tensor
    face_y: Tensor

    def i(self, name: str) -> Tensor:
        """An identity scalar as a field [B, 1, 1]."""
        return self.identity.scalar(name)[:, None, None]

    def m(self, name: str) -> Tensor:
        """A motion channel as a field [B, 1, 1]."""
        return self.motion[:, MOTION.index(name), None, None]

    def colour(self, name: str) -> Tensor:
        """An identity colour [B, 3]."""
        return self.identity.colour(name)

    def constant(self, red: float, green: float, blue: float) -> Tensor:
        """One colour for everybody [1, 3], made without a copy from the host."""
        skin = self.identity.colour("skin")[:1] * 0
        return torch.cat([skin[:, :1] + red, skin[:, 1:2] + green, skin[:, 2:] + blue], 1)


def build(identity: Identity, motion: Tensor, size: int) -> Scene:
    """Place the heads: `motion` [B, 15] for B identities, square frames of `size` pixels."""
    step = torch.arange(size, device=motion.device, dtype=motion.dtype)
    line = (step + 0.5) / size * 2 - 1
    x, y = line.view(1, 1, size), line.view(1, size, 1)

    def i(name: str) -> Tensor:
        return identity.scalar(name)[:, None, None]

    def m(name: str) -> Tensor:
        return motion[:, MOTION.index(name), None, None]

    scale = i("scale")
    dx = x - i("cx") - m("x")
    dy = y - i("cy") - m("y") - 0.6 * scale  # the neck's foot: the head leans about it
    cos, sin = torch.cos(m("roll")), torch.sin(m("roll"))
    head_x = (dx * cos + dy * sin) / scale
    head_y = (dy * cos - dx * sin) / scale + 0.6
    return Scene(
        identity=identity,
        motion=motion,
        x=x,
        y=y,
        pixel=2.0 / size,
        head_x=head_x,
        head_y=head_y,
        head_pixel=2.0 / size / scale,
        face_x=head_x + 0.42 * m("yaw"),  # features slide over the round head: a turn without three dimensions
        face_y=head_y - 0.42 * m("pitch"),
    )
