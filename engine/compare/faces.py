"""A face in each frame of a photographed video, by MediaPipe's mesh (extra `evaluate`): mouth, place, and its shape.

The shape is where eyes, brows, nose and jaw lie once the outer corners of the eyes are put in one place: enough to see
that a face changes or is another's, not enough to know a person by. Knows no sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.embedded.metrics import landmarks
from lora_repository.finding import problem
from lora_repository.i18n import _

_EYES: Final = (33, 263)
_LIPS: Final = ((13, 14), (82, 87), (312, 317))
_SIDES: Final = (234, 454)
_SHAPE: Final = (
    *(33, 133, 159, 145, 263, 362, 386, 374),  # eyes
    *(70, 105, 107, 300, 334, 336),  # brows
    *(6, 4, 98, 327),  # nose
    *(234, 132, 172, 150, 152, 379, 397, 361, 454),  # jaw
)
_SIDE: Final = 256


@dataclass(frozen=True)
class Faces:
    """`gap` [T] of the lips and `place` [T, 2] of the face in widths of it; `shape` [T, 54]; `found` the share of
    frames with a face; where there is none, the last one stands."""

    gap: Tensor
    place: Tensor
    shape: Tensor
    found: float
    most: int
    """Faces in the frame that had most."""


def read(video: Tensor, at_most: int = 1) -> Faces:
    """Of video [T, 3, H, W] in 0..1; raises Problem AVATAR011 without MediaPipe."""
    if not landmarks.available():
        raise problem("AVATAR011", _("Landmarks need MediaPipe."), 'pip install "liveavatar-tui[evaluate]"')
    import mediapipe

    large = functional.interpolate(video, scale_factor=max(1.0, _SIDE / min(video.shape[-2:])), mode="bilinear")
    frames = (large.permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy()
    points: list[np.ndarray[Any, np.dtype[np.float32]]] = []
    found = most = 0
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=at_most) as mesh:
        for frame in frames:
            faces = mesh.process(np.ascontiguousarray(frame)).multi_face_landmarks or []
            found += bool(faces)
            most = max(most, len(faces))
            if faces:
                scale = (frame.shape[1], frame.shape[0])
                points.append(np.array([(p.x * scale[0], p.y * scale[1]) for p in faces[0].landmark], np.float32))
            else:
                points.append(points[-1] if points else np.zeros((468, 2), np.float32))
    return _described(torch.from_numpy(np.stack(points)), found / max(1, len(frames)), most)


def _described(points: Tensor, found: float, most: int) -> Faces:
    """From points [T, 468, 2] in pixels."""
    left, right = points[:, _EYES[0]], points[:, _EYES[1]]
    between = (right - left).norm(dim=-1).clamp(min=1e-6)
    width = (points[:, _SIDES[0]] - points[:, _SIDES[1]]).norm(dim=-1).clamp(min=1e-6)
    gap = torch.stack([(points[:, a] - points[:, b]).norm(dim=-1) for a, b in _LIPS]).mean(0) / between
    axis = (right - left) / between[:, None]
    turn = torch.stack((axis, torch.stack((-axis[:, 1], axis[:, 0]), -1)), 1)  # rows: along the eyes, across
    shape = points[:, list(_SHAPE)] - ((left + right) / 2)[:, None]
    upright = torch.einsum("tij,tpj->tpi", turn, shape) / between[:, None, None]
    place = points[:, list(_SIDES)].mean(1) / width.mean()
    return Faces(gap, place, upright.flatten(1), found, most)
