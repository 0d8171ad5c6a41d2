"""What a base model can take: the name and shape of each of its linears, from headers, from a known table, or given.

A LoRA is proved against this table, so proving needs neither torch nor the weights. Knows nothing of adapters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final, Self

from lora_repository.header import read_header

# A 2-D weight that is a table of vectors, not a linear: the header alone cannot tell them apart.
_TABLES: Final = frozenset({"token_embedding", "embedding", "trainable_cond_mask"})
_GROUP: Final = re.compile(r"\{(\d+)\.\.(\d+)\}|\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class BaseTable:
    """`modules` maps each linear's name to (out, in) features; `name` is what people call the base model."""

    name: str
    modules: Mapping[str, tuple[int, int]]
    _covered: dict[str, tuple[str, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def from_safetensors(cls, paths: Iterable[Path], name: str | None = None) -> Self:
        """The linears of a checkpoint, from its files' headers; raises Problem for a file that cannot be read."""
        files = list(paths)
        shapes = {key: tensor.shape for file in files for key, tensor in read_header(file).tensors.items()}
        return cls.from_shapes(name or (files[0].absolute().parent.name if files else "?"), shapes)

    @classmethod
    def from_shapes(cls, name: str, shapes: Mapping[str, tuple[int, ...]]) -> Self:
        """The linears among tensors of these names and shapes: 2-D weights that are no table of vectors."""
        modules: dict[str, tuple[int, int]] = {}
        for key, shape in shapes.items():
            module, _, leaf = key.rpartition(".")
            if leaf == "weight" and len(shape) == 2 and module.rpartition(".")[2] not in _TABLES:
                modules[module] = (shape[0], shape[1])
        return cls(name, modules)

    @classmethod
    def known_14b(cls) -> Self:
        """Wan2.2-S2V-14B, for a host that does not hold it."""
        return cls(*_known("known_wan22_s2v_14b.json"))

    @classmethod
    def known_umt5_xxl(cls) -> Self:
        """The text encoder of Wan2.2-S2V-14B (SPEC section 8)."""
        return cls(*_known("known_umt5_xxl.json"))

    def covered_by(self, target: str) -> tuple[str, ...]:
        """The linears that one entry of `target_modules` stands for.

        `attn` is every q, k, v, o; `ffn` every linear of a feed-forward; anything else is a module's name or its end.
        """
        if target not in self._covered:
            self._covered[target] = tuple(module for module in self.modules if _covers(target, module))
        return self._covered[target]


def _covers(target: str, module: str) -> bool:
    parts = module.split(".")
    if target == "attn":
        return parts[-1] in ("q", "k", "v", "o")
    if target == "ffn":
        return "ffn" in parts
    return module == target or module.endswith("." + target)


@cache
def _known(file: str) -> tuple[str, Mapping[str, tuple[int, int]]]:
    table = json.loads((Path(__file__).parent / file).read_text(encoding="utf-8"))
    modules = {name: (rows, columns) for pattern, rows, columns in table["modules"] for name in _expand(pattern)}
    return table["name"], modules


def _expand(pattern: str) -> Iterator[str]:
    """`a.{0..2}.{q,k}` -> a.0.q, a.0.k, a.1.q, ..."""
    groups = [
        [str(i) for i in range(int(first), int(last) + 1)] if first else names.split(",")
        for first, last, names in _GROUP.findall(pattern)
    ]
    template = _GROUP.sub("{}", pattern)
    return (template.format(*choice) for choice in product(*groups))
