"""One frame in full: in the terminal's own graphics where it has them, in half blocks over the whole screen elsewhere.

Knows no job: pictures are handed in by name. A picture drawn by the terminal is taken away again before anything else
is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from liveavatar_tui import keymap, keys
from liveavatar_tui.pictures.frames import Frames
from liveavatar_tui.terminal.capabilities import picture_mode
from liveavatar_tui.terminal.probe import Abilities, Graphics
from liveavatar_tui.widgets.bars import KeyBar
from liveavatar_tui.widgets.preview import FramePreview
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.pictures.still import Still

_MOST_BYTES = 1 << 30


@dataclass
class StillMade(Message):
    """A picture as the terminal takes it; None for a file that is no picture."""

    still: Still | None


class StillScreen(Screen[None]):
    """Shows `pictures`, each a name and a file, one at a time."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.STILL)
    KEYS = keymap.STILL
    DEFAULT_CSS = """
    StillScreen { background: $background; }
    StillScreen #still-title { dock: top; height: 1; padding: 0 1; background: $panel; color: $foreground; }
    StillScreen #still-box { height: 1fr; }
    StillScreen FramePreview { height: 1fr; border: none; }
    """

    def __init__(self, pictures: Sequence[tuple[str, Path]], abilities: Abilities) -> None:
        super().__init__()
        self._pictures = pictures
        self._abilities = abilities
        self._at = 0
        self._drawn = False

    def compose(self) -> ComposeResult:
        yield Static(id="still-title")
        with Container(id="still-box"):
            if self._abilities.graphics is Graphics.NONE:
                yield FramePreview()
        yield KeyBar(self.KEYS, keymap.APP[-1:])

    def on_resize(self) -> None:
        self.call_after_refresh(self._make)

    def action_turn(self, step: int) -> None:
        """The next picture, or the one before."""
        self._at = (self._at + step) % len(self._pictures)
        self._make()

    def action_back(self) -> None:
        """Back to where one was."""
        self.dismiss()

    def on_unmount(self) -> None:
        self._take_away()

    @work(thread=True, exclusive=True, exit_on_error=False, group="still", description="decode a still")
    def _make(self) -> None:
        box = self.query_one("#still-box").content_size
        path = self._pictures[self._at][1]
        if self._abilities.graphics is Graphics.NONE:
            self._draw_in_cells(path, (box.width, box.height))
            return
        from liveavatar_tui.pictures.still import make_still

        try:
            still = make_still(path, box.width, box.height, self._abilities.graphics, self._abilities.cell)
        except OSError:
            self.post_message(StillMade(None))
        else:
            self.post_message(StillMade(still))

    def _draw_in_cells(self, path: Path, box: tuple[int, int]) -> None:
        console = self.app.console
        mode = picture_mode(console.color_system, console.encoding, no_colour=self.app.no_color)
        frames = Frames(path, mode)
        preview = self.query_one(FramePreview)
        while (patch := frames.next(box, _MOST_BYTES)) is not None:
            self.app.call_from_thread(preview.show, patch)
        self.app.call_from_thread(self._tell, None)

    @on(StillMade)
    def _draw(self, message: StillMade) -> None:
        still = message.still
        self._take_away()
        self._tell(still)
        driver = self.app._driver
        if still is None or driver is None or self.app.is_headless:
            return
        region = self.query_one("#still-box").content_region
        left = region.x + (region.width - still.columns) // 2
        top = region.y + (region.height - still.rows) // 2
        driver.write(still.at(left, top))
        self._drawn = True

    def _tell(self, still: Still | None) -> None:
        name, path = self._pictures[self._at]
        parts = [name, str(self._abilities.graphics)]
        if still is not None:
            parts.insert(1, f"{still.size[0]}×{still.size[1]}")
        elif self._abilities.graphics is Graphics.NONE:
            parts[1] = _("half blocks: this terminal tells of no graphics")
        else:
            parts[1] = _("{name} cannot be read as a picture").format(name=path.name)
        if len(self._pictures) > 1:
            parts.append(_("{n} of {total}").format(n=self._at + 1, total=len(self._pictures)))
        self.query_one("#still-title", Static).update(Content(" · ".join(parts)))

    def _take_away(self) -> None:
        driver = self.app._driver
        if not self._drawn or driver is None:
            return
        from liveavatar_tui.pictures.still import taken_away

        self._drawn = False
        driver.write(taken_away(self._abilities.graphics))
        self.app.refresh()
