"""Sizes and lengths: which picture size a portrait gets, how many blocks a speech needs. Arithmetic only.

Knows no file, no torch and no picture library, so that the face can tell size and length before anything is started.
"""

from __future__ import annotations

import math
from typing import Final

from engine.spec import BLOCKS_PER_CLIP, FPS, FRAMES_PER_BLOCK, FRAMES_PER_CLIP

SIDE_STEP: Final = 64
"""Sides are multiples of this: 8 pixels a latent, 2 latents a token, 4 tokens a far motion token (SPEC section 4)."""
_TRIES: Final = 100


def size_for(height: int, width: int, area: int) -> tuple[int, int]:
    """Height and width of the video for a portrait of `height` x `width` within `area` pixels (SPEC section 1, item 1).

    The largest of a hundred scales whose sides, rounded up to `SIDE_STEP`, stay within the area; for a picture smaller
    than the area that is its own size or less. Raises ValueError for sides or an area below one pixel.
    """
    if min(height, width, area) < 1:
        raise ValueError(f"no video fits: picture {height}x{width}, area {area}")
    smallest, largest = _scales(height, width, area)
    for i in range(_TRIES):
        scale = largest - (largest - smallest) * i / _TRIES
        high, wide = _up(int(height * scale)), _up(int(width * scale))
        if high * wide <= area:
            return high, wide
    return _within(height, width, area)


def _scales(height: int, width: int, area: int) -> tuple[float, float]:
    pixels = height * width
    if pixels <= area:
        return 0.1, 1.0
    slack = SIDE_STEP - 1
    b, c = slack * (height + width), slack * slack - area
    return (-b + math.sqrt(b * b - 2 * pixels * c)) / (2 * pixels), math.sqrt(area / pixels)


def _up(side: int) -> int:
    return max(1, (side + SIDE_STEP - 1) // SIDE_STEP) * SIDE_STEP


def _down(side: float) -> int:
    return max(1, int(side) // SIDE_STEP) * SIDE_STEP


def _within(height: int, width: int, area: int) -> tuple[int, int]:
    """No scale fitted, as for a very long picture: sides of the picture's shape rounded down, never below one step."""
    high = _down(min(height, math.sqrt(area * height / width), area / SIDE_STEP))
    wide = _down(min(width, math.sqrt(area * width / height), area / high))
    return high, wide


def blocks_for(seconds: float, num_clip: int | None = None) -> int:
    """Blocks of a video as long as the speech, at least one; `num_clip` bounds it in clips of 48 frames."""
    blocks = max(1, math.ceil(seconds * FPS / FRAMES_PER_BLOCK))
    return blocks if num_clip is None else min(blocks, num_clip * BLOCKS_PER_CLIP)


def upstream_clips(vectors: int) -> int:
    """Clips that upstream makes of so many audio vectors at 30 Hz: one more than fit, so the last one ends silent."""
    return int(vectors / (FRAMES_PER_CLIP * 30 / FPS)) + 1
