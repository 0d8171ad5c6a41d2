"""The newest block as a moving picture for whoever watches: `preview.jpg`, replaced ten times a second at most.

Blocks come every half second and hold 12 frames; a thread shows some of them, evenly, over the time that the next block
is likely to take. Knows no model. Encoding takes 0.3 ms for a frame of 128x128.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from engine.video_sink import Frames, save_preview

_GAP_S: Final = 0.1
_LONGEST_S: Final = 2.0
"""A block that took longer is shown over this time, and its last frame stands until the next."""


class PreviewPlayer:
    """Mutable: a context, whose thread plays until it ends."""

    def __init__(self, path: Path, fps: int) -> None:
        self._path = path
        self._fps = fps
        self._news = threading.Condition()
        self._waiting: tuple[Frames, float] | None = None
        self._came: float | None = None
        self._closed = False
        self._fault: OSError | None = None
        self._thread = threading.Thread(target=self._play, name="preview", daemon=True)

    def show(self, frames: Frames) -> None:
        """Show frames uint8 `[T, H, W, 3]`; what is left of the block before is dropped. Raises OSError if the frames
        before could not be written."""
        if self._fault is not None:
            raise self._fault
        now = time.monotonic()
        took = len(frames) / self._fps if self._came is None else now - self._came
        self._came = now
        with self._news:
            self._waiting = (frames, min(took, _LONGEST_S))
            self._news.notify()

    def _play(self) -> None:
        while (block := self._next()) is not None:
            frames, span_s = block
            count = max(1, min(len(frames), int(span_s / _GAP_S)))
            began = time.monotonic()
            for nth, at in enumerate(np.linspace(0, len(frames) - 1, count + 1)[1:].round().astype(int), start=1):
                try:
                    save_preview(self._path, frames[at])
                except OSError as fault:
                    self._fault = fault
                    return
                if self._news_before(began + nth * span_s / count):
                    break

    def _next(self) -> tuple[Frames, float] | None:
        with self._news:
            self._news.wait_for(lambda: self._waiting is not None or self._closed)
            block, self._waiting = self._waiting, None
            return block

    def _news_before(self, moment: float) -> bool:
        with self._news:
            left = max(0.0, moment - time.monotonic())
            return self._news.wait_for(lambda: self._waiting is not None or self._closed, left)

    def close(self) -> None:
        """Show nothing more."""
        with self._news:
            self._closed = True
            self._news.notify()
        self._thread.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _fault: object, _trace: TracebackType | None) -> None:
        self.close()
