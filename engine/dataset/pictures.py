"""Pictures of one person: large enough, sharp, one face, the same one, from several sides. Knows no torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from engine.dataset import codes, mesh
from engine.dataset.grades import Graded
from engine.job_folder import reason
from lora_repository.finding import Finding

LEAST_SIDE: Final = 512
LEAST_SHARPNESS: Final = 14.0
"""99th percentile of the Laplacian's size at 512 pixels: of drawn faces 52 to 84, of the same out of focus 7 to 10."""
_DARK, _BRIGHT = 30.0, 235.0
_SIDE: Final = 512
LEAST_FACE: Final = 0.15
MOST_STRANGE: Final = 0.03
"""Mean distance of points, in distances of the eyes, from the middle of the other pictures: of one drawn person up to
0.014, of a photograph among them 0.037. Drawn people are less apart than that, so only the very different is told."""
_TIMES_USUAL: Final = 3.0
_TURN_SPREAD: Final = 0.01


@dataclass(frozen=True)
class Looked:
    """A picture's grade so far, and its face where there is exactly one."""

    graded: Graded
    digest: str = ""
    face: mesh.Mesh | None = None


def look(path: Path, name: str, *, faces: bool) -> Looked:
    """One picture by itself; `faces`: whether they can be looked for."""
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file).convert("RGB")
    except OSError as fault:
        return _unreadable(name, reason(fault))
    except (Image.DecompressionBombError, SyntaxError, ValueError) as fault:
        return _unreadable(name, str(fault))
    findings = list(_of_pixels(picture))
    face = None
    if faces:
        pixels = np.asarray(picture, np.uint8)[None]
        seen = mesh.read(pixels, at_most=4)
        findings += _of_faces(seen, picture.width)
        face = seen if seen.most == 1 else None
    return Looked(Graded(name, tuple(findings)), hashlib.sha256(picture.tobytes()).hexdigest(), face)


def together(looked: list[Looked]) -> tuple[list[Graded], list[Finding]]:
    """All pictures, each also held against the others; and what is wrong with them together."""
    first: dict[str, str] = {}
    graded = []
    middle = _middle(looked)
    usual = 0.0 if middle is None else float(np.median([_far(one.face, middle) for one in looked if one.face]))
    for one in looked:
        findings = list(one.graded.findings)
        if one.digest and one.digest in first:
            findings.append(codes.PICTURE_TWICE.finding(other=first[one.digest]))
        first.setdefault(one.digest, one.graded.name)
        if one.face is not None and middle is not None:
            far = _far(one.face, middle)
            if far > max(MOST_STRANGE, _TIMES_USUAL * usual):
                findings.append(codes.warning(codes.FACE_STRANGE, found=f"{far:.3f}", most=MOST_STRANGE))
        graded.append(replace(one.graded, findings=tuple(findings)))
    return graded, _poses(looked)


def sharpness(picture: Image.Image) -> float:
    """99th percentile of the size of the Laplacian of the brightness, at 512 pixels across."""
    small = ImageOps.contain(picture.convert("L"), (_SIDE, _SIDE))
    grey: NDArray[np.float32] = np.asarray(small, np.float32)
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.percentile(np.abs(4 * grey[1:-1, 1:-1] - around), 99))


def _of_pixels(picture: Image.Image) -> list[Finding]:
    found = []
    if min(picture.size) < LEAST_SIDE:
        found.append(codes.PICTURE_SMALL.finding(found=f"{picture.width}x{picture.height}", least=LEAST_SIDE))
    sharp = sharpness(picture)
    if sharp < LEAST_SHARPNESS:
        found.append(codes.PICTURE_SOFT.finding(found=f"{sharp:.0f}", least=f"{LEAST_SHARPNESS:.0f}"))
    mean = float(np.asarray(picture.convert("L")).mean())
    if not _DARK < mean < _BRIGHT:
        found.append(codes.PICTURE_EXPOSURE.finding(found=f"{mean:.0f}"))
    return found


def _of_faces(seen: mesh.Mesh, width: int) -> list[Finding]:
    if seen.most == 0:
        return [codes.FACE_MISSING.finding()]
    if seen.most > 1:
        return [codes.FACES_SEVERAL.finding(n=seen.most)]
    share = float(seen.width[0]) / width
    return [codes.warning(codes.FACE_SMALL, percent=f"{100 * share:.0f}")] if share < LEAST_FACE else []


def _middle(looked: list[Looked]) -> NDArray[np.float32] | None:
    """The face that most pictures show; None below three of them."""
    shapes = [one.face.shape[0] for one in looked if one.face is not None]
    return np.asarray(np.median(shapes, axis=0), np.float32) if len(shapes) >= 3 else None


def _far(face: mesh.Mesh, middle: NDArray[np.float32]) -> float:
    return float(np.abs(face.shape[0] - middle).mean())


def _poses(looked: list[Looked]) -> list[Finding]:
    turns = [float(one.face.turn[0]) for one in looked if one.face is not None]
    if len(turns) >= 3 and float(np.std(turns)) < _TURN_SPREAD:
        return [codes.warning(codes.POSES_ALIKE)]
    return []


def _unreadable(name: str, why: str) -> Looked:
    return Looked(Graded(name, (codes.PICTURE_UNREADABLE.finding(reason=why),)))
