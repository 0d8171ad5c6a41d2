"""Lines of a log as text for a clipboard: clean, and no more than terminals take. Knows no screen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from liveavatar_tui.logs.lines import Reader, end_of
from liveavatar_tui.safe_text import safe_text

MOST: Final = 48 << 10
"""Characters: as base64 they stay below the 74,994 bytes at which some terminals drop an OSC 52."""


def clip(reader: Reader, starts: Iterable[int]) -> tuple[str, int]:
    """The lines that begin at `starts`, each once, without escapes, cut at `MOST`; and how many there are."""
    lines, room = [], MOST
    for start in dict.fromkeys(starts):
        if room <= 0:
            break
        data = reader.read(start, min(end_of(reader, start) - start, 4 * room))
        data = data.rstrip(b"\r\n")
        text = safe_text(data[data.rfind(b"\r") + 1 :].decode("utf-8", "replace").replace("\t", "    "))[:room]
        lines.append(text)
        room -= len(text) + 1
    return "\n".join(lines), len(lines)
