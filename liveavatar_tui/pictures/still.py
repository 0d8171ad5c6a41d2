"""A picture file as what a terminal is sent to show it in full. Knows no widget; imported when a still is asked for."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from liveavatar_tui.pictures import graphics
from liveavatar_tui.terminal.probe import Graphics
from liveavatar_tui.widgets.half_blocks import fit


@dataclass(frozen=True, slots=True)
class Still:
    """Cells that the picture covers, what draws it from its upper left cell on, and lines that tmux draws itself."""

    columns: int
    rows: int
    sequence: str
    lines: tuple[str, ...]
    size: tuple[int, int]
    """Width and height of the file's picture, in pixels."""

    def at(self, column: int, row: int) -> str:
        """Everything, drawn with the upper left cell at `column`, `row`, from 0; the cursor is put back."""
        lines = "".join(f"\x1b[{row + 1 + down};{column + 1}H{line}" for down, line in enumerate(self.lines))
        return f"\x1b7\x1b[{row + 1};{column + 1}H{self.sequence}{lines}\x1b8"


def make_still(path: Path, columns: int, rows: int, how: Graphics, cell: tuple[int, int]) -> Still:
    """The picture at `path` for a box of `columns` x `rows` cells of `cell` pixels; raises OSError for no picture."""
    try:
        file = path.read_bytes()
        with Image.open(io.BytesIO(file)) as opened:
            size = opened.size
            across, down = fit(size[0] * cell[1], 2 * size[1] * cell[0], columns, rows)  # of cells of any shape
            pixels = (across * cell[0], down * cell[1])
            picture = opened.convert("RGB")
    except (ValueError, SyntaxError, Image.DecompressionBombError) as fault:
        raise OSError(str(fault)) from fault
    lines: list[str] = []
    if how is Graphics.SIXEL:
        sequence = graphics.sixel(picture.resize(pixels, Image.Resampling.BICUBIC))
    elif how is Graphics.ITERM2:
        sequence = graphics.iterm2(file, across, down)
    else:
        if picture.width > pixels[0]:
            picture = picture.resize(pixels, Image.Resampling.LANCZOS)
        if how is Graphics.KITTY_IN_TMUX:
            sequence, lines = graphics.kitty_in_tmux(picture, across, down)
        else:
            sequence = graphics.kitty(picture, across, down)
    return Still(across, down, sequence, tuple(lines), size)


def taken_away(how: Graphics) -> str:
    """What removes a still that drawing over it would leave; empty where drawing over it is enough."""
    if how is Graphics.KITTY:
        return graphics.kitty_away()
    return graphics.through_tmux(graphics.kitty_away()) if how is Graphics.KITTY_IN_TMUX else ""
