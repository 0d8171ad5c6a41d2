"""A second opinion on the mouth, from a face model that has never seen an avatar: MediaPipe's mesh (extra `evaluate`).

Knows nothing of renders; what it measures on the true video is the ceiling of what it can say of any other.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lora_repository.finding import problem
from lora_repository.i18n import _

_LIPS = ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402))
"""Points of the inner lips, upper and lower."""
_EYES = (33, 263)
_SIDE = 256  # the mesh finds small faces less surely
_MARGIN = 10  # pixels: its crops are wider than a portrait, 0.87 of the true video's opening instead of 0.85


def available() -> bool:
    """Is the extra installed?"""
    return importlib.util.find_spec("mediapipe") is not None


def lip_gap(video: Tensor) -> tuple[Tensor, float]:
    """Gap between the inner lips over the distance of the outer eye corners [T] (held where no face is found), and the
    share of frames with a face, for video [T, 3, H, W] in 0..1.

    Every frame is read by itself, and once more in the mirror: the mean of both halves what the mesh makes up."""
    if not available():
        raise problem("AVATAR011", _("Landmarks need MediaPipe."), 'pip install "liveavatar-tui[evaluate]"')
    import mediapipe

    wide = functional.pad(video, (_MARGIN,) * 4, mode="replicate")
    large = functional.interpolate(wide, size=(_SIDE, _SIDE), mode="bicubic").clamp(0, 1)
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1) as mesh:
        plain, found = _read(mesh, large)
        mirrored, _found = _read(mesh, large.flip(-1))
    return (plain + mirrored) / 2, found


def _read(mesh: Any, video: Tensor) -> tuple[Tensor, float]:
    """Gaps over the mean distance of the eyes [T], and the share of frames with a face."""
    frames = (video.permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy()
    rows: list[tuple[float, float]] = []
    found = 0
    for frame in frames:
        faces = mesh.process(np.ascontiguousarray(frame)).multi_face_landmarks
        found += bool(faces)
        rows.append(_gap(faces[0].landmark) if faces else (rows[-1] if rows else (0.0, 1.0)))
    gaps, eyes = torch.tensor(rows).unbind(1)
    return gaps / eyes.mean(), found / max(1, len(rows))


def _gap(points: Sequence[Any]) -> tuple[float, float]:
    """Gap of the lips and distance of the eyes, in widths of the picture."""

    def distance(pair: tuple[int, int]) -> float:
        first, second = points[pair[0]], points[pair[1]]
        return math.hypot(first.x - second.x, first.y - second.y)

    return sum(map(distance, _LIPS)) / len(_LIPS), max(distance(_EYES), 1e-6)
