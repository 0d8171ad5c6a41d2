"""How many bytes of pictures a second are worth it: a bucket that fills with time. Knows no link; mutable."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

FRAME_S: Final = 0.1
"""Ten frames a second are what the eye gets from cells; more cost bytes."""
_PER_CELL: Final = 33
"""Bytes a second for each cell of the box: 48 kB/s at 72 x 20, 131 kB/s at 120 x 33."""
_MOST: Final = 140_000
_LEAST_S: Final = 0.05
"""What is saved in this time is worth sending: smaller patches are all overhead."""
_BURST_S: Final = 1.0
"""A first picture may take what was saved in a second."""


class ByteRate:
    """Bytes that the pictures in a box may take."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._per_s = 0
        self._saved = 0.0
        self._at = clock()

    def available(self, cells: int) -> int:
        """Bytes for the next patch in a box of `cells` cells; 0 while they are not worth sending."""
        per_s = min(_MOST, _PER_CELL * cells)
        now = self._clock()
        if per_s != self._per_s:  # another box begins anew
            self._saved = _BURST_S * per_s
        self._per_s = per_s
        self._saved = min(_BURST_S * per_s, self._saved + (now - self._at) * per_s)
        self._at = now
        return int(self._saved) if self._saved >= _LEAST_S * per_s else 0

    def spend(self, size: int) -> None:
        """A patch of `size` bytes was sent."""
        self._saved -= size
