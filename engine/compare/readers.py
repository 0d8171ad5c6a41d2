"""What is read of a face in each frame of a video, whatever drew it: avatars by the probe, photographs by MediaPipe.

Videos are [T, 3, H, W] in 0..1. Knows no sound and no measure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor

from engine.dataset import mesh
from engine.embedded.metrics import adherence, probe

_FEATURES_SLIDE: Final = 0.42
"""Half head heights that the face slides over the head for a radian of turning (`corpus.scene`)."""
_FACE_WIDTH: Final = 1.6
"""Half head heights that a face is wide."""


@dataclass(frozen=True)
class Seen:
    """`opening` [T] of the mouth; `place` [T, 2] of the face in widths of it; `person` [T, D] who it is; `found`: the
    share of frames with a face; `feeling` and `background` are names, empty where nobody can tell."""

    opening: Tensor
    place: Tensor
    person: Tensor
    found: float
    feeling: str = ""
    background: str = ""


class Reader(Protocol):
    """Reads one kind of video."""

    name: str

    def read(self, video: Tensor) -> Seen: ...

    def person(self, pictures: Tensor) -> Tensor:
        """Who is in pictures [N, 3, H, W]: [D]."""
        ...


class AvatarReader:
    """Drawn faces, by a network that has seen nothing else."""

    name = "probe"

    def __init__(self) -> None:
        self._probe = probe.load()

    def read(self, video: Tensor) -> Seen:
        """Every frame has a face for the probe, so what it reads of a picture without one is caught by identity."""
        reading = self._probe.read(video)
        turned = torch.stack((reading.state("yaw"), reading.state("pitch")), 1)
        return Seen(
            opening=reading.state("open"),
            place=turned * (_FEATURES_SLIDE / _FACE_WIDTH),
            person=reading.person(),
            found=1.0,
            feeling=adherence.feeling(reading),
            background=adherence.background_name(video),
        )

    def person(self, pictures: Tensor) -> Tensor:
        return self._probe.read(pictures).person().mean(0)


class FaceReader:
    """Photographs, by MediaPipe's mesh (extra `evaluate`). Who it is, is read from the shape of the face alone."""

    name = "mesh"

    def read(self, video: Tensor) -> Seen:
        found = _mesh_of(video)
        gap, place, shape = (torch.from_numpy(part) for part in (found.gap, found.place, found.shape))
        return Seen(gap, place, shape, found.found)

    def person(self, pictures: Tensor) -> Tensor:
        return torch.from_numpy(_mesh_of(pictures).shape).mean(0)


def _mesh_of(video: Tensor) -> mesh.Mesh:
    return mesh.read((video.permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy())


def reader_for(*, embedded: bool) -> Reader:
    """The reader of a base model's videos; raises Problem AVATAR011 where MediaPipe is asked for and not there."""
    return AvatarReader() if embedded else FaceReader()
