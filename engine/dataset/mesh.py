"""Points of the faces in pictures, by MediaPipe's mesh (extra `evaluate`): mouth, place, and the shape of the face.

The shape is where eyes, brows, nose and jaw lie once the outer corners of the eyes are put in one place: enough to see
that a face changes or is another's, not enough to know a person by. Knows no sound and no torch.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lora_repository.finding import problem
from lora_repository.i18n import _

Floats = NDArray[np.float32]

_EYES: Final = (33, 263)
_LIPS: Final = ((13, 14), (82, 87), (312, 317))
_SIDES: Final = (234, 454)
_NOSE: Final = 4
_SHAPE: Final = (
    *(33, 133, 159, 145, 263, 362, 386, 374),  # eyes
    *(70, 105, 107, 300, 334, 336),  # brows
    *(6, 4, 98, 327),  # nose
    *(234, 132, 172, 150, 152, 379, 397, 361, 454),  # jaw
)
_POINTS: Final = 468
_SIDE: Final = 256
"""Smaller pictures are enlarged to this: the mesh finds small faces less surely."""


@dataclass(frozen=True)
class Mesh:
    """`points` [T, 468, 2] in pixels; where there is no face, the last one stands. `found`: the share of
    pictures with a face; `most`: faces in the one that has most."""

    points: Floats
    found: float
    most: int

    @property
    def gap(self) -> Floats:
        """Of the lips, over the distance of the eyes: [T]."""
        apart = [np.linalg.norm(self.points[:, a] - self.points[:, b], axis=-1) for a, b in _LIPS]
        return np.asarray(np.mean(apart, axis=0) / self._between, np.float32)

    @property
    def place(self) -> Floats:
        """Of the face, in its mean widths: [T, 2]."""
        return np.asarray(self.points[:, list(_SIDES)].mean(axis=1) / self.width.mean(), np.float32)

    @property
    def width(self) -> Floats:
        """Of the face in pixels: [T]."""
        apart = np.linalg.norm(self.points[:, _SIDES[0]] - self.points[:, _SIDES[1]], axis=-1)
        return np.asarray(np.maximum(apart, 1e-6), np.float32)

    @property
    def turn(self) -> Floats:
        """How far the nose is off the middle of the face, -0.5 to 0.5 of its width: [T]."""
        middle = self.points[:, list(_SIDES)].mean(axis=1)
        return np.asarray((self.points[:, _NOSE, 0] - middle[:, 0]) / self.width, np.float32)

    @property
    def shape(self) -> Floats:
        """[T, 54]: points over the distance of the eyes, the eyes level and in the middle."""
        left, right = self.points[:, _EYES[0]], self.points[:, _EYES[1]]
        axis = (right - left) / self._between[:, None]
        upright = np.stack((axis, np.stack((-axis[:, 1], axis[:, 0]), -1)), 1)
        moved = self.points[:, list(_SHAPE)] - ((left + right) / 2)[:, None]
        turned = np.einsum("tij,tpj->tpi", upright, moved) / self._between[:, None, None]
        return np.asarray(turned.reshape(len(turned), -1), np.float32)

    @property
    def _between(self) -> Floats:
        apart = np.linalg.norm(self.points[:, _EYES[1]] - self.points[:, _EYES[0]], axis=-1)
        return np.asarray(np.maximum(apart, 1e-6), np.float32)


def available() -> bool:
    """Is the extra installed?"""
    return importlib.util.find_spec("mediapipe") is not None


def read(frames: NDArray[np.uint8], at_most: int = 1) -> Mesh:
    """Of pictures [T, H, W, 3]; raises Problem AVATAR011 without MediaPipe."""
    if not available():
        raise problem("AVATAR011", _("Landmarks need MediaPipe."), _('pip install "liveavatar-tui[evaluate]"'))
    import mediapipe

    height, width = frames.shape[1:3]
    scale = max(1.0, _SIDE / min(height, width))
    points: list[Floats] = []
    found = most = 0
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=at_most) as mesh:
        for frame in frames:
            seen = frame
            if scale > 1:
                size = (round(width * scale), round(height * scale))
                seen = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC))
            faces: list[Any] = mesh.process(np.ascontiguousarray(seen)).multi_face_landmarks or []
            found += bool(faces)
            most = max(most, len(faces))
            if faces:
                points.append(np.array([(p.x * width, p.y * height) for p in faces[0].landmark[:_POINTS]], np.float32))
            else:
                points.append(points[-1] if points else np.zeros((_POINTS, 2), np.float32))
    return Mesh(np.stack(points), found / max(1, len(frames)), most)
