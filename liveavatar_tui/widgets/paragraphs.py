"""Running text with hanging indents: what follows a sign, a title or an arrow stays to the right of it when it wraps.

Knows nothing of what the text says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

_LEAST: Final = 16  # cells of text beside the lead; where even these are not left, the text goes beneath it


class Paragraph(msgspec.Struct, frozen=True):
    """`lead` stands before the first line of `body`; further lines are indented by its width."""

    lead: Content
    body: Content

    def lines(self, width: int) -> list[Content]:
        """Wrapped to `width` cells."""
        hang = self.lead.cell_length
        if width - hang < _LEAST:
            return [*self.lead.wrap(max(1, width)), *self.body.wrap(max(1, width))]
        first, *rest = self.body.wrap(width - hang)
        return [self.lead + first, *(Content(" " * hang) + line for line in rest)]


def paragraph(body: Content | str, lead: Content | str = "") -> Paragraph:
    """A paragraph from plain strings or contents."""
    return Paragraph(Content(lead) if isinstance(lead, str) else lead, Content(body) if isinstance(body, str) else body)


GAP: Final = Paragraph(Content(""), Content(""))
"""An empty line."""


def spaced(blocks: Iterable[Sequence[Paragraph]]) -> list[Paragraph]:
    """Blocks with an empty line between them; empty blocks are left out."""
    told: list[Paragraph] = []
    for block in blocks:
        if told and block:
            told.append(GAP)
        told += block
    return told


class Paragraphs(Widget):
    """Draws paragraphs, as high as they need."""

    DEFAULT_CSS = "Paragraphs { height: auto; width: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._told: tuple[Paragraph, ...] = ()

    def show(self, told: Sequence[Paragraph]) -> None:
        """Draw these, if they differ from what is shown."""
        if tuple(told) != self._told:
            self._told = tuple(told)
            self.refresh(layout=True)

    def _lines(self, width: int) -> list[Content]:
        return [line for one in self._told for line in one.lines(width)]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.content_size.width))
