"""The app on one job, with a box for frames as wide as asked and a key whose answer can be told: JOB COLUMNS."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType

import liveavatar_tui
from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.messages import OpenJob
from liveavatar_tui.settings import load_settings
from liveavatar_tui.terminal.capabilities import PictureMode
from liveavatar_tui.widgets import half_blocks
from liveavatar_tui.widgets.bars import TitleBar
from liveavatar_tui.widgets.half_blocks import CellPicture

JOB, COLUMNS = Path(sys.argv[1]), int(sys.argv[2])
PACKAGE = Path(liveavatar_tui.__file__).parent


LOADED: list[Path] = []
"""The path of each frame that was decoded to be shown."""


def load_and_count(path: Path, columns: int, rows: int, mode: PictureMode) -> CellPicture:
    LOADED.append(path)
    return decode(path, columns, rows, mode)


decode, half_blocks.load = half_blocks.load, load_and_count


class Watching(LiveAvatarApp):
    """Counts a key in the title bar."""

    CSS_PATH = [PACKAGE / path for path in LiveAvatarApp.CSS_PATH or ()]  # noqa: RUF012
    CSS = f"JobScreen #frames.-shown {{ width: {COLUMNS + 4}; }} JobScreen #state {{ height: 7; }}"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+t", "count", priority=True)]
    count = 0

    def on_mount(self) -> None:
        self.post_message(OpenJob(JOB))

    def action_count(self) -> None:
        self.count += 1
        self.screen.query_one(TitleBar).tell(f"K={self.count:04d} F={len(LOADED):04d}")


Watching(load_settings(None, environ={})).run()
