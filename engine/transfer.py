"""Between host and card without waiting: what goes up passes through pinned memory, what comes down lands in it.

An ordinary copy makes the host wait for all that is queued on the card. Knows no model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor


def upload(x: Tensor, device: torch.device) -> Tensor:
    """`x` on `device`; the host does not wait."""
    if x.device == device or device.type == "cpu":
        return x.to(device)
    return x.pin_memory().to(device, non_blocking=True) if x.device.type == "cpu" else x.to(device)


class Uploads:
    """Mutable: tensors on their way up by a stream of their own, so that they come while others are worked on.

    Only what lies in pinned memory comes so; anything else is copied when it is taken.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._coming: dict[str, tuple[Tensor, torch.cuda.Event]] = {}
        self._taken: deque[torch.cuda.Event] = deque()

    def start(self, name: str, x: Tensor) -> None:
        """Send a tensor up; waits where two that were taken are still being worked on."""
        if self._stream is None or not x.is_pinned():
            return
        while len(self._taken) > 1:
            self._taken.popleft().synchronize()
        with torch.cuda.stream(self._stream):
            there = x.to(self._device, non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record()
        self._coming[name] = there, arrived

    def take(self, name: str, source: Callable[[str], Tensor]) -> Tensor:
        """The tensor on the device, for work on the current stream; from `source` if it was not sent."""
        if name not in self._coming:
            return source(name).to(self._device)
        there, arrived = self._coming.pop(name)
        current = torch.cuda.current_stream(self._device)
        current.wait_event(arrived)
        there.record_stream(current)
        mark = torch.cuda.Event()
        mark.record(current)
        self._taken.append(mark)
        return there


class Landing:
    """Mutable: one tensor on its way down; `wait` until it is there."""

    def __init__(self, x: Tensor) -> None:
        """Start copying `x`, which the current stream made; nothing waits."""
        self._host, self._there = x, None
        if x.is_cuda:
            self._host = torch.empty(x.shape, dtype=x.dtype, pin_memory=True)
            self._host.copy_(x, non_blocking=True)
            self._there = torch.cuda.Event()
            self._there.record()

    def wait(self) -> Tensor:
        """The tensor on the host."""
        if self._there is not None:
            self._there.synchronize()
        return self._host
