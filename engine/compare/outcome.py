"""What a comparison hands over: a document in its folder, beside report and clips. Knows no torch and no video."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from engine.compare.verdict import Line, Verdict, Word

PROTOCOL: Final = "talking avatar, edition 1"
DOCUMENT: Final = "comparison.json"
REPORT: Final = "report.html"


class Clip(msgspec.Struct, frozen=True, kw_only=True):
    """Two videos of one question, files in the comparison's folder."""

    title: str
    first: str
    second: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`first` was judged against `second`: what people call them."""

    first: str
    second: str
    base: str
    word: Word
    passed: bool
    reasons: tuple[str, ...]
    lines: tuple[Line, ...]
    clips: tuple[Clip, ...] = ()
    protocol: str = PROTOCOL

    @property
    def verdict(self) -> Verdict:
        return Verdict(self.word, self.passed, self.reasons, self.lines)


def read_outcome(folder: Path) -> Outcome:
    """Raises OSError, msgspec.DecodeError."""
    return msgspec.json.decode((folder / DOCUMENT).read_bytes(), type=Outcome)
