"""What of a frame is sent: the cells that moved, most visible first, as many as the bytes allow; the rest comes later.

Knows no widget and no terminal. Needs numpy, so it is imported with the first frame. Shapes are those of `CellPicture`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from liveavatar_tui.pictures.writing import Piece, written
from liveavatar_tui.terminal.capabilities import PictureMode
from liveavatar_tui.widgets.half_blocks import CellPicture, Pixels, keep_small_changes_out

_Counts = npt.NDArray[np.int64]
_STEP: Final = 8
"""Cells of a line that are judged together."""
_THRESHOLD: Final = 8
_MOVE: Final = 8
"""Bytes that place the cursor."""
_COLOUR: Final = {PictureMode.TRUECOLOR: 17, PictureMode.PALETTE: 10, PictureMode.ASCII: 0}
"""Bytes that set one of a cell's two colours."""
_CELL: Final = 3


@dataclass(frozen=True, slots=True)
class Patch:
    """One step towards a frame: what the terminal shows after it, and the pieces of lines that change."""

    picture: CellPicture
    pieces: tuple[Piece, ...]
    size: int
    """About how many bytes it is."""
    fresh: bool
    """Whether the terminal showed a picture of another shape before: then everything is drawn."""


class Canvas:
    """Mutable: what the terminal shows, if every patch is drawn."""

    def __init__(self) -> None:
        self._shown: CellPicture | None = None
        self._whole = False
        self.behind = False
        """Whether the last frame was too large to be sent whole."""

    def step(self, wanted: CellPicture, allowance: int) -> Patch | None:
        """The next patch towards `wanted` of about `allowance` bytes, one piece at least; None for no change.

        A picture of another shape begins as a mosaic and is then drawn whole; after that noise within a threshold of 8
        stays as it is: it costs bytes and is not seen.
        """
        before = self._shown
        if before is None or (before.mode, before.pixels.shape) != (wanted.mode, wanted.pixels.shape):
            self._shown = CellPicture(_mosaic(wanted), wanted.mode)
            self.behind, self._whole = True, False
            ground = wanted.rows * -(-wanted.columns // _STEP) * (2 * _COLOUR[wanted.mode] + _CELL * _STEP)
            return Patch(self._shown, (), ground, True)
        threshold = 0 if wanted.mode is PictureMode.ASCII or not self._whole else _THRESHOLD
        kept = keep_small_changes_out(before.pixels, wanted.pixels, threshold)
        spans = _Spans.of(before.pixels, kept, wanted.rows, _COLOUR[wanted.mode])
        chosen = spans.worth_most(allowance)
        self.behind = len(chosen) < int(np.count_nonzero(spans.gain))
        self._whole |= not self.behind
        if not len(chosen):
            return None
        mask = spans.cells(chosen, wanted.columns).repeat(kept.shape[0] // wanted.rows, axis=0)
        self._shown = CellPicture(np.where(mask[..., None], kept, before.pixels), wanted.mode)
        pieces = written(self._shown, spans.bounds(chosen))
        return Patch(self._shown, pieces, sum(len(piece.text) + _MOVE for piece in pieces), False)


def _mosaic(picture: CellPicture) -> Pixels:
    """What stands there until the details arrive: each step of a line in one colour, the one of its middle."""
    middles = np.minimum(np.arange(picture.columns) // _STEP * _STEP + _STEP // 2, picture.columns - 1)
    per_row = picture.pixels.shape[0] // picture.rows
    first = np.arange(picture.pixels.shape[0]) // per_row * per_row
    return np.asarray(picture.pixels[first[:, None], middles])


@dataclass(frozen=True, slots=True)
class _Spans:
    """For each row and step [rows, steps]: how much moved in it, its first and last cell that did, bytes to send it."""

    gain: _Counts
    first: _Counts
    last: _Counts
    cost: _Counts

    @classmethod
    def of(cls, shown: Pixels, kept: Pixels, rows: int, colour: int) -> _Spans:
        columns = shown.shape[1]
        change = np.abs(kept.astype(np.int16) - shown).sum(axis=-1).reshape(rows, -1, columns).sum(axis=1)
        moved = _by_step(change)
        by_row = kept.reshape(rows, -1, columns, kept.shape[-1])
        turns = np.ones((rows, by_row.shape[1], columns), bool)
        turns[..., 1:] = (by_row[:, :, 1:] != by_row[:, :, :-1]).any(axis=-1)
        place = np.arange(_STEP)
        last = np.where(moved > 0, place, -1).max(axis=-1)
        first = np.where(moved > 0, place, _STEP).min(axis=-1)
        inside = (place >= first[..., None]) & (place <= last[..., None])
        colours = np.where(inside, _by_step(turns.sum(axis=1)), 0).sum(axis=-1)
        return cls(moved.sum(axis=-1), first, last, _MOVE + colour * colours + _CELL * inside.sum(axis=-1))

    def worth_most(self, allowance: int) -> _Counts:
        """Flat indices of the spans that moved most for their bytes, within `allowance`."""
        moved = np.flatnonzero(self.gain)
        order = moved[np.argsort(-self.gain.flat[moved] / self.cost.flat[moved], kind="stable")]
        within = np.cumsum(self.cost.flat[order]) <= allowance
        return np.asarray(order[: max(1, int(within.sum()))])

    def bounds(self, chosen: _Counts) -> list[tuple[int, int, int]]:
        """Row, first column and the one after the last of each, from left to right and down; neighbours as one."""
        steps = self.gain.shape[1]
        told: list[tuple[int, int, int]] = []
        for at in np.sort(chosen).tolist():
            row, left = at // steps, at % steps * _STEP
            begin, end = left + int(self.first.flat[at]), left + int(self.last.flat[at]) + 1
            if told and told[-1][0] == row and begin - told[-1][2] <= 1:
                begin = told.pop()[1]
            told.append((row, begin, end))
        return told

    def cells(self, chosen: _Counts, columns: int) -> npt.NDArray[np.bool_]:
        """Which cells [rows, columns] these are."""
        mask = np.zeros((self.gain.shape[0], columns), bool)
        for row, begin, end in self.bounds(chosen):
            mask[row, begin:end] = True
        return mask


def _by_step(values: npt.NDArray[np.int64]) -> _Counts:
    spare = -values.shape[1] % _STEP
    return np.pad(values, ((0, 0), (0, spare))).reshape(values.shape[0], -1, _STEP)
