"""What an out-of-memory error was about: which tensor asked, and why there was no room. Reads the error's own words.

Torch tells how much was asked for and what the card held. A size in MiB names a tensor once the picture's true size is
known: tokens, latents and clips are whole numbers. Knows no log and no job.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.memory.ours import Case
from engine.memory.plan import MIB
from engine.spec import FRAMES_PER_BLOCK, LATENTS_PER_BLOCK, Pristine
from lora_repository.i18n import N_

_UNITS: Final = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SIZE: Final = r"([\d.]+) (bytes|KiB|MiB|GiB)"
_ASKED: Final = re.compile(rf"Tried to allocate {_SIZE}")
_FREE: Final = re.compile(rf"of which {_SIZE} is free")
_KEPT: Final = re.compile(rf"{_SIZE} is reserved by PyTorch but unallocated")
_OTHERS: Final = re.compile(rf"Process (\d+) has {_SIZE} memory in use")
_OWN: Final = re.compile(rf"this process has {_SIZE} memory in use")
_MOST_TIMES: Final = 200
"""Clips that a grown ring may stand for."""
_ROUNDED: Final = 2 * MIB
"""Torch rounds what it asks the driver for up to this."""


class Cause(StrEnum):
    """Why there was no room."""

    GROWN = "grown"
    """A tensor that should have one size was a whole number of times larger."""
    FRAGMENTED = "fragmented"
    """There was room, in pieces that were too small."""
    TENANTS = "tenants"
    """Other processes held what was lacking."""
    TOO_LARGE = "too-large"
    """The run needs more than the card has."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the error says, in bytes: asked for, of the card free, held by this process (some of it `kept` without use),
    and held by other processes (number, bytes)."""

    asked: int
    free: int = 0
    own: int = 0
    kept: int = 0
    others: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a run: `name` is English and translated by whoever shows it; `grows` where clips could add up."""

    name: str
    size: int
    grows: bool = False


@dataclass(frozen=True, slots=True)
class Autopsy:
    """`tensor` is None where the size fits none; `times` how many of it the asked size is, `clips` of them."""

    told: Told
    cause: Cause
    tensor: Tensor | None
    times: int = 1


def read_error(text: str) -> Told | None:
    """The figures of torch's message; None where it does not say what was asked for."""
    asked = _ASKED.search(text)
    if asked is None:
        return None
    others = tuple((int(pid), _bytes(size, unit)) for pid, size, unit in _OTHERS.findall(text))
    return Told(_bytes(*asked.groups()), _first(_FREE, text), _first(_OWN, text), _first(_KEPT, text), others)


def autopsy(told: Told, case: Case) -> Autopsy:
    """Which tensor of `case` asked, and why it did not get its room."""
    tensor, times = _match(told.asked, case)
    if times > 1:
        return Autopsy(told, Cause.GROWN, tensor, times)
    if told.kept >= told.asked:
        return Autopsy(told, Cause.FRAGMENTED, tensor)
    if sum(size for _pid, size in told.others) >= told.asked - told.free > 0:
        return Autopsy(told, Cause.TENANTS, tensor)
    return Autopsy(told, Cause.TOO_LARGE, tensor)


def _match(asked: int, case: Case) -> tuple[Tensor | None, int]:
    """The tensor of that size; else the one that `asked` is a whole multiple of, the fewest times."""
    known = list(tensors(case))
    for tensor in known:
        if _same(asked, tensor.size):
            return tensor, 1
    grown = [(round(asked / one.size), one) for one in known if one.grows and asked > one.size]
    fitting = [(times, one) for times, one in grown if times <= _MOST_TIMES and _same(asked, times * one.size)]
    return min(((one, times) for times, one in fitting), key=lambda pair: pair[1], default=(None, 1))


def _same(asked: int, size: int) -> bool:
    """Equal as torch tells it: two decimals of a unit, after rounding up."""
    return 0 <= asked - size < _ROUNDED or abs(asked - size) <= asked // 1000


def tensors(case: Case) -> Iterator[Tensor]:
    """The large tensors of a run, those first that are most likely to be the last straw."""
    config, mode = case.config, case.mode
    d, width, cache = config.dim, mode.width, mode.cache_width
    block = LATENTS_PER_BLOCK * case.tokens
    yield Tensor(N_("keys or values of one ring, all layers"), config.num_layers * case.ring * d * cache)
    yield Tensor(N_("keys or values of one ring in one layer"), case.ring * d * cache, grows=True)
    yield Tensor(N_("condition keys or values of one layer"), case.condition * d * cache)
    yield Tensor(N_("a feed-forward matrix"), config.ffn_dim * d * width)
    yield Tensor(N_("a feed-forward matrix in float32"), config.ffn_dim * d * 4)
    yield Tensor(N_("an attention matrix"), d * d * width)
    yield Tensor(N_("an attention matrix in float32"), d * d * 4)
    yield Tensor(N_("the hidden layer of a feed-forward"), block * config.ffn_dim * width)
    yield Tensor(N_("queries, keys or values of one block"), block * d * width)
    if mode.pristine is not Pristine.NONE:
        yield Tensor(N_("the pristine copy of the model"), case.parts.dit * width)
    frame = case.height * case.width // case.parts.patch**2 * case.parts.decoder_width * width
    for channels in (1, 2):
        for frames in (4, FRAMES_PER_BLOCK, 25):
            yield Tensor(N_("a picture inside the VAE's decoder"), channels * frames * frame)


def _bytes(number: str, unit: str) -> int:
    return round(float(number) * _UNITS[unit])


def _first(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return 0 if found is None else _bytes(found[1], found[2])
