"""A picture as character cells: each cell shows two pixels, one above the other, as a half block.

Knows no widget. Needs Pillow and numpy, so it is imported by whoever decodes frames, never when the app starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from liveavatar_tui.terminal.capabilities import PictureMode

Pixels = npt.NDArray[np.uint8]

_CUBE: Final = np.array([0, 95, 135, 175, 215, 255], dtype=np.uint8)  # the levels of the 256-colour palette's cube
_CUBE_EDGES: Final = np.array([48, 115, 155, 195, 235])
_RAMP: Final = np.array(list(" .:-=+*#%@"))
_KEPT_BITS: Final = 0b11111000  # 5 bits a channel: finer steps cost bytes and are not seen at this size


@dataclass(frozen=True, slots=True)
class CellPicture:
    """A picture ready to draw: `pixels` is uint8 [2 * rows, columns, 3], in ASCII the index into the ramp
    [rows, columns, 1]."""

    pixels: Pixels
    mode: PictureMode

    @property
    def columns(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def rows(self) -> int:
        return int(self.pixels.shape[0]) // (1 if self.mode is PictureMode.ASCII else 2)


def fit(width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
    """Largest (columns, rows) inside the box that keeps the picture's shape; a cell is twice as high as wide."""
    scale = min(columns / width, 2 * rows / height)
    return max(1, min(columns, round(width * scale))), max(1, min(rows, round(height * scale / 2)))


def load(path: Path, columns: int, rows: int, mode: PictureMode) -> CellPicture:
    """Decode a picture to fit the box of cells. Raises OSError for a file that is no picture or not whole.

    JPEG is decoded at the nearest eighth of its size (`draft`): 0.4 ms for a frame of 480 x 270.
    """
    try:
        with Image.open(path) as image:
            columns, rows = fit(image.width, image.height, columns, rows)
            across = (columns, rows if mode is PictureMode.ASCII else 2 * rows)
            image.draft("RGB", across)
            small = image.convert("RGB").resize(across, Image.Resampling.BOX)
    except (ValueError, SyntaxError, Image.DecompressionBombError) as fault:  # what Pillow says of damaged files
        raise OSError(str(fault)) from fault
    return CellPicture(_quantise(np.asarray(small), mode), mode)


def _quantise(pixels: Pixels, mode: PictureMode) -> Pixels:
    if mode is PictureMode.TRUECOLOR:
        return np.asarray((pixels & _KEPT_BITS) | 4, dtype=np.uint8)
    if mode is PictureMode.PALETTE:
        return np.asarray(_CUBE[np.digitize(pixels, _CUBE_EDGES)], dtype=np.uint8)
    light = pixels @ np.array([0.299, 0.587, 0.114])
    return np.asarray(light * len(_RAMP) / 256, dtype=np.uint8)[..., None]


def ramp(indices: Pixels) -> str:
    """One row of ASCII: indices [columns] to characters."""
    return "".join(_RAMP[indices].tolist())


def keep_small_changes_out(shown: Pixels, wanted: Pixels, threshold: int) -> Pixels:
    """`wanted`, but a pixel within `threshold` in each channel stays as `shown`: noise costs no bytes."""
    moved = np.abs(wanted.astype(np.int16) - shown).max(axis=-1, keepdims=True) > threshold
    return np.where(moved, wanted, shown)
