"""The gettext door of all three packages: one domain, catalogues in `lora_repository/locale`.

Lives in the lowest package so that findings can be translated where they are made. Knows no widget and no terminal.
Source strings are English; `zh_CN` is complete.
"""

from __future__ import annotations

import gettext as _gettext
import locale
import os
from pathlib import Path

DOMAIN = "liveavatar"
LANGUAGES = ("en", "zh_CN")
_LOCALE_DIR = Path(__file__).parent / "locale"
_catalogue: _gettext.NullTranslations = _gettext.NullTranslations()
_language = "en"


def set_language(tag: str | None = None) -> str:
    """Choose the catalogue for this process and return the language in force (`en` or `zh_CN`).

    Order: `tag`, `LIVEAVATAR_LANG`, the locale environment (`LC_ALL`, `LC_MESSAGES`, `LANG`), English.
    """
    global _catalogue, _language
    _language = normalise(tag or os.environ.get("LIVEAVATAR_LANG") or _from_locale())
    _catalogue = _gettext.translation(DOMAIN, _LOCALE_DIR, [_language], fallback=True)
    return _language


def language() -> str:
    """The language in force, `en` or `zh_CN`."""
    return _language


def normalise(tag: str) -> str:
    """`zh`, `zh-CN`, `zh_CN.UTF-8` -> `zh_CN`; anything else -> `en`."""
    return "zh_CN" if tag.lower().startswith("zh") else "en"


def _from_locale() -> str:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return value
    return locale.getlocale()[0] or "en"


def _(message: str) -> str:
    """The message in the language in force. Format it after translation: `_("{n} files").format(n=3)`."""
    return _catalogue.gettext(message)


def ngettext(singular: str, plural: str, n: int) -> str:
    """As `_`, for a message that counts."""
    return _catalogue.ngettext(singular, plural, n)


def N_(message: str) -> str:
    """The message untouched: marks a string of a table for the catalogue, which `_` translates where it is told."""
    return message
