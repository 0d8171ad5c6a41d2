"""Watches a training for what goes wrong early: a gradient that leaps, a loss that is no number, learning by heart.

Pure arithmetic on what it is told; knows no model. All that it remembers is a value, kept with the checkpoint.
"""

from __future__ import annotations

import math
import statistics
from typing import Final

import msgspec

from engine.training import codes
from lora_repository.finding import Finding, Problem

_USUAL: Final = 40
"""Gradients that the usual size is taken of."""
_LEAP: Final = 10.0
_WORSE: Final = 0.05
"""Held-out clips this much above their best, at two looks in a row, are learning by heart."""
_MEAN: Final = 0.95


class Memory(msgspec.Struct, frozen=True):
    """What has been seen: recent gradient norms, a running mean of the loss, and every look at the held-out clips."""

    norms: tuple[float, ...] = ()
    loss: float | None = None
    looks: tuple[tuple[int, float], ...] = ()
    leapt: int = 0
    told_overfitting: bool = False


def after_step(memory: Memory, step: int, loss: float, norm: float, rate: float) -> tuple[Memory, Finding | None]:
    """The memory after a step, and a warning where its gradient leapt. Raises Problem TRAIN010 for no number."""
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise not_a_number(step, memory, rate)
    usual = statistics.median(memory.norms) if len(memory.norms) >= _USUAL // 2 else math.inf
    leapt = norm > _LEAP * usual and step - memory.leapt > _USUAL
    found = None
    if leapt:
        found = codes.warning(codes.GRADIENT_LEAPS, step=step, times=round(norm / usual), rate=_lower(rate))
    mean = loss if memory.loss is None else _MEAN * memory.loss + (1 - _MEAN) * loss
    norms = (*memory.norms, norm)[-_USUAL:]
    leapt_at = step if leapt else memory.leapt
    return msgspec.structs.replace(memory, norms=norms, loss=mean, leapt=leapt_at), found


def after_look(memory: Memory, step: int, held_out: float) -> tuple[Memory, Finding | None]:
    """The memory after a look at the held-out clips, and a warning, once, where they got worse."""
    looks = (*memory.looks, (step, held_out))
    best = min(looks, key=lambda look: look[1])
    worse = [look for look in looks[-2:] if look[1] > (1 + _WORSE) * best[1] and look[0] > best[0]]
    found = None
    if len(worse) == 2 and not memory.told_overfitting:
        percent = round(100 * (held_out / best[1] - 1))
        found = codes.warning(codes.OVERFITTING, best=best[0], percent=percent)
    told = memory.told_overfitting or found is not None
    return msgspec.structs.replace(memory, looks=looks, told_overfitting=told), found


def not_a_number(step: int, memory: Memory, rate: float) -> Problem:
    """Why a training ends that diverged."""
    saved = memory.looks[-1][0] if memory.looks else 0
    return codes.NOT_A_NUMBER.problem(step=step, saved=saved, rate=_lower(rate))


def _lower(rate: float) -> str:
    """A third of the rate, in two digits."""
    return f"{rate / 3:.2g}"
