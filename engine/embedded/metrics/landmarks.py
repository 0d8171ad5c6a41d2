"""A second opinion on the mouth, from a face model that has never seen an avatar: MediaPipe's mesh (extra `evaluate`).

Knows nothing of renders; what it measures on the true video is the ceiling of what it can say of any other.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import torch
from torch import Tensor

from lora_repository.finding import problem
from lora_repository.i18n import _

_UPPER_LIP, _LOWER_LIP = 13, 14
_EYES = (33, 263)
_SIDE = 256  # the mesh finds small faces less surely


def available() -> bool:
    """Is the extra installed?"""
    return importlib.util.find_spec("mediapipe") is not None


def lip_gap(video: Tensor) -> tuple[Tensor, float]:
    """Gap between the inner lips over the distance of the outer eye corners [T] (held where no face is found), and the
    share of frames with a face, for video [T, 3, H, W] in 0..1."""
    if not available():
        raise problem("AVATAR011", _("Landmarks need MediaPipe."), 'pip install "liveavatar-tui[evaluate]"')
    import mediapipe

    large = torch.nn.functional.interpolate(video, size=(_SIDE, _SIDE), mode="bicubic").clamp(0, 1)
    frames = (large.permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy()
    gaps: list[float] = []
    found = 0
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=False, max_num_faces=1) as mesh:
        for frame in frames:
            faces = mesh.process(np.ascontiguousarray(frame)).multi_face_landmarks
            found += bool(faces)
            gaps.append(_gap(faces[0].landmark) if faces else (gaps[-1] if gaps else 0.0))
    return torch.tensor(gaps), found / max(1, len(frames))


def _gap(points: list[object]) -> float:
    def place(index: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        point = points[index]
        return np.array([point.x, point.y])  # type: ignore[attr-defined]

    eyes = float(np.linalg.norm(place(_EYES[0]) - place(_EYES[1])))
    return float(np.linalg.norm(place(_LOWER_LIP) - place(_UPPER_LIP))) / max(eyes, 1e-6)
