"""How much memory torch holds on a card, measured. Apart from the host's, which is asked for without torch."""

from __future__ import annotations

import torch

from engine.protocol import Memory


def card_use(index: int) -> Memory:
    """What torch has reserved on a card, and its peak, in bytes: what it holds, other programs cannot have."""
    used, peak = torch.cuda.memory_reserved(index), torch.cuda.max_memory_reserved(index)
    return Memory(device=f"cuda:{index}", used=used, peak=peak)
