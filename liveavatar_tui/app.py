"""Opens the app: full-screen where the terminal can show it, plain lines elsewhere; nothing in the way of the paint.

Knows no screen. Textual is imported inside, where the collector of garbage rests already.
"""

from __future__ import annotations

import codecs
import gc
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper

from liveavatar_tui.settings import Settings
from lora_repository.finding import Problem, problem
from lora_repository.i18n import _


def run_app(settings: Settings, run: Callable[[Sequence[str]], int], *, plain: bool = False) -> int:
    """Run the app until the user leaves; the exit code: 0 for leaving, 128 + n for signal n.

    Where no full-screen app can run the reason is told (TERM001, TERM002), and the plain mode does its work; `run` is
    what runs a command line there.
    """
    from liveavatar_tui.terminal.capabilities import refusal, speak_utf8

    refused = None if plain else _other_characters() or refusal()
    if plain or refused is not None:
        return _plainly(settings, run, refused)
    speak_utf8()
    from liveavatar_tui.terminal.watchman import watched_terminal

    with watched_terminal():
        return _run_full_screen(settings)


def _run_full_screen(settings: Settings) -> int:
    from liveavatar_tui.terminal.probe import Probe

    probe = Probe()  # its answers travel while the app is loaded
    # Until the first paint: collections while modules load cost 18 ms, a full one in the middle of the paint 28 ms.
    gc.disable()
    from liveavatar_tui.full_screen import LiveAvatarApp

    app = LiveAvatarApp(settings, painted=_collect_again, abilities=probe.abilities())
    app.run()
    return app.return_code or 0


def _plainly(settings: Settings, run: Callable[[Sequence[str]], int], refused: Problem | None) -> int:
    """The plain mode; a character that the terminal does not have is spelt out instead of ending it."""
    from liveavatar_tui.commands.output import complain
    from liveavatar_tui.plain import run_plain

    for stream in (sys.__stdout__, sys.__stderr__):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if refused is not None:
        complain(f"{refused.finding.code}: {refused.finding.message}")
    return run_plain(settings, run)


def _other_characters() -> Problem | None:
    """Why a terminal of another encoding, such as GBK, is not sent UTF-8; None for UTF-8 and for plain ASCII locales.

    A locale named C or POSIX says nothing about the terminal, which speaks UTF-8 nearly everywhere.
    """
    encoding = codecs.lookup((sys.__stdout__ and sys.__stdout__.encoding) or "ascii").name
    if encoding in ("utf-8", "ascii"):
        return None
    message = _("The locale of this terminal speaks {encoding}, which has no characters to draw a screen with.")
    return problem("TERM003", message.format(encoding=encoding), "LANG=C.UTF-8 liveavatar-tui", exit_code=2)


def _collect_again() -> None:
    gc.freeze()  # modules and style sheets stay for good: no collection need look at them
    gc.enable()
