"""Adapters onto weights: active = base + s * (B @ A) + ..., in float32, rounded once to the weight's own type.

Loads exactly the tensors that a proof names and nothing else; knows no folder, no config.json and no run. Nothing is
ever un-merged: subtracting an adapter from bfloat16 weights changes 3.7 % of them, so a swap starts from the base.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from safetensors import safe_open
from torch import Tensor, nn

from lora_repository.proof import PartProof


@dataclass(frozen=True, slots=True)
class Delta:
    """One adapter's part in one linear: `strength` * (b [out, rank] @ a [rank, in])."""

    a: Tensor
    b: Tensor
    strength: float


def materialise(base: Tensor, deltas: Iterable[Delta]) -> Tensor:
    """The weight [out, in] that a stack makes of `base`, in base's type and place; no delta returns base's very bits.

    Each delta is scaled after the product and added in order, as upstream merges (SPEC section 9).
    """
    weight = base.to(torch.float32, copy=True)
    for delta in deltas:
        a, b = (half.to(base.device, torch.float32) for half in (delta.a, delta.b))
        weight += (b @ a) * delta.strength
    return weight.to(base.dtype)


class ActiveWeights:
    """Mutable: the one writer of a model's adapted weights. Storage stays where it is, so compiled code stays valid.

    The base stays pristine without a second copy in memory: a linear that no adapter has touched is its own original, a
    touched one is read again from `stored`, the checkpoint's tensors by their names.
    """

    def __init__(self, model: nn.Module, stored: Mapping[str, Tensor]) -> None:
        self._model = model
        self._stored = stored
        self._touched: set[str] = set()

    @torch.no_grad()
    def apply(self, stack: Sequence[PartProof]) -> int:
        """Make the weights base + `stack`, whatever they were before; returns how many linears differ from the base."""
        parts = [part for part in stack if part.strength != 0]
        wanted = {pair.module for part in parts for pair in part.pairs}
        linears = sorted(wanted | self._touched)
        with _opened(parts) as deltas_of:
            for module in linears:
                name = f"{module}.weight"
                weight = self._model.get_parameter(name)
                base = self._stored[name].to(weight) if module in self._touched else weight
                self._touched.add(module)
                weight.copy_(materialise(base, deltas_of(module)))
        self._touched = wanted
        return len(wanted)


@contextmanager
def _opened(parts: Sequence[PartProof]) -> Iterator[Callable[[str], Iterator[Delta]]]:
    """A function from a linear's name to its deltas, one file after the other, read as they are asked for."""
    with ExitStack() as stack:
        files = [stack.enter_context(safe_open(part.file, framework="pt")) for part in parts]
        pairs = [{pair.module: pair for pair in part.pairs} for part in parts]

        def deltas_of(module: str) -> Iterator[Delta]:
            for part, file, by_module in zip(parts, files, pairs, strict=True):
                if pair := by_module.get(module):
                    yield Delta(file.get_tensor(pair.key_a), file.get_tensor(pair.key_b), part.strength)

        yield deltas_of
