"""The last look at every line: no control character reaches the terminal, and no colour where NO_COLOR forbids them.

Textual passes every rendered line through these. Knows nothing of where a text came from; `safe_text` is the first
door.
"""

from __future__ import annotations

import re
from typing import Final

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SHOWN_AS: Final = "\ufffd"


class ControlFilter(LineFilter):
    """Replaces each control, direction and surrogate character by U+FFFD; Textual's own control segments pass."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        search = _UNSAFE.search
        if not any(search(text) for text, _, control in segments if not control):
            return segments
        return [
            segment if segment.control else Segment(_UNSAFE.sub(_SHOWN_AS, segment.text), segment.style)
            for segment in segments
        ]


class ColourlessFilter(LineFilter):
    """Takes every colour away; bold, underlined and reversed stay, since they tell where the cursor is."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment if segment.style is None else Segment(segment.text, segment.style.without_color, segment.control)
            for segment in segments
        ]
