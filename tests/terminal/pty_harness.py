"""A program in a real pseudo-terminal: spawned, timed, answered as a terminal answers, its screen rebuilt by pyte.

The reader thread only stamps and stores bytes, so that it does not take the processor from the program under test.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import pyte

# What pyte does not know: private CSI, mode queries, window operations, strings.
_UNKNOWN = re.compile(
    r"\x1b\[[<>=][0-9;:]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p|\x1b\[[0-9;]*t|\x1b[P_^X].*?\x1b\\|\x1b\].*?(?:\x07|\x1b\\)", re.S
)
_ANSWERS = {
    b"\x1b[?2026$p": b"\x1b[?2026;2$y",
    b"\x1b[?2048$p": b"\x1b[?2048;0$y",
    b"\x1b[c": b"\x1b[?62;22c",
    b"\x1b[6n": b"\x1b[1;1R",
}


class Terminal:
    """Use as a context: the program is killed at the end if it still runs."""

    def __init__(
        self, argv: Sequence[str], *, columns: int = 80, rows: int = 24, env: Mapping[str, str] | None = None
    ) -> None:
        self.columns, self.rows = columns, rows
        self.chunks: list[tuple[float, bytes]] = []
        self.closed = threading.Event()
        self._status: int | None = None
        self.began = time.perf_counter()
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            self._become(argv, dict(env or {}))
        threading.Thread(target=self._read, daemon=True).start()

    def _become(self, argv: Sequence[str], env: dict[str, str]) -> None:
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
            base = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
            os.execvpe(argv[0], list(argv), {**base, "HOME": os.environ.get("HOME", "/"), **env})
        finally:
            os._exit(127)

    def _read(self) -> None:
        tail = b""
        while True:
            try:
                # Short waits: a select that sleeps would keep the terminal alive after `hang_up` has closed it.
                if not select.select([self.descriptor], [], [], 0.1)[0]:
                    continue
                data = os.read(self.descriptor, 65536)
            except (OSError, ValueError):
                break
            if not data:
                break
            self.chunks.append((time.perf_counter() - self.began, data))
            window = tail + data
            for query, answer in _ANSWERS.items():
                for _ in range(window.count(query) - tail.count(query)):
                    with suppress(OSError):
                        os.write(self.descriptor, answer)
            tail = window[-16:]
        self.closed.set()

    @property
    def raw(self) -> bytes:
        """Everything that the program has sent."""
        return b"".join(data for _, data in list(self.chunks))

    def text(self, until: float | None = None) -> str:
        """The screen, rebuilt from what was sent (up to `until` seconds after the start)."""
        screen = pyte.Screen(self.columns, self.rows)
        data = b"".join(piece for at, piece in list(self.chunks) if until is None or at <= until)
        with suppress(TypeError, ValueError):  # pyte stumbles over a sequence that is cut in the middle
            pyte.Stream(screen).feed(_UNKNOWN.sub("", data.decode("utf-8", "replace")))
        return "\n".join(screen.display)

    def wait(self, condition: Callable[[], object], within_s: float = 30.0) -> None:
        """Until the condition holds; a hang is a failure."""
        deadline = time.perf_counter() + within_s
        while not condition():
            assert time.perf_counter() < deadline, f"it did not come to that; on the screen:\n{self.text()}"
            time.sleep(0.02)

    def wait_for(self, text: str) -> None:
        """Until the text stands on the screen."""
        self.wait(lambda: text in self.text())

    def wait_quiet(self, quiet_s: float) -> None:
        """Until nothing was sent for so long."""
        self.wait(lambda: self.chunks and time.perf_counter() - self.began - self.chunks[-1][0] >= quiet_s)

    def shown_at(self, text: str) -> float | None:
        """Seconds from the start until the text stood on the screen."""
        return next((at for at, _ in list(self.chunks) if text in self.text(at)), None)

    def send(self, keys: str) -> None:
        """Press keys."""
        os.write(self.descriptor, keys.encode())

    def attributes(self) -> list[object]:
        """The terminal's modes (termios)."""
        return list(termios.tcgetattr(self.descriptor))

    def hang_up(self) -> None:
        """The connection is cut: the terminal is gone."""
        os.close(self.descriptor)
        self.descriptor = -1

    def exit_code(self, within_s: float = 15.0) -> int:
        """The code that the program ended with."""
        self.wait(self._reap, within_s)
        assert self._status is not None
        return os.waitstatus_to_exitcode(self._status)

    def _reap(self) -> bool:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        if not self._reap():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.wait(self._reap)
        if self.descriptor >= 0:
            os.close(self.descriptor)
