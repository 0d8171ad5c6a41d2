"""Adapters onto weights: active = base + s * (B @ A) + ..., in float32, rounded once to the weight's own type.

Loads exactly the tensors that a proof names and nothing else; knows no folder, no config.json and no run. Nothing is
ever un-merged: subtracting an adapter from bfloat16 weights changes 3.7 % of them, so a swap starts from the base.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from safetensors import safe_open
from torch import Tensor, nn

from engine.fp8 import Fp8Linear, Rows, to_rows
from engine.transfer import Uploads, upload
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
        a, b = (upload(half, base.device).to(torch.float32) for half in (delta.a, delta.b))
        weight += (b @ a) * delta.strength
    return weight.to(base.dtype)


Form = tuple[Tensor, ...]
"""A weight as its linear holds it: itself, or codes and scale of eight bits."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Weights of a stack, made beside those in use; `commit` puts them in place."""

    forms: Mapping[str, Form]
    wanted: frozenset[str]

    def nbytes(self) -> int:
        """Room that they take until they are committed."""
        return sum(tensor.nbytes for form in self.forms.values() for tensor in form)


class ActiveWeights:
    """Mutable: the one writer of a model's adapted weights. Storage stays where it is, so compiled code stays valid.

    The base stays pristine without a second copy in memory: a linear that no adapter has touched is its own original,
    unless it is held in eight bits; any other is read again from `stored`, the checkpoint's tensors by their names.
    """

    def __init__(self, model: nn.Module, stored: Mapping[str, Tensor]) -> None:
        self.model = model
        self._stored = stored
        self._touched: frozenset[str] = frozenset()

    @torch.no_grad()
    def apply(self, stack: Sequence[PartProof]) -> int:
        """Make the weights base + `stack`, whatever they were before; returns how many linears differ from the base."""
        wanted = _modules(stack)
        for module, form in self._made(stack, wanted):
            self._touched |= {module}
            self._place(module, form)
        self._touched = wanted
        return len(wanted)

    @torch.no_grad()
    def prepare(self, stack: Sequence[PartProof]) -> Prepared:
        """Make the weights of `stack` without touching those in use, on the current stream."""
        wanted = _modules(stack)
        return Prepared(dict(self._made(stack, wanted)), wanted)

    @torch.no_grad()
    def commit(self, prepared: Prepared) -> int:
        """As `apply`, from what was prepared: copies within the device alone."""
        self._touched |= prepared.forms.keys()
        for module, form in prepared.forms.items():
            self._place(module, form)
        self._touched = prepared.wanted
        return len(prepared.wanted)

    def _made(self, stack: Sequence[PartProof], wanted: frozenset[str]) -> Iterator[tuple[str, Form]]:
        """The new form of every linear that must change."""
        modules = sorted(wanted | self._touched)
        with _opened([part for part in stack if part.strength != 0]) as deltas_of:
            for module, base in zip(modules, self._bases(modules), strict=True):
                yield module, self._form(module, materialise(base, deltas_of(module)))

    def _bases(self, modules: Sequence[str]) -> Iterator[Tensor]:
        """Pristine weights in order; what must come from the host is under way before it is asked for."""
        uploads = Uploads(next(self.model.parameters()).device)
        following = dict(pairwise(modules))
        for module in modules:
            linear = self.model.get_submodule(module)
            dtype = cast("Tensor", linear.bias).dtype if isinstance(linear, Fp8Linear) else self._weight(module).dtype
            ahead = following.get(module)
            if ahead is not None and self._is_elsewhere(ahead):
                uploads.start(ahead, self._stored[f"{ahead}.weight"])
            if not self._is_elsewhere(module):
                yield self._weight(module)
            else:
                yield uploads.take(module, lambda name: self._stored[f"{name}.weight"]).to(dtype)

    def _is_elsewhere(self, module: str) -> bool:
        return module in self._touched or isinstance(self.model.get_submodule(module), Fp8Linear)

    def _weight(self, module: str) -> Tensor:
        return self.model.get_parameter(f"{module}.weight")

    def _form(self, module: str, weight: Tensor) -> Form:
        if isinstance(self.model.get_submodule(module), Fp8Linear):
            return tuple(to_rows(weight))
        return (weight,)

    def _place(self, module: str, form: Form) -> None:
        linear = self.model.get_submodule(module)
        if isinstance(linear, Fp8Linear):
            linear.take(Rows(*form))
        else:
            self._weight(module).copy_(form[0])


def _modules(stack: Sequence[PartProof]) -> frozenset[str]:
    return frozenset(pair.module for part in stack if part.strength != 0 for pair in part.pairs)


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
