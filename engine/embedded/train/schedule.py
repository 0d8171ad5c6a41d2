"""A training stage measured in seconds, not steps: learning rate, moving average and log lines follow the clock.

Knows no model. A card is paid by the minute, so every stage ends on time with its rate annealed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass
class Clock:
    """Mutable: the running stage. `fraction` goes from 0 to 1 over the budget."""

    name: str
    budget: float
    peak_rate: float
    warmup: float = 0.02
    flat: float = 0.3
    floor: float = 0.01
    steps: int = 0
    started: float = field(default_factory=time.monotonic)
    _mean: dict[str, float] = field(default_factory=dict)

    @property
    def fraction(self) -> float:
        return min(1.0, (time.monotonic() - self.started) / self.budget)

    def rate(self) -> float:
        """Warm-up, a flat part, then a cosine to the floor."""
        f = self.fraction
        if f < self.flat:
            return self.peak_rate * min(1.0, (f + 1e-3) / self.warmup)
        tail = 0.5 * (1 + math.cos(math.pi * (f - self.flat) / (1 - self.flat)))
        return self.peak_rate * (self.floor + (1 - self.floor) * tail)

    def ticks(self, optimiser: torch.optim.Optimizer) -> Iterator[float]:
        """Yield the fraction for each step until the budget is spent, all ranks agreeing; sets the rate."""
        while not agreed(self.fraction >= 1.0):
            for group in optimiser.param_groups:
                group["lr"] = self.rate() * group.get("scale", 1.0)
            yield self.fraction
            self.steps += 1

    def log(self, every: int = 100, **values: Tensor | float) -> None:
        """Running means, printed by rank 0 every `every` steps; the only host sync of a stage."""
        if self.steps % 10 == 0:
            for key, value in values.items():
                number = float(value.detach() if isinstance(value, Tensor) else value)
                self._mean[key] = 0.8 * self._mean.get(key, number) + 0.2 * number
        if self.steps % every == 0 and rank() == 0:
            shown = " ".join(f"{key} {value:.4f}" for key, value in self._mean.items())
            elapsed = time.monotonic() - self.started
            print(f"[{self.name}] {elapsed:6.1f}s step {self.steps} {shown}", flush=True)


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def same_start() -> None:
    """Every rank draws the same numbers from here: for building a model."""
    torch.manual_seed(0)


def own_way() -> None:
    """Every rank draws its own numbers from here: for noise."""
    torch.manual_seed(1000 + rank())


def agreed(stop: bool) -> bool:
    """True on every rank as soon as one rank says so, so that no rank waits in a collective for ever."""
    if world() == 1:
        return stop
    flag = torch.tensor(float(stop), device="cuda")
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag.item())


def share_gradients(parameters: Iterable[Tensor]) -> None:
    """Mean of the gradients over the ranks, as one message."""
    if world() == 1:
        return
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = torch._utils._flatten_dense_tensors(grads)
    dist.all_reduce(flat)
    flat /= world()
    for grad, mean in zip(grads, torch._utils._unflatten_dense_tensors(flat, grads), strict=True):
        grad.copy_(mean)


class MovingAverage:
    """Mutable: an exponential average of parameters; the horizon grows with the steps up to `horizon`."""

    def __init__(self, module: torch.nn.Module, horizon: float = 500.0) -> None:
        self.names = [name for name, p in module.named_parameters() if p.requires_grad]
        self.source = [p for p in module.parameters() if p.requires_grad]
        self.mean = [p.detach().clone() for p in self.source]
        self.horizon = horizon
        self.updates = 0

    @torch.no_grad()
    def update(self) -> None:
        self.updates += 1
        weight = 1.0 / min(self.horizon, 1.0 + self.updates / 8)
        torch._foreach_lerp_(self.mean, [p.detach() for p in self.source], weight)

    def state(self) -> dict[str, Tensor]:
        """The averaged parameters by name."""
        return dict(zip(self.names, self.mean, strict=True))

    @torch.no_grad()
    def copy_to_source(self) -> None:
        for p, mean in zip(self.source, self.mean, strict=True):
            p.copy_(mean)
