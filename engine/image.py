"""From a portrait file to the picture that the model sees: upright, opaque, scaled, cut, in [-1, 1].

The picture covers the frame whole; upstream's own way, which leaves black borders on 16:9 portraits, is kept for parity
(SPEC section 1, item 2, and section 12, flaw 19). Knows no model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from engine import codes
from engine.job_folder import reason
from engine.media import SIDE_STEP

_SIXTEEN_BITS: Final = frozenset({"I", "I;16", "I;16B", "I;16L"})
_TO_EIGHT_BITS: Final = 1 / 257
_PAPER: Final = (255, 255, 255)
"""What shows through where a portrait is transparent."""


def open_portrait(path: Path, *, parity: bool = False) -> Image.Image:
    """The picture as RGB, turned upright and laid on white; in parity mode just its RGB values, as upstream reads it.

    Raises Problem RUN021 when it cannot be read, RUN023 when its shorter side is below 64 pixels.
    """
    try:
        with Image.open(path) as file:
            picture = file.convert("RGB") if parity else _flatten(ImageOps.exif_transpose(file))
    except OSError as fault:
        raise codes.IMAGE_UNREADABLE.problem(path=str(path), reason=reason(fault)) from fault
    except (Image.DecompressionBombError, SyntaxError, ValueError) as fault:
        raise codes.IMAGE_UNREADABLE.problem(path=str(path), reason=str(fault)) from fault
    if min(picture.size) < SIDE_STEP:
        found = f"{picture.width}x{picture.height}"
        raise codes.IMAGE_TOO_SMALL.problem(path=str(path), found=found, least=SIDE_STEP)
    return picture


def _flatten(picture: Image.Image) -> Image.Image:
    if picture.mode in _SIXTEEN_BITS:
        grey = np.clip(np.asarray(picture) * _TO_EIGHT_BITS, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if picture.has_transparency_data:
        paper = Image.new("RGBA", picture.size, _PAPER)
        return Image.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")


def cover(picture: Image.Image, height: int, width: int) -> Image.Image:
    """Scaled so that it fills `height` x `width` exactly, what is over cut off evenly on both sides."""
    scale = max(height / picture.height, width / picture.width)
    cut_x = max(0.0, (picture.width - width / scale) / 2)
    cut_y = max(0.0, (picture.height - height / scale) / 2)
    box = (cut_x, cut_y, picture.width - cut_x, picture.height - cut_y)
    return picture.resize((width, height), Image.Resampling.BILINEAR, box=box)


def upstream_fit(picture: Image.Image, height: int, width: int) -> Image.Image:
    """Upstream's way: the picture's shorter side to the frame's shorter side, then cut or filled up with black."""
    short, shorter = min(height, width), min(picture.size)
    sides = [short if side == shorter else int(short * side / shorter) for side in picture.size]
    scaled = picture.resize((sides[0], sides[1]), Image.Resampling.BILINEAR)
    left, top = _offset(scaled.width, width), _offset(scaled.height, height)
    return scaled.crop((left, top, left + width, top + height))


def _offset(found: int, wanted: int) -> int:
    """Where a centred cut of `wanted` begins; negative where there is less, and the odd pixel then falls behind."""
    return round((found - wanted) / 2) if found >= wanted else -((wanted - found) // 2)


def to_tensor(picture: Image.Image) -> Tensor:
    """`[1, 3, 1, H, W]` float32 in [-1, 1]."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
    return (pixels * 2 - 1)[None, :, None]


def prepare(path: Path, height: int, width: int, *, parity: bool = False) -> Tensor:
    """A portrait file as the model's picture `[1, 3, 1, height, width]`; raises Problem RUN021, RUN023."""
    picture = open_portrait(path, parity=parity)
    return to_tensor(upstream_fit(picture, height, width) if parity else cover(picture, height, width))
