"""What an adapter changes, read from the picture: clothes, wall, smile, how far the head turns. Knows no adapter."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.embedded.metrics import adherence
from engine.embedded.metrics.probe import Reading


def look(readings: list[Reading], videos: list[Tensor]) -> dict[str, float]:
    """Means over videos: colours in 0..1 as `clothes_red` and so on, `smile`, and the head's turning and nodding in
    radians (standard deviations)."""
    clothes = torch.stack([reading.colour("cloth").mean(0) for reading in readings]).mean(0)
    wall = torch.stack([adherence.background(video) for video in videos]).mean(0)
    told = {
        f"{name}_{hue}": float(colour[i])
        for name, colour in (("clothes", clothes), ("wall", wall))
        for i, hue in enumerate(("red", "green", "blue"))
    }
    for name, state in (("turning", "yaw"), ("nodding", "pitch")):
        told[name] = float(torch.stack([reading.state(state).std() for reading in readings]).mean())
    told["smile"] = float(torch.stack([reading.state("smile").mean() for reading in readings]).mean())
    return told
