"""Is it the right person, and does it stay so? Distances between what the probe sees of two faces.

The background is left out: a prompt may change it. Knows no sound.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.embedded.metrics.probe import Reading


def distances(videos: list[Reading], portraits: Reading) -> Tensor:
    """[V, P]: mean absolute difference between the average frame of each video and each portrait."""
    seen = torch.stack([reading.person().mean(0) for reading in videos])
    return (seen[:, None] - portraits.person()[None]).abs().mean(-1)


def retrieval(videos: list[Reading], portraits: Reading) -> float:
    """Share of videos whose nearest portrait is their own; video v was made from portrait v."""
    nearest = distances(videos, portraits).argmin(1)
    return float((nearest == torch.arange(len(videos), device=nearest.device)).float().mean())


def drift(reading: Reading, parts: int = 4) -> list[float]:
    """Distance of each quarter of a video from its first second, as `distances` measures."""
    person = reading.person()
    start = person[:25].mean(0)
    return [float((quarter.mean(0) - start).abs().mean()) for quarter in person.chunk(parts)]
