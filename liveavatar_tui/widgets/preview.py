"""Frames in the terminal: half blocks in tiles 8 cells wide, of which only the rows that changed are sent.

Textual resends a changed line from the left edge of its widget; narrow tiles bound that (a tenth of the bytes of
one wide widget at 120 x 33). Knows no file and no job: whoever decodes hands over a `CellPicture`.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.containers import Horizontal
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from liveavatar_tui.terminal.capabilities import PictureMode
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.widgets.half_blocks import CellPicture, Pixels

TILE: Final = 8
_THRESHOLD: Final = 8


@lru_cache(1 << 15)
def _style(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Style:
    return Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*bottom))


class Tile(Widget):
    """One column of the picture, at most 8 cells wide. Mutable: holds the pixels that the terminal shows."""

    ALLOW_SELECT = False

    def __init__(self, pixels: Pixels, mode: PictureMode) -> None:
        super().__init__()
        self._pixels = pixels
        self._mode = mode
        self._per_row = 1 if mode is PictureMode.ASCII else 2
        self.styles.width = pixels.shape[1]
        self.styles.height = pixels.shape[0] // self._per_row

    def show(self, wanted: Pixels) -> None:
        """Draw the rows that differ visibly."""
        from liveavatar_tui.widgets.half_blocks import keep_small_changes_out

        threshold = 0 if self._mode is PictureMode.ASCII else _THRESHOLD
        kept = keep_small_changes_out(self._pixels, wanted, threshold)
        moved = (kept != self._pixels).any(axis=-1)
        self._pixels = kept
        if self._per_row == 2:
            moved = moved[0::2] | moved[1::2]
        rows = moved.any(axis=1).nonzero()[0].tolist()
        if rows:
            last = [int(moved[row].nonzero()[0][-1]) + 1 for row in rows]
            self.refresh(*(Region(0, row, width, 1) for row, width in zip(rows, last, strict=True)))

    def render_line(self, y: int) -> Strip:
        at = y * self._per_row
        if at >= len(self._pixels):
            return Strip.blank(self.size.width)
        if self._mode is PictureMode.ASCII:
            from liveavatar_tui.widgets.half_blocks import ramp

            return Strip([Segment(ramp(self._pixels[at, :, 0]), self.rich_style)], self._pixels.shape[1])
        pairs = zip(map(tuple, self._pixels[at].tolist()), map(tuple, self._pixels[at + 1].tolist()), strict=True)
        segments = [Segment("▀" * sum(1 for _same in run), _style(*pair)) for pair, run in groupby(pairs)]
        return Strip(segments, self._pixels.shape[1])


class FramePreview(Horizontal):
    """The box that frames are drawn in, centred. `box` is its inside in cells; read it from any thread."""

    DEFAULT_CSS = """
    FramePreview { align: center middle; overflow: hidden; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shape: tuple[int, int, PictureMode] | None = None
        self.border_title = Content(_("Frame"))

    @property
    def box(self) -> tuple[int, int]:
        """Columns and rows inside; any thread may ask."""
        return self.content_size.width, self.content_size.height

    async def show(self, picture: CellPicture) -> None:
        """Draw a frame; tiles are made again only when its shape differs from the last one's."""
        tiles = [picture.pixels[:, at : at + TILE] for at in range(0, picture.columns, TILE)]
        shape = (picture.columns, picture.rows, picture.mode)
        if shape != self._shape:
            self._shape = shape
            async with self.batch():
                await self.remove_children()
                await self.mount_all(Tile(pixels, picture.mode) for pixels in tiles)
            return
        for tile, pixels in zip(self.query(Tile), tiles, strict=True):
            tile.show(pixels)
