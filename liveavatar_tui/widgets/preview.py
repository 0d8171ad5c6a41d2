"""Frames in the terminal: half blocks, of which only what changed is sent.

What changed is written past Textual, which would render every widget around it for each frame (46 ms against 2) and
resend lines from the left edge; Textual draws the same pixels whenever it draws the widget itself. Knows no file and no
job: whoever decodes hands over patches.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from liveavatar_tui.terminal.capabilities import PictureMode
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.pictures.canvas import Patch
    from liveavatar_tui.widgets.half_blocks import CellPicture


@lru_cache(1 << 15)
def _style(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Style:
    return Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*bottom))


class Picture(Widget):
    """The cells of one frame. Mutable: holds the pixels that the terminal shows."""

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self.shown: CellPicture | None = None
        self.styles.width = self.styles.height = 0

    def take(self, patch: Patch) -> None:
        """Show a patch: written directly where nothing covers the picture, else drawn by Textual."""
        self.shown = patch.picture
        if patch.fresh:
            self.styles.width, self.styles.height = patch.picture.columns, patch.picture.rows
            self.refresh()
        elif not self._write(patch):
            self.refresh(*(Region(first, row, end - first, 1) for row, first, end, _text in patch.pieces))

    def _write(self, patch: Patch) -> bool:
        driver = self.app._driver
        if driver is None or self.app.is_headless or patch.picture.mode is PictureMode.ASCII or not self._bare():
            return False
        from liveavatar_tui.pictures.writing import placed

        driver.write(placed(patch.pieces, self.region.x, self.region.y))
        return True

    def _bare(self) -> bool:
        """Whether all of the picture is on the screen and nothing lies on it: what comes, comes over a corner."""
        region = self.region
        if self.screen is not self.app.screen or region.size != self.size or not region:
            return False
        corners = ((region.x, region.y), (region.right - 1, region.y), (region.x, region.bottom - 1))
        points = (*corners, (region.right - 1, region.bottom - 1), region.center)
        return all(
            self.screen.region.contains(int(x), int(y)) and self.screen.get_widget_at(int(x), int(y))[0] is self
            for x, y in points
        )

    def render_line(self, y: int) -> Strip:
        picture = self.shown
        if picture is None or y >= picture.rows:
            return Strip.blank(self.size.width, self.rich_style)
        if picture.mode is PictureMode.ASCII:
            from liveavatar_tui.widgets.half_blocks import ramp

            return Strip([Segment(ramp(picture.pixels[y, :, 0]), self.rich_style)], picture.columns)
        top, bottom = picture.pixels[2 * y : 2 * y + 2].tolist()
        pairs = zip(map(tuple, top), map(tuple, bottom), strict=True)
        segments = [Segment("▀" * sum(1 for _same in run), _style(*pair)) for pair, run in groupby(pairs)]
        return Strip(segments, picture.columns)


class FramePreview(Horizontal):
    """The box that frames are drawn in, centred."""

    DEFAULT_CSS = """
    FramePreview { align: center middle; overflow: hidden; }
    """

    def __init__(self, title: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.picture = Picture()
        self._titles = (Content(title or _("Frame")), Content(""))
        self.border_title = self._titles[0]

    def compose(self) -> ComposeResult:
        yield self.picture

    @property
    def box(self) -> tuple[int, int]:
        """Columns and rows inside; any thread may ask."""
        return self.content_size.width, self.content_size.height

    def tell(self, title: Content, subtitle: Content = Content("")) -> None:  # noqa: B008  frozen
        """Name the frame; a new name draws all of it again (60 kB), so the same one does nothing."""
        told = (title, subtitle)
        if [one.plain for one in told] != [one.plain for one in self._titles]:
            self._titles = told
            self.border_title, self.border_subtitle = told

    def show(self, patch: Patch) -> None:
        """Draw a patch."""
        self.picture.take(patch)
