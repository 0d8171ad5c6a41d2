"""Chance that depends on the seed and on where one is, on nothing that was drawn before: a resumed training needs no
state of any generator."""

from __future__ import annotations

import hashlib

import torch


def draws(seed: int, *place: object) -> torch.Generator:
    """The generator of one place in a training, on the processor: the same on every device."""
    digest = hashlib.sha256(repr((seed, *place)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def order(count: int, seed: int, epoch: int) -> list[int]:
    """In which order an epoch takes its clips."""
    return [int(index) for index in torch.randperm(count, generator=draws(seed, "epoch", epoch))]
