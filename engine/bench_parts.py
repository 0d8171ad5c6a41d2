"""What `engine.bench` measures with: the work of a forward pass, what the card allows, and a model under test.

Times are those of the card where there is one: between two marks in its own queue. Knows no flags and no table.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

import torch

from engine.cache import RING_BLOCKS
from engine.execution import Execution
from engine.fp8 import to_rows
from engine.model.attention import KeyValue, attend_parts
from engine.model.config import DiTConfig
from engine.spec import LATENTS_PER_BLOCK

TERA: Final = 1e12
GIB: Final = 1 << 30
_REPEATS: Final = 10


@dataclass(frozen=True)
class Work:
    """Operations of one forward pass, and its sizes."""

    linear: float
    attention: float
    tokens: int
    keys: int


def work(config: DiTConfig, height: int, width: int) -> Work:
    """Counted as multiplications and additions, with full rings."""
    side = height // 8, width // 8
    tokens = LATENTS_PER_BLOCK * config.tokens_per_frame(*side)
    keys = RING_BLOCKS * tokens + config.condition_tokens(*side)
    square, layers, dim = config.dim**2, config.num_layers, config.dim
    linear = 2 * tokens * (6 * square + 2 * dim * config.ffn_dim) * layers
    linear += 2 * tokens * 2 * square * len(config.audio_inject_layers)
    return Work(linear, 4 * tokens * (keys + config.text_len) * dim * layers, tokens, keys)


class Ceilings:
    """Mutable: what the card does of each kind of work, in operations a second, once measured."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._rates = {"bf16": 0.0, "fp8": 0.0, "attention": 0.0}

    @torch.no_grad()
    def measure(self) -> dict[str, float | str]:
        """TFLOP/s of large products and of attention, at the 14B model's shapes."""
        if self._device.type != "cuda":
            return {}
        tokens, dim, wide = 3168, 5120, 13824
        x = torch.randn(tokens, dim, dtype=torch.bfloat16, device=self._device)
        weight = torch.randn(wide, dim, dtype=torch.bfloat16, device=self._device)
        product = 2 * tokens * dim * wide
        self._rates["bf16"] = product / timed(lambda: torch.nn.functional.linear(x, weight))
        rows, codes = to_rows(x), to_rows(weight)
        self._rates["fp8"] = product / timed(
            lambda: torch._scaled_mm(
                rows.codes, codes.codes.t(), rows.scale, codes.scale.t(), out_dtype=torch.bfloat16, use_fast_accum=True
            )
        )
        query = torch.randn(1, tokens, 40, 128, dtype=torch.bfloat16, device=self._device)
        parts = [KeyValue(*(torch.randn(1, count, 40, 128, device=query.device).to(query) for _ in range(2)))
                 for count in (12672, 2688)]  # fmt: skip
        empty = torch.tensor(48.0, device=self._device)
        operations = 4 * tokens * (12672 + 2640) * dim
        self._rates["attention"] = operations / timed(lambda: attend_parts(query, parts, empty))
        return {f"{name}_tflops": rate / TERA for name, rate in self._rates.items()}

    def floor(self, asked: Work, execution: Execution) -> float:
        """Seconds below which a forward pass cannot go on this card; 0 where nothing was measured."""
        product = self._rates["fp8" if execution.narrow_weights else "bf16"]
        if not product or not self._rates["attention"]:
            return 0.0
        return asked.linear / product + asked.attention / self._rates["attention"]


def timed(action: Callable[[], object]) -> float:
    """Median seconds of an action on the card."""
    for _ in range(3):
        action()
    return median(one for one in (on_card(action) for _ in range(_REPEATS)))


def on_card(action: Callable[[], object]) -> float:
    """Seconds of one action, waited for."""
    if not torch.cuda.is_available():
        began = time.perf_counter()
        action()
        return time.perf_counter() - began
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    action()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1000
