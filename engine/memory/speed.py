"""How fast a run will be: counted operations by what a card can do. A measured run of the same card outranks it.

Knows no file. Ceilings are those of the makers' tables (dense, no sparsity); the shares of them that are reached were
measured on one H200 at this model's shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.memory.ours import Case, ring_bytes
from engine.memory.sizes import block_numbers
from engine.spec import FRAMES_PER_BLOCK, LATENTS_PER_BLOCK

_TERA: Final = 1e12
_GIGA: Final = 1e9

LINEAR_SHARE: Final = 0.78
"""Of the bf16 ceiling in matrix products: 773 to 829 of 989 TFLOP/s on an H200."""
FP8_SHARE: Final = 0.73
"""Of the fp8 ceiling: 1433 to 1504 of 1979."""
ATTENTION_SHARE: Final = 0.64
"""Of the bf16 ceiling in attention with cuDNN: 610 to 667 of 989."""
POINTWISE_BYTES: Final = 4_900
"""Bytes moved by the rest of a forward pass, by token x layer x width / 1000: 14 ms of an H200's 4.8 TB/s."""
VAE_FLOP: Final = 27.4 * _TERA / (12 * 384 * 704)
"""Operations of the decoder a pixel: 27.4 TFLOP for a block of 12 frames at 704x384."""
VAE_SHARE: Final = 0.3
"""Of the bf16 ceiling in the decoder's convolutions: 253 to 610 of 989, the slow stage being the largest."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What a card can do: operations a second in bf16 and fp8 (0 = it has none), bytes a second on it and to it."""

    bf16: float
    fp8: float
    memory: float
    link: float = 25 * _GIGA


SPEEDS: Final[dict[str, Speed]] = {
    "B200": Speed(2250 * _TERA, 4500 * _TERA, 8000 * _GIGA, 55 * _GIGA),
    "H200": Speed(989 * _TERA, 1979 * _TERA, 4800 * _GIGA, 55 * _GIGA),
    "H100 PCIe": Speed(756 * _TERA, 1513 * _TERA, 2000 * _GIGA, 50 * _GIGA),
    "H100": Speed(989 * _TERA, 1979 * _TERA, 3350 * _GIGA, 55 * _GIGA),
    "H800": Speed(989 * _TERA, 1979 * _TERA, 3350 * _GIGA, 55 * _GIGA),
    "H20": Speed(148 * _TERA, 296 * _TERA, 4000 * _GIGA, 55 * _GIGA),
    "A100": Speed(312 * _TERA, 0, 2000 * _GIGA),
    "A800": Speed(312 * _TERA, 0, 2000 * _GIGA),
    "L40S": Speed(362 * _TERA, 733 * _TERA, 864 * _GIGA),
    "L40": Speed(181 * _TERA, 362 * _TERA, 864 * _GIGA),
    "A6000": Speed(155 * _TERA, 0, 768 * _GIGA),
    "6000 Ada": Speed(364 * _TERA, 728 * _TERA, 960 * _GIGA),
    "5090": Speed(209 * _TERA, 419 * _TERA, 1790 * _GIGA, 50 * _GIGA),
    "4090": Speed(165 * _TERA, 330 * _TERA, 1008 * _GIGA),
    "3090": Speed(71 * _TERA, 0, 936 * _GIGA),
}
"""By a part of the card's name; the first that fits counts."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Frames a second from the first block on; `measured` on this very card, else from its maker's table."""

    fps: float
    measured: bool = False

    def seconds(self, frames: int) -> float:
        """Time for so many frames, without loading."""
        return frames / self.fps


def speed_of(name: str) -> Speed | None:
    """What the table says of a card; None for one that it does not list."""
    return next((speed for part, speed in SPEEDS.items() if part.lower() in name.lower()), None)


def expected_pace(case: Case, name: str) -> Pace | None:
    """Frames a second of a case on the card `name`; None where nothing is known of it, as of a processor."""
    speed = speed_of(name) if case.mode.on_card else None
    if speed is None or (case.mode.fp8 and not speed.fp8):
        return None
    passes = max(case.rings_on(index) for index in range(case.mode.cards))
    block = passes * forward_seconds(case, speed) + _decoding_seconds(case, speed) * (case.mode.cards <= case.passes)
    return Pace(FRAMES_PER_BLOCK / block)


def forward_seconds(case: Case, speed: Speed) -> float:
    """One forward pass; what comes from the host comes while the card computes, so the slower of the two counts."""
    linear, attention = forward_flop(case)
    rate = speed.fp8 * FP8_SHARE if case.mode.fp8 else speed.bf16 * LINEAR_SHARE
    moved = POINTWISE_BYTES * LATENTS_PER_BLOCK * case.tokens * case.config.num_layers * case.config.dim / 1000
    compute = linear / rate + attention / (speed.bf16 * ATTENTION_SHARE) + moved / speed.memory
    return max(compute, _carried(case) / speed.link)


def forward_flop(case: Case) -> tuple[float, float]:
    """Operations of one pass in matrix products and in attention (text keys and values are computed once)."""
    config, block = case.config, LATENTS_PER_BLOCK * case.tokens
    d, layers, injected = config.dim, config.num_layers, len(config.audio_inject_layers)
    linear = 2 * block * (layers * (6 * d * d + 2 * d * config.ffn_dim) + injected * 2 * d * d)
    keys = case.ring + case.condition + config.text_len
    return float(linear), 4.0 * block * keys * d * layers


def _carried(case: Case) -> float:
    """Bytes from the host in one pass: blocks that wait there, and a ring; of the ring a quarter goes back."""
    mode, size = case.mode, 0.0
    if mode.blocks_on_host:
        size += case.config.num_layers * block_numbers(case.config) * (1 if mode.fp8 else mode.width)
    if mode.rings_on_host and case.passes > mode.cards:
        size += 1.25 * ring_bytes(case)
    return size


def _decoding_seconds(case: Case, speed: Speed) -> float:
    flop = VAE_FLOP * FRAMES_PER_BLOCK * case.height * case.width * (case.parts.decoder_width / 96) ** 2
    return flop / (speed.bf16 * VAE_SHARE)
