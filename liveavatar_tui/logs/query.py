"""What is sought in a log: words as they are, a regular expression, or a level; the same for bytes and for text.

Knows no file. Words without a capital match either case, ASCII only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from liveavatar_tui.logs import levels
from liveavatar_tui.logs.levels import Level

Find = Callable[[bytes], list[int]]
"""Offsets of the beginnings of the lines, in a run of whole lines, that hold what is sought; ascending."""


class Kind(StrEnum):
    """How `text` is meant."""

    WORDS = "words"
    EXPRESSION = "expression"
    LEVEL = "level"


class Query(msgspec.Struct, frozen=True):
    """`text` is the name of a `Level` where `kind` is `LEVEL`."""

    kind: Kind
    text: str


_EITHER: Final = {True: re.IGNORECASE, False: re.RegexFlag(0)}


def mistake(query: Query) -> str:
    """Why this cannot be sought, in the words of the expressions' own parser; empty when it can."""
    try:
        _expression(query)
    except (re.error, OverflowError, RecursionError) as fault:
        return str(fault)
    return ""


def marks(query: Query) -> re.Pattern[str] | None:
    """What to mark in the text of a line; None for a level."""
    if query.kind is Kind.LEVEL:
        return None
    text = re.escape(query.text) if query.kind is Kind.WORDS else query.text
    return re.compile(text, _EITHER[_either_case(query)])


def finder(query: Query) -> Find:
    """The function that finds it."""
    if query.kind is Kind.LEVEL:
        return _level_finder(Level[query.text])
    if query.kind is Kind.EXPRESSION:
        return _expression_finder(_expression(query))
    return _words_finder(query)


def _either_case(query: Query) -> bool:
    return query.text == query.text.lower()


def _expression(query: Query) -> re.Pattern[bytes]:
    text = query.text if query.kind is Kind.EXPRESSION else re.escape(query.text)
    return re.compile(text.encode(), re.MULTILINE | _EITHER[_either_case(query)])


def _expression_finder(expression: re.Pattern[bytes]) -> Find:
    def find(data: bytes) -> list[int]:
        found: list[int] = []
        at = 0
        while at < len(data) and (match := expression.search(data, at)) is not None and match.start() < len(data):
            found.append(data.rfind(b"\n", 0, match.start()) + 1)
            at = data.find(b"\n", match.start()) + 1 or len(data)
        return found

    return find


def _words_finder(query: Query) -> Find:
    sought = query.text.encode()
    either = _either_case(query) and sought.lower() != sought.upper()

    def find(data: bytes) -> list[int]:
        return _lines_with(sought, data.lower() if either else data)

    return find


def _lines_with(sought: bytes, data: bytes) -> list[int]:
    found: list[int] = []
    at = data.find(sought)
    while at >= 0:
        found.append(data.rfind(b"\n", 0, at) + 1)
        at = data.find(b"\n", at)
        at = data.find(sought, at + 1) if at >= 0 else -1
    return found


def _head(data: bytes, start: int) -> bytes:
    return data[start : start + levels.WITHIN].partition(b"\n")[0]


def _level_finder(level: Level) -> Find:
    def find(data: bytes) -> list[int]:
        near = {start for word in levels.words(level) for start in _lines_with(word, data)}
        return sorted(start for start in near if levels.passes(level, _head(data, start)))

    return find
