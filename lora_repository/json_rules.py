"""Values held against rules written as JSON Schema, so that a rule and its schema cannot disagree. Knows no key.

Of JSON Schema only what is needed here: `type`, bounds, `items`, `minItems`, `minLength`, `pattern`. A whole number is
written without a point.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Rule = Mapping[str, Any]

_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) in (int, float) and (type(value) is int or math.isfinite(value)),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}
_BOUNDS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "minimum": lambda value, bound: _number(value) is None or value >= bound,
    "maximum": lambda value, bound: _number(value) is None or value <= bound,
    "exclusiveMinimum": lambda value, bound: _number(value) is None or value > bound,
    "exclusiveMaximum": lambda value, bound: _number(value) is None or value < bound,
    "minItems": lambda value, bound: not isinstance(value, list) or len(value) >= bound,
    "minLength": lambda value, bound: not isinstance(value, str) or len(value) >= bound,
    "pattern": lambda value, bound: not isinstance(value, str) or re.search(bound, value) is not None,
    "items": lambda value, rule: not isinstance(value, list) or all(holds(entry, rule) for entry in value),
}


def holds(value: Any, rule: Rule) -> bool:
    """Whether `value`, as the json module reads it, is what `rule` asks for."""
    types = rule["type"]
    if not any(_TYPES[name](value) for name in ([types] if isinstance(types, str) else types)):
        return False
    return all(keep(value, rule[keyword]) for keyword, keep in _BOUNDS.items() if keyword in rule)


def _number(value: Any) -> int | float | None:
    return value if type(value) in (int, float) else None
