"""What this terminal can show, from the environment alone: no query is sent, so no answer can be mistaken for keys.

Knows no widget. Colour depth is Rich's finding, passed in; this module adds whether pictures and lines can be drawn.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import StrEnum

from lora_repository.finding import Problem, problem
from lora_repository.i18n import _


class PictureMode(StrEnum):
    """How a frame is drawn: half blocks in 15-bit colour, half blocks in the 6x6x6 palette, or a ramp of characters."""

    TRUECOLOR = "truecolor"
    PALETTE = "256"
    ASCII = "ascii"


def picture_mode(colour_system: str | None, encoding: str, *, no_colour: bool = False) -> PictureMode:
    """The best mode for Rich's `colour_system` (`truecolor`, `256`, `standard`, None) and the output's encoding."""
    if no_colour or colour_system not in ("truecolor", "256") or "utf" not in encoding.lower():
        return PictureMode.ASCII
    return PictureMode.TRUECOLOR if colour_system == "truecolor" else PictureMode.PALETTE


def refusal(environ: Mapping[str, str] = os.environ) -> Problem | None:
    """Why a full-screen app cannot run here, or None. The plain commands work everywhere and are named as the fix."""
    fix = "liveavatar-tui --help"
    if not (sys.__stdin__ and sys.__stdin__.isatty() and sys.__stdout__ and sys.__stdout__.isatty()):
        message = _("The app needs a terminal, and its input or output is a file or a pipe.")
        return problem("TERM001", message, fix, exit_code=2)
    if environ.get("TERM", "") in ("", "dumb"):
        message = _("TERM={value} cannot show a full-screen app.").format(value=environ.get("TERM", ""))
        return problem("TERM002", message, fix, exit_code=2)
    return None


def speak_utf8() -> None:
    """Make the streams that Textual writes to UTF-8: under a POSIX locale lines would be spelt out as escapes."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and "utf" not in (stream.encoding or "").lower():
            stream.reconfigure(encoding="utf-8")
