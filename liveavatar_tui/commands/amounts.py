"""Spans and sizes as people type them: `30d`, `12h`, `20GB`. For argparse: a refusal says what is expected."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from typing import Final

from lora_repository.i18n import _

_SPANS: Final = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZES: Final = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_NUMBER: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]*)", re.ASCII)


def span(text: str) -> float:
    """Seconds of `90m`, `12h`, `30d`, `2w`; a bare number counts days."""
    match = _NUMBER.fullmatch(text.strip().lower())
    unit = _SPANS.get(match[2] or "d") if match else None
    if match is None or unit is None:
        raise ArgumentTypeError(_("expected a time such as 30d or 12h, found {text}").format(text=text))
    return float(match[1]) * unit


def size(text: str) -> int:
    """Bytes of `500MB`, `20GB`, `1.5TB`: powers of 1000."""
    match = _NUMBER.fullmatch(text.strip().lower())
    unit = _SIZES.get(match[2]) if match else None
    if match is None or unit is None:
        raise ArgumentTypeError(_("expected a size such as 20GB, found {text}").format(text=text))
    return round(float(match[1]) * unit)
