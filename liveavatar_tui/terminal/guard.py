"""Leaves the terminal as it was found when the app is told to end, or when the terminal itself has gone.

Textual restores the terminal on an orderly exit only; a signal or a dropped connection would leave the alternate
screen and mouse reports on, or a loop that spins on a dead descriptor. Knows nothing of screens: it asks one callable
to end the app and, when that takes too long, ends the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable
from typing import Any, Final

from liveavatar_tui.terminal.watchman import restore_terminal

_GRACE_S: Final = 2.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
_HUNG_UP: Final = 128 + signal.SIGHUP


class TerminalGuard:
    """Watches signals and the terminal from `install` on; `end(code)` must ask the app to exit with that code.

    Mutable: holds the terminal's attributes as found, and whether an end has begun.
    """

    def __init__(self, end: Callable[[int], None], *, terminal: int | None = None) -> None:
        self._end = end
        self._terminal = sys.__stdin__.fileno() if terminal is None and sys.__stdin__ else terminal
        self._found: list[Any] | None = None
        self._ending = False
        if self._terminal is not None:
            with contextlib.suppress(termios.error, OSError):
                self._found = termios.tcgetattr(self._terminal)

    def install(self) -> None:
        """Take the signals and start to watch for a hang-up; call it inside the running loop."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.begin_end, 128 + number)
        if self._found is not None:
            threading.Thread(target=self._await_hang_up, args=(loop,), name="hang-up", daemon=True).start()

    def begin_end(self, code: int) -> None:
        """Ask for an orderly end; if the app has not ended in 2 s (its writer may be stuck), end the process."""
        if self._ending:
            return
        self._ending = True
        timer = threading.Timer(_GRACE_S, self._end_hard, (code,))
        timer.daemon = True
        timer.start()
        self._end(code)

    def _await_hang_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sleep until the terminal reports POLLHUP or POLLERR: SIGHUP may be ignored (nohup) or never sent."""
        poll = select.poll()
        poll.register(self._terminal or 0, 0)
        poll.poll()
        # What is still written goes nowhere: on a dead terminal it would fail, and once more when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        with contextlib.suppress(RuntimeError):  # the loop has ended first
            loop.call_soon_threadsafe(self.begin_end, _HUNG_UP)

    def _end_hard(self, code: int) -> None:
        restore_terminal(self._terminal, self._found)
        os._exit(code)
