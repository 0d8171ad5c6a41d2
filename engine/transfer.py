"""Between host and card without waiting: what goes up passes through pinned memory, what comes down lands in it.

An ordinary copy makes the host wait for all that is queued on the card. Knows no model.
"""

from __future__ import annotations

import torch
from torch import Tensor


def upload(x: Tensor, device: torch.device) -> Tensor:
    """`x` on `device`; the host does not wait."""
    if x.device == device or device.type == "cpu":
        return x.to(device)
    return x.pin_memory().to(device, non_blocking=True) if x.device.type == "cpu" else x.to(device)


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
