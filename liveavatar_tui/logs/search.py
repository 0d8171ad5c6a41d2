"""One search in a log that may still grow: the process that looks, what it has found, and the way from hit to hit.

Knows no screen. Mutable: a thread collects the hits, any thread asks for them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import IO, Final

import msgspec

from liveavatar_tui.logs.log_file import LogFile
from liveavatar_tui.logs.query import Query
from liveavatar_tui.logs.scan import AHEAD, HEADER, PATIENCE_S, Request

MOST: Final = 1_000_000
"""Hits that are kept, 8 MB; then the search ends and says so."""
_NAMES: Final = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "VIRTUAL_ENV")


class Pace(StrEnum):
    """Where a search is."""

    LOOKING = "looking"
    DONE = "done"
    FULL = "full"
    SLOW = "slow"
    """One chunk took too long; only an expression can do that."""
    BROKEN = "broken"


class Search:
    """Seeks `query` in `file`, from the line start `origin` on and then backwards. `close` it."""

    def __init__(self, file: LogFile, query: Query, origin: int, *, patience_s: float = PATIENCE_S) -> None:
        self.query = query
        self._file = file
        self._extent = file.extent
        self._ahead = array("q")  # ascending
        self._back = array("q")  # the negatives of descending offsets: ascending too
        self._covered = 0
        self.turned = False
        """Whether all from the origin on is looked through, so that what is found next lies before it."""
        self._told = (0, Pace.LOOKING)
        self._ended: Pace | None = None
        held = self._extent.file
        self._process = _spawn(os.environ, () if held is None else (held.number,))
        request = Request(held.number if held else -1, query, origin, self._extent.size, patience_s)
        self._say(msgspec.json.encode(request))
        threading.Thread(target=self._collect, name="search", daemon=True).start()

    def _say(self, line: bytes) -> None:
        if self._process.stdin is not None:
            with suppress(OSError):  # it has ended: the collecting thread says why
                self._process.stdin.write(line + b"\n")
                self._process.stdin.flush()

    def poll(self) -> bool:
        """Tell the process what was added to the file; True when it has found or looked through more."""
        extent = self._file.extent
        if extent.generation == self._extent.generation and extent.size != self._extent.size:
            self._extent = extent
            self._say(b"%d" % extent.size)
        now = (self._covered, self.pace)
        changed, self._told = now != self._told, now
        return changed

    @property
    def pace(self) -> Pace:
        """Where it is."""
        if self._ended is not None:
            return self._ended
        return Pace.DONE if self._covered >= self._extent.size else Pace.LOOKING

    @property
    def share(self) -> float:
        """How much of the file is looked through, 0 to 1."""
        return min(1.0, self._covered / self._extent.size) if self._extent.size else 1.0

    def __len__(self) -> int:
        return len(self._back) + len(self._ahead)

    def __getitem__(self, rank: int) -> int:
        """Offset of the hit that is the `rank`-th, from 0, of those found so far."""
        back = len(self._back)
        return -self._back[back - 1 - rank] if rank < back else self._ahead[rank - back]

    def rank(self, offset: int) -> int:
        """How many hits lie before `offset`."""
        back = len(self._back)
        return back - bisect_right(self._back, -offset, 0, back) + bisect_left(self._ahead, offset)

    def holds(self, offset: int) -> bool:
        """Whether the line that begins at `offset` is a hit."""
        rank = self.rank(offset)
        return rank < len(self) and self[rank] == offset

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()

    def _collect(self) -> None:
        """Take in records until the process ends; it is reaped here."""
        stream = self._process.stdout
        while stream is not None and self._take(stream):
            pass
        code = self._process.wait()
        for end in (self._process.stdin, self._process.stdout):
            if end is not None:
                with suppress(OSError):
                    end.close()
        self.turned = True
        if self._ended is None:
            self._ended = Pace.SLOW if code == -signal.SIGALRM else Pace.BROKEN

    def _take(self, stream: IO[bytes]) -> bool:
        head = stream.read(HEADER.size)
        if len(head) < HEADER.size:
            return False
        kind, covered, count = HEADER.unpack(head)
        offsets = array("q")
        offsets.frombytes(stream.read(count * offsets.itemsize)[: count * offsets.itemsize])
        if kind == AHEAD:
            self._ahead.extend(offsets)
        else:
            self.turned = True
            self._back.extend(-offset for offset in offsets)
        self._covered = covered
        if len(self) >= MOST:
            self._ended = Pace.FULL
            self._process.kill()
            return False
        return True


def _spawn(environ: Mapping[str, str], shared: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (sys.executable, "-m", "liveavatar_tui.logs.scan"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: environ[name] for name in _NAMES if name in environ},
        pass_fds=shared,
        start_new_session=True,  # ctrl+c and ctrl+z in a pager are not meant for it
    )
