"""From a picture file that is replaced again and again to the patches of a preview. Knows no widget.

Pillow and numpy are imported with the first frame. Mutable; used by one thread.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from liveavatar_tui.pictures.rate import FRAME_S, ByteRate
from liveavatar_tui.terminal.capabilities import PictureMode

if TYPE_CHECKING:
    from liveavatar_tui.pictures.canvas import Canvas, Patch
    from liveavatar_tui.widgets.half_blocks import CellPicture

_FIRST_BOX: Final = (1, 1)
"""Cells: the box is laid out when a first frame has proved to be one."""


class Frames:
    """The frames that appear at `path`, the newest first and no other."""

    def __init__(self, path: Path, mode: PictureMode) -> None:
        self.path = path
        self._mode = mode
        self._decoded: tuple[int, int, int] | None = None
        self._newest: CellPicture | None = None
        self._canvas: Canvas | None = None
        self._rate = ByteRate()
        self._shown_at = 0.0

    def next(self, box: tuple[int, int], allowance: int) -> Patch | None:
        """What to draw next in a box of columns and rows, within `allowance` bytes; None when nothing is to be drawn.

        A torn or foreign file is no frame, and a frame comes at most ten times a second.
        """
        box = box if all(box) else _FIRST_BOX
        if time.monotonic() - self._shown_at >= FRAME_S * 0.9:
            self._look(box)
        if self._newest is None:
            return None
        from liveavatar_tui.pictures.canvas import Canvas

        canvas = self._canvas = self._canvas or Canvas()
        room = min(allowance, self._rate.available(box[0] * box[1]))
        if not room:
            return None
        patch = canvas.step(self._newest, room)
        if not canvas.behind:
            self._newest = None
        if patch is not None:
            self._rate.spend(patch.size)
        return patch

    def _look(self, box: tuple[int, int]) -> None:
        columns, rows = box
        try:
            key = (self.path.stat().st_mtime_ns, columns, rows)
            if key == self._decoded:
                return
            from liveavatar_tui.widgets.half_blocks import load

            self._newest = load(self.path, columns, rows, self._mode)
        except OSError:
            return
        self._decoded = key
        self._shown_at = time.monotonic()
