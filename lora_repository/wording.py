"""How names from outside are written into findings: visible, on one line, and safe to paste into a shell.

Knows no screen: whoever shows a finding still must not read it as markup.
"""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePath

_SHOWN_AT_MOST = 3
# Controls, formats (bidirectional overrides, zero-width), surrogates of undecodable file names, line separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"})


def shown(name: str | PurePath) -> str:
    """The name with every invisible or control character written as an escape."""
    return "".join(_escape(c) if unicodedata.category(c) in _HIDDEN else c for c in str(name))


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def command(*words: str | PurePath) -> str:
    """A command line that a POSIX shell reads back as exactly these words."""
    return shown(shlex.join(str(word) for word in words))


def switch_command(channel: str, target: str = "VERSION") -> str:
    """The command that points `channel` at `target`; without a flag it is `latest` that moves."""
    flag = () if channel == "latest" else ("--channel", channel)
    return command("liveavatar-tui", "activate", target, *flag)


def some_of(names: Iterable[str] | Sequence[str]) -> str:
    """The first three names, and how many more there are: `a, b, c, +5`."""
    listed = list(names)
    rest = len(listed) - _SHOWN_AT_MOST
    return ", ".join(shown(name) for name in listed[:_SHOWN_AT_MOST]) + (f", +{rest}" if rest > 0 else "")
