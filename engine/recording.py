"""Work of a card that is recorded once and then replayed by one launch.

The work must read and write storage that stays where it is, and ask the card for nothing. Knows no model. One number: a
block of 12 frames of the 14B model is some 2,500 kernels, and one launch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

_LOCK = threading.Lock()
"""One recording at a time: they share the memory that torch sets aside for them."""


class Recording:
    """Mutable: the first call runs the work plainly, which compiles what is compiled; the second records it."""

    def __init__(self) -> None:
        self._warm = False
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, work: Callable[[], None]) -> None:
        """Do the work, the same at every call, on the current stream."""
        if not self._warm:
            self._warm = True
            work()
            return
        if self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            # Thread-local: other threads may allocate meanwhile, as the one that prepares an adapter does.
            with _LOCK, torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                work()
        self._graph.replay()


def plainly(work: Callable[[], None]) -> None:
    """Do the work; what stands in for a `Recording` where nothing is recorded."""
    work()
