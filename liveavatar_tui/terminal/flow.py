"""How much may be sent to the terminal so that keys are answered at once: one live update in flight, and its size.

Before and after an update the terminal is asked where its cursor is; it answers when it has taken in all that was sent
before. The time between the two answers is what the update took on the link, however far away the terminal is. Knows no
widget: asking is a function, and whoever hears an answer says so. Mutable; one thread sends, another may hear.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

ASK: Final = "\x1b[6n"
"""Report the cursor's position."""
PATIENCE_S: Final = 2.0
"""A terminal that has not answered by then does not answer."""
UNANSWERED_S: Final = 1.0
"""Between two updates to a terminal that does not answer."""
_AIM_S: Final = 0.1
"""What an update may take on the link: a key pressed meanwhile waits that long."""
_SWIFT_S: Final = 0.03
"""An update that took no longer may be twice as large next time."""
_FIRST: Final = 8_000
_LEAST: Final = 600
_MOST: Final = 256_000


class Flow:
    """`ask` sends `ASK` to the terminal, or is None where nobody would answer: then everything is ready at once."""

    def __init__(self, ask: Callable[[], object] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._sent_at: float | None = None
        self._asked: list[float] = []
        self._heard: list[float] = []
        self._size = 0
        self.allowance = _FIRST if ask else _MOST
        """Bytes that the next update may have."""
        self.mute = False
        """Whether the terminal was asked and does not answer."""

    @property
    def ready(self) -> bool:
        """Whether the next update may be sent."""
        if self._ask is None or self._sent_at is None:
            return True
        waited = self._clock() - self._sent_at
        if waited < PATIENCE_S and not self.mute:
            return False
        if not self.mute:
            self.mute, self.allowance = True, _FIRST
        return waited >= UNANSWERED_S

    def send(self, size: int) -> None:
        """An update of about `size` bytes comes next; call `sent` once it is drawn."""
        self._sent_at, self._size = self._clock(), size
        self._asked, self._heard = [], []
        self._put_question()

    def sent(self) -> None:
        """The update is drawn."""
        if self._sent_at is not None:
            self._put_question()

    def _put_question(self) -> None:
        if self._ask is not None:
            self._asked.append(self._clock())
            self._ask()

    def hear(self) -> None:
        """The terminal has answered."""
        self._heard.append(self._clock())
        if len(self._asked) < 2 or len(self._heard) < 2:
            return
        took = (self._heard[1] - self._heard[0]) - (self._asked[1] - self._asked[0])
        self._sent_at, self.mute = None, False
        if took <= _SWIFT_S:
            self.allowance = min(_MOST, max(self.allowance, 2 * self._size))
        else:
            measured = self._size * _AIM_S / took
            self.allowance = round(min(_MOST, max(_LEAST, (self.allowance + measured) / 2)))
