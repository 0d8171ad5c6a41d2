"""Cells as a terminal takes them: half blocks and the colours that differ from the last cell's, nothing else.

A cell whose two pixels are alike is a space. Knows no widget; where a piece stands is added by whoever sends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from liveavatar_tui.terminal.capabilities import PictureMode
from liveavatar_tui.widgets.half_blocks import CellPicture, ramp

_Colour = tuple[int, int, int]
RESET = "\x1b[0m"


class Piece(NamedTuple):
    """Cells `first` to `end` of a row; `text` draws them with the colours that the piece before left behind."""

    row: int
    first: int
    end: int
    text: str


def written(picture: CellPicture, bounds: Iterable[tuple[int, int, int]]) -> tuple[Piece, ...]:
    """Pieces of `picture`, each a row, its first column and the one after its last."""
    if picture.mode is PictureMode.ASCII:
        return tuple(Piece(*bound, ramp(picture.pixels[bound[0], bound[1] : bound[2], 0])) for bound in bounds)
    colour = _true if picture.mode is PictureMode.TRUECOLOR else _palette
    pieces: list[Piece] = []
    front: _Colour | None = None
    back: _Colour | None = None
    for row, first, end in bounds:
        top, bottom = picture.pixels[2 * row : 2 * row + 2, first:end].tolist()
        parts: list[str] = []
        for upper, lower in zip(map(tuple, top), map(tuple, bottom), strict=True):
            codes = []
            if upper != lower and upper != front:
                codes.append(colour(38, upper))
                front = upper
            if lower != back:
                codes.append(colour(48, lower))
                back = lower
            sign = " " if upper == lower else "▀"
            parts.append(f"\x1b[{';'.join(codes)}m{sign}" if codes else sign)
        pieces.append(Piece(row, first, end, "".join(parts)))
    return tuple(pieces)


@lru_cache(1 << 16)
def _true(layer: int, colour: _Colour) -> str:
    red, green, blue = colour
    return f"{layer};2;{red};{green};{blue}"


@lru_cache(1 << 12)
def _palette(layer: int, colour: _Colour) -> str:
    """Of the cube of the 256 colours, whose levels are 0, 95, 135, 175, 215, 255."""
    red, green, blue = (max(0, (level - 35) // 40) for level in colour)
    return f"{layer};5;{16 + 36 * red + 6 * green + blue}"


def placed(pieces: Sequence[Piece], left: int, top: int) -> str:
    """The pieces of a picture whose upper left cell is at column `left`, row `top`, from 0; colours reset after."""
    return "".join(f"\x1b[{top + row + 1};{left + first + 1}H{text}" for row, first, _end, text in pieces) + RESET
