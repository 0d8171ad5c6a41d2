"""A small process beside the app that gives the terminal back when the app can no longer: killed, or crashed natively.

It is forked before anything large is imported and sleeps on a pipe until the app says goodbye or is gone. Knows no
screen; an orderly end, signals and hang-ups are `guard`'s.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import time
from collections.abc import Iterator
from typing import Any, Final, NoReturn

# Out of: bracketed paste, mouse (4 kinds), focus reports, kitty keys, synchronised output, alternate screen; cursor on.
RESTORE: Final = (
    b"\x1b[?2004l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1004l\x1b[<u\x1b[?2026l\x1b[?1049l\x1b[?25h\x1b[0m"
)


@contextlib.contextmanager
def watched_terminal() -> Iterator[None]:
    """While the body runs, the end of this process by whatever cause gives the terminal back as it is found here."""
    terminal = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
    found = termios.tcgetattr(terminal)
    waking, goodbye = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(goodbye)
        _stand_watch(waking, terminal, found)
    os.close(waking)
    try:
        yield
    finally:
        with contextlib.suppress(BrokenPipeError):  # somebody ended the watchman first
            os.write(goodbye, b".")
        os.close(goodbye)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


_PATIENCE_S: Final = 2.0
"""A link full of the last frame takes so long to drain; a terminal that never reads must not hold the end up."""


def restore_terminal(terminal: int | None, found: list[Any] | None) -> None:
    """Put the terminal's modes back, and its picture as far as it reads within `_PATIENCE_S`."""
    if terminal is None or found is None:
        return
    with contextlib.suppress(OSError):
        _write_patiently(terminal, RESTORE)
    with contextlib.suppress(OSError, termios.error):
        termios.tcsetattr(terminal, termios.TCSANOW, found)


def _write_patiently(terminal: int, data: bytes) -> None:
    until = time.monotonic() + _PATIENCE_S
    os.set_blocking(terminal, False)
    try:
        while data and (left := until - time.monotonic()) > 0:
            if select.select([], [terminal], [], left)[1]:
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(terminal, data) :]
    finally:
        os.set_blocking(terminal, True)


def _stand_watch(waking: int, terminal: int, found: list[Any]) -> NoReturn:
    """Sleep until the pipe speaks or breaks; the shell has the terminal by then, so writing to it must be allowed."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTTOU, signal.SIGTSTP):
            signal.signal(number, signal.SIG_IGN)
        if os.read(waking, 1) == b"":
            restore_terminal(terminal, found)
    finally:
        os._exit(0)
