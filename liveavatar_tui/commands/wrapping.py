"""Lines of Chinese for a terminal: a character takes two cells, and a line may end after any of them.

Knows no flag and no language: text without wide characters is left to whoever breaks between words.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_WIDE: Final = "\u3400-\u9fff"
_OPENING: Final = "（《“"
_CLOSING: Final = "，。；：、！？）》”"
_PIECE: Final = re.compile(rf"[{_OPENING}]*(?:[{_WIDE}]|[^\s{_WIDE}{_OPENING}{_CLOSING}]+)?[{_CLOSING}]*\s*")
"""What stays together: a word or one Chinese character, with the punctuation before and after it."""


def is_wide(text: str) -> bool:
    """Whether any character takes two cells."""
    return any(_cells(character) == 2 for character in text)


def wrap(text: str, cells: int) -> list[str]:
    """Lines of at most `cells` cells, except where one word alone is wider; no line begins with a closing mark."""
    lines = [""]
    for piece in _PIECE.findall(" ".join(text.split())):
        if lines[-1] and _width(lines[-1] + piece.rstrip()) > cells:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _width(text: str) -> int:
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
