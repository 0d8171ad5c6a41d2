"""Lines of a growing log by number, without holding the file: one offset for every 64 lines, the rest is read back.

Knows no screen and no job. One thread polls (`poll`), any thread reads lines; a file of any size costs 16 bytes per
block of 64 lines, or per MiB where lines are long.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Final

_BLOCK_LINES: Final = 64
_BLOCK_BYTES: Final = 1 << 20
_CHUNK: Final = 1 << 18
_BUDGET: Final = 8 << 20
_SHOWN_BYTES: Final = 8 << 10
_CACHED_BLOCKS: Final = 64


class LogIndex:
    """Index of one file that another process appends to, truncates or replaces.

    Mutable. `total` is the number of lines, a last one without its line break included; `generation` counts changes
    (a progress line that grows leaves `total` as it was).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._file = -1
        self._inode = 0
        self.generation = 0
        self._forget()

    def _forget(self) -> None:
        self._scanned = 0
        self._lines = 0
        self._line_start = 0
        self._marks = array("Q", [0])  # offset of each block's first line
        self._numbers = array("Q", [0])  # number of each block's first line
        self._blocks: OrderedDict[int, list[str]] = OrderedDict()

    @property
    def total(self) -> int:
        """Lines that can be read, the unfinished last one included."""
        return self._lines + (self._scanned > self._line_start)

    def poll(self, budget: int = _BUDGET) -> bool:
        """Read at most `budget` bytes of what was added; True when something changed. Never raises for a bad file.

        The lock is held for one chunk of 256 KiB at a time (1 to 2 ms), so that whoever draws need not wait.
        """
        changed = False
        try:
            with self._lock:
                changed = self._reopen_if_replaced()
            while budget > 0 and (read := self._read_on()):
                budget -= read
                changed = True
        except OSError:
            return changed
        return changed

    def _read_on(self) -> int:
        """Index one more chunk; bytes read."""
        with self._lock:
            data = os.pread(self._file, _CHUNK, self._scanned) if self._file >= 0 else b""
            if data:
                self._take(data)
                self.generation += 1
            return len(data)

    def _reopen_if_replaced(self) -> bool:
        """Start over when the path names another file, or the same one cut short."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return False
        if self._file >= 0 and status.st_ino == self._inode and status.st_size >= self._scanned:
            return False
        replaced = self._file >= 0
        self.generation += replaced
        self.close()
        self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        self._inode = status.st_ino
        self._forget()
        return replaced

    def _take(self, data: bytes) -> None:
        self._blocks.pop(len(self._marks) - 1, None)  # its last lines were not whole
        base, lines, find = self._scanned, self._lines, data.find
        full = self._numbers[-1] + _BLOCK_LINES
        large = self._marks[-1] + _BLOCK_BYTES - base
        at = find(b"\n")
        last = -1
        while at >= 0:
            last = at
            lines += 1
            if lines >= full or at >= large:
                self._marks.append(base + at + 1)
                self._numbers.append(lines)
                full, large = lines + _BLOCK_LINES, at + _BLOCK_BYTES
            at = find(b"\n", at + 1)
        if last >= 0:
            self._line_start = base + last + 1
        self._lines = lines
        self._scanned = base + len(data)

    def line(self, number: int) -> str:
        """Line `number` (from 0) as it would stand on a screen: after its last carriage return, at most 8 KiB of it.

        Raw text: escapes are still in it. Empty for a line that is gone.
        """
        with self._lock:
            if not 0 <= number < self.total:
                return ""
            if number == self._lines:
                return self._unfinished()
            block = bisect_right(self._numbers, number) - 1
            lines = self._block(block)
            at = number - self._numbers[block]
            return lines[at] if at < len(lines) else ""

    def _unfinished(self) -> str:
        start = max(self._line_start, self._scanned - _SHOWN_BYTES)
        return _shown(self._read(start, self._scanned - start))

    def _block(self, block: int) -> list[str]:
        lines = self._blocks.get(block)
        if lines is not None:
            self._blocks.move_to_end(block)
            return lines
        start = self._marks[block]
        end = self._marks[block + 1] if block + 1 < len(self._marks) else self._line_start
        # Only the last line of a block can reach beyond a MiB, and of it no more than its beginning is shown.
        data = self._read(start, min(end - start, _BLOCK_BYTES + _SHOWN_BYTES))
        lines = [_shown(line) for line in data.removesuffix(b"\n").split(b"\n")]
        self._blocks[block] = lines
        if len(self._blocks) > _CACHED_BLOCKS:
            self._blocks.popitem(last=False)
        return lines

    def _read(self, start: int, length: int) -> bytes:
        try:
            return os.pread(self._file, length, start)
        except OSError:
            return b""

    def close(self) -> None:
        """Give the descriptor back; lines can no longer be read until the next `poll`."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _shown(line: bytes) -> str:
    """What a terminal would leave visible of a line that went back to its start and wrote over itself."""
    line = line.rstrip(b"\r")
    line = line[line.rfind(b"\r", max(0, len(line) - _SHOWN_BYTES)) + 1 :] if b"\r" in line else line
    return line[:_SHOWN_BYTES].decode("utf-8", "replace")
