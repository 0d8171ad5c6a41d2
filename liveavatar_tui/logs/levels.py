"""How grave a line of a log is, by the words near its beginning. Knows no file and no screen."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final


class Level(IntEnum):
    """What a filter lets through: everything, warnings and errors, errors."""

    ALL = 0
    WARNINGS = 1
    ERRORS = 2


WITHIN: Final = 80
"""The word of a level stands in the first characters of a line; further on it is what the line talks about."""
_ERROR: Final = "ERROR|CRITICAL|FATAL|Traceback"
_WARNING: Final = "WARNING|WARN"
# The last line of a traceback starts with the name of the exception: `torch.OutOfMemoryError: ...`
_FAULT: Final = r"[\w.]*(?:Error|Exception):"
_MARK: Final = re.compile(
    rf"\b(?:(?P<error>{_ERROR})|(?P<warning>{_WARNING})|(?P<faint>DEBUG|TRACE))\b|^(?P<fault>{_FAULT})"
)
_WANTED: Final = {
    Level.WARNINGS: re.compile(rf"\b(?:{_ERROR}|{_WARNING})\b|^{_FAULT}".encode()),
    Level.ERRORS: re.compile(rf"\b(?:{_ERROR})\b|^{_FAULT}".encode()),
}
_ERROR_WORDS: Final = (b"ERROR", b"CRITICAL", b"FATAL", b"Traceback", b"Error:", b"Exception:")


def kind(text: str) -> str:
    """`error`, `warning`, `faint` or an empty string for a line as it is shown."""
    found = _MARK.search(text, 0, WITHIN)
    name = found.lastgroup if found else None
    return {"fault": "error", None: ""}.get(name, name or "")


def words(level: Level) -> tuple[bytes, ...]:
    """Every line of this level holds one of these: looking for each in turn is ten times as quick as an expression."""
    return _ERROR_WORDS + ((b"WARN",) if level is Level.WARNINGS else ())


def passes(level: Level, line: bytes) -> bool:
    """Whether a line is as grave as `level`."""
    return level is Level.ALL or _WANTED[level].search(line, 0, WITHIN) is not None
