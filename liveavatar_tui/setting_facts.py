"""What is to be known about a setting besides its value: what it means, its default, what it can be. Plain values.

Read off the types in `settings`, so that the screen cannot say something else than the file accepts. Knows no screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import reduce
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from liveavatar_tui.settings import CHANNELS, Config, Origin, Settings, Source, checked, from_text, kinds, variable
from lora_repository.i18n import _


@dataclass(frozen=True, slots=True)
class SettingFact:
    """`choices` are all the values there are, empty where any text may do; `variable` is the one of the environment."""

    key: str
    meaning: str
    default: Any
    choices: tuple[str, ...]
    variable: str

    @property
    def is_channel(self) -> bool:
        """Whether it is switched with a history, and so not by editing it."""
        return self.key in {f"lora.{name}" for name in CHANNELS}


def setting_facts() -> tuple[SettingFact, ...]:
    """Every setting, in the order of the file."""
    default = Config()
    return tuple(
        SettingFact(key, _meaning(kind), reduce(getattr, key.split("."), default), _choices(kind), variable(key))
        for key, kind in kinds().items()
    )


def _meaning(kind: Any) -> str:
    """The description in the language in force, sentence by sentence: what several share is translated once."""
    meta = next(one for one in get_args(kind) if isinstance(one, Meta))
    first, stop, rest = (meta.description or "").partition(". ")
    return _(first + stop.rstrip()) + (f" {_(rest)}" if rest else "")


def _choices(kind: Any) -> tuple[str, ...]:
    inner = get_args(kind)[0]
    if inner is bool:
        return ("true", "false")
    if isinstance(inner, type) and issubclass(inner, Enum):
        return tuple(one.value for one in inner)
    return tuple(get_args(inner)) if get_origin(inner) is Literal else ()


def value_text(settings: Settings, key: str) -> str:
    """The value in force as the file would write it."""
    return as_written(settings.value(key))


def as_written(value: Any) -> str:
    """`null`, `true`, a list with commas, or the text."""
    if value is None:
        return "null"
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def typed(key: str, text: str) -> Any:
    """The value of a dotted key that somebody typed; an empty text is null where that is allowed.

    Raises `Problem` CFG005, as the settings file would be refused.
    """
    kind = kinds()[key]
    value = None if not text and _accepts_null(kind) else from_text(key, text)
    return checked(key, value, kind, Origin(Source.FLAG, _("typed")))


def _accepts_null(kind: Any) -> bool:
    try:
        return msgspec.convert(None, kind) is None
    except msgspec.ValidationError:
        return False
