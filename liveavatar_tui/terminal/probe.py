"""Asks a terminal once, before the app takes it over, which pictures it can show and how large its cells are.

All questions go out in one write and end with one that every terminal answers; while the answers travel the app is
loaded. What was typed meanwhile is kept. Knows no widget. Where an answer may pass through other hands (tmux), they are
asked instead; where nothing good can come of asking (screen, the Linux console), nobody is.
"""

from __future__ import annotations

import os
import re
import select
import sys
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

_ANSWER_LOCAL_S: Final = 0.3
_ANSWER_FAR_S: Final = 1.5
"""Over SSH: ten round trips round the world."""
_KITTY: Final = b"\x1b_Gi=19521,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_CELL: Final = b"\x1b[16t"
_NAME: Final = b"\x1b[>0q"
_LAST: Final = b"\x1b[c"
_LAST_ANSWER: Final = re.compile(rb"\x1b\[\?([\d;]*)c")
_KITTY_ANSWER: Final = re.compile(rb"\x1b_Gi=19521;([^\x1b]*)\x1b\\")
_CELL_ANSWER: Final = re.compile(rb"\x1b\[6;(\d+);(\d+)t")
_NAME_ANSWER: Final = re.compile(rb"\x1bP>\|([^\x1b]*)\x1b\\")
_USUAL_CELL: Final = (10, 20)
_SIXEL: Final = b"4"
_LOUD: Final = ("linux", "screen", "dumb", "vt", "cons")
"""Beginnings of TERM where a question may be printed as text, or be answered by somebody else."""
_ITERM2: Final = ("iTerm2", "WezTerm", "mintty")


class Graphics(StrEnum):
    """How a picture is shown in full."""

    KITTY = "kitty"
    KITTY_IN_TMUX = "kitty through tmux"
    ITERM2 = "iTerm2"
    SIXEL = "sixel"
    NONE = "half blocks"


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a terminal can show; `cell` is its cell's width and height in pixels, `typed` what was typed meanwhile."""

    graphics: Graphics = Graphics.NONE
    cell: tuple[int, int] = _USUAL_CELL
    typed: bytes = b""


class Probe:
    """Mutable: the questions are on their way until `abilities`. The terminal does not echo meanwhile."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._input = sys.__stdin__.fileno() if sys.__stdin__ else -1
        self._found: list[Any] | None = None
        self._began = time.monotonic()
        if self._input >= 0 and not environ.get("TERM", "").startswith(_LOUD):
            self._ask(_LAST if "TMUX" in environ else _KITTY + _CELL + _NAME + _LAST)

    def _ask(self, questions: bytes) -> None:
        try:
            self._found = termios.tcgetattr(self._input)
            quiet = termios.tcgetattr(self._input)
            quiet[3] &= ~(termios.ECHO | termios.ICANON)
            termios.tcsetattr(self._input, termios.TCSANOW, quiet)
            os.write(self._input, questions)
        except (termios.error, OSError):  # no terminal, or one that can only be read
            self._found = None

    def abilities(self) -> Abilities:
        """What came back, waited for no longer than the way is; the terminal is as it was found after this."""
        heard = b""
        if self._found is not None:
            try:
                heard = self._listen()
            finally:
                termios.tcsetattr(self._input, termios.TCSANOW, self._found)
        return judge(heard, self._environ)

    def _listen(self) -> bytes:
        far = "SSH_CONNECTION" in self._environ or "SSH_TTY" in self._environ
        deadline = self._began + (_ANSWER_FAR_S if far else _ANSWER_LOCAL_S)
        heard = b""
        while not _LAST_ANSWER.search(heard):
            left = deadline - time.monotonic()
            if not select.select([self._input], [], [], max(0.0, left))[0]:
                break
            data = os.read(self._input, 4096)
            if not data:
                break
            heard += data
        return heard


def judge(heard: bytes, environ: Mapping[str, str]) -> Abilities:
    """What the answers `heard`, and what the environment says, come to."""
    last, cell = _LAST_ANSWER.search(heard), _CELL_ANSWER.search(heard)
    typed = heard
    for answer in (_LAST_ANSWER, _KITTY_ANSWER, _CELL_ANSWER, _NAME_ANSWER):
        typed = answer.sub(b"", typed)
    size = (int(cell[2]), int(cell[1])) if cell is not None and int(cell[1]) and int(cell[2]) else _USUAL_CELL
    sixel = last is not None and _SIXEL in last[1].split(b";")[1:]
    return Abilities(_graphics(heard, environ, sixel=sixel), size, typed)


def _graphics(heard: bytes, environ: Mapping[str, str], *, sixel: bool) -> Graphics:
    if "TMUX" in environ:
        return Graphics.KITTY_IN_TMUX if _tmux_passes_kitty(environ) else Graphics.SIXEL if sixel else Graphics.NONE
    kitty, name = _KITTY_ANSWER.search(heard), _NAME_ANSWER.search(heard)
    if kitty is not None and kitty[1] == b"OK":
        return Graphics.KITTY
    told = (name[1].decode("ascii", "replace") if name else "", environ.get("LC_TERMINAL", ""))
    if any(one.startswith(_ITERM2) for one in told) and _LAST_ANSWER.search(heard):
        return Graphics.ITERM2
    return Graphics.SIXEL if sixel else Graphics.NONE


def _tmux_passes_kitty(environ: Mapping[str, str]) -> bool:
    """Whether tmux hands sequences on, to a terminal that speaks kitty's protocol."""
    import subprocess  # here: 9 ms that only tmux needs

    command = ("tmux", "display-message", "-p", "#{client_termname} #{allow-passthrough}")
    try:
        told = subprocess.run(command, capture_output=True, timeout=_ANSWER_LOCAL_S, env=dict(environ), check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    terminal, _gap, passing = told.stdout.decode("utf-8", "replace").strip().rpartition(" ")
    return ("kitty" in terminal or "ghostty" in terminal) and passing in ("on", "all")
