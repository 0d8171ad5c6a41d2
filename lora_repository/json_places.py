"""The members of a JSON object with the line and column of each, so that an error can be pointed at.

Strict JSON: no NaN, no second member of the same name goes unseen. Knows nothing of what the object means.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any, Final, Never

_BLANK: Final = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Member:
    """`line` and `column` count from 1 and point at the value."""

    name: str
    value: Any
    line: int
    column: int


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")


_values: Final = json.JSONDecoder(parse_constant=_refuse)


def read_object(text: str) -> list[Member]:
    """Every member of the one object that `text` holds, in order, repeated names included.

    Raises JSONDecodeError (with line and column) when it is not one JSON object, or nested too deep.
    """
    at = _skip(text, 0)
    members: list[Member] = []
    at = _skip(text, _expect(text, at, "{"))
    while text[at : at + 1] != "}":
        if members:
            at = _skip(text, _expect(text, at, ","))
        member, at = _read_member(text, at)
        members.append(member)
        at = _skip(text, at)
    if (at := _skip(text, at + 1)) != len(text):
        raise JSONDecodeError("Extra text after the object", text, at)
    return members


def _read_member(text: str, at: int) -> tuple[Member, int]:
    _expect(text, at, '"')
    name, at = _values.raw_decode(text, at)
    at = _skip(text, _expect(text, _skip(text, at), ":"))
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    try:
        value, end = _values.raw_decode(text, at)
    except JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise JSONDecodeError(str(error), text, at) from None
    return Member(name, value, line, column), end


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    assert match is not None
    return match.end()


def _expect(text: str, at: int, sign: str) -> int:
    if text[at : at + 1] != sign:
        raise JSONDecodeError(f"Expecting '{sign}'", text, at)
    return at + 1
