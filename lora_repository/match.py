"""The tensors of one file sorted into pairs of a base model's linears. Knows names and shapes; judges nothing.

Versions of one training have the same tensors, so what was sorted once is kept: a repository of 10,000 versions is
proved in a second or two because of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lora_repository.base import BaseTable
from lora_repository.header import Header, TensorInfo
from lora_repository.tensor_keys import Side, parse_key

_KEPT_AT_MOST: Final = 64
Coverage = Mapping[str, tuple[int, int]]
"""For each target: linears with a pair, linears in all."""


@dataclass(frozen=True, slots=True)
class LoraPair:
    """One module's update B @ A: `key_a` [rank, in] and `key_b` [out, rank] are names in the file."""

    module: str
    key_a: str
    key_b: str
    rank: int


@dataclass(frozen=True, slots=True)
class Match:
    """The file's tensors sorted out: whole pairs, and by name what is wrong with the others.

    `ranks` are those of the pairs, ascending; `limit` is the largest rank that every adapted linear can take.
    """

    pairs: tuple[LoraPair, ...]
    foreign: tuple[str, ...]
    lone: tuple[str, ...]
    twice: tuple[str, ...]
    unfit: tuple[str, ...]
    ranks: tuple[int, ...]
    limit: int
    dtypes: frozenset[str]
    _held: dict[tuple[str, ...], tuple[tuple[str, ...], Coverage]] = field(default_factory=dict, repr=False)

    def held_against(self, base: BaseTable, targets: tuple[str, ...]) -> tuple[tuple[str, ...], Coverage]:
        """The adapted modules that no target stands for, and how far each target that `base` knows is covered.

        `base` is the one that the tensors were matched with.
        """
        if targets not in self._held:
            wanted = {target: base.covered_by(target) for target in targets}
            inside = {module for modules in wanted.values() for module in modules}
            adapted = {pair.module for pair in self.pairs}
            outside = tuple(pair.module for pair in self.pairs if pair.module not in inside)
            covered = {name: (len(adapted.intersection(found)), len(found)) for name, found in wanted.items() if found}
            self._held[targets] = outside, covered
        return self._held[targets]


# By the identity of both tables, which are kept alive here: an identity is not given twice while its owner lives.
_kept: Final[dict[tuple[int, int], tuple[Mapping[str, TensorInfo], Mapping[str, tuple[int, int]], Match]]] = {}


def match_tensors(header: Header, base: BaseTable) -> Match:
    """Every tensor of `header` as half of a pair of `base`, or as what else it is."""
    key = id(header.tensors), id(base.modules)
    known = _kept.get(key)
    if known is not None:
        return known[2]
    found = _match(header.tensors, base.modules)
    if len(_kept) >= _KEPT_AT_MOST:
        _kept.clear()
    _kept[key] = header.tensors, base.modules, found
    return found


def _match(tensors: Mapping[str, TensorInfo], modules: Mapping[str, tuple[int, int]]) -> Match:
    foreign: list[str] = []
    twice: list[str] = []
    lone: list[str] = []
    unfit: list[str] = []
    pairs: list[LoraPair] = []
    halves: dict[str, dict[Side, str]] = {}
    for key in tensors:
        parsed = parse_key(key)
        if parsed is None or parsed[0] not in modules:
            foreign.append(key)
        elif parsed[1] in halves.setdefault(parsed[0], {}):
            twice.append(key)
        else:
            halves[parsed[0]][parsed[1]] = key
    for module, sides in halves.items():
        if len(sides) == 1:
            lone.extend(sides.values())
            continue
        a, b = tensors[sides["A"]], tensors[sides["B"]]
        if _fits(a, b, modules[module]):
            pairs.append(LoraPair(module, sides["A"], sides["B"], a.shape[0]))
        else:
            unfit.append(module)
    return Match(
        pairs=tuple(pairs),
        foreign=tuple(foreign),
        lone=tuple(lone),
        twice=tuple(twice),
        unfit=tuple(unfit),
        ranks=tuple(sorted({pair.rank for pair in pairs})),
        limit=min((min(modules[pair.module]) for pair in pairs), default=0),
        dtypes=frozenset(tensor.dtype for tensor in tensors.values()),
    )


def _fits(a: TensorInfo, b: TensorInfo, linear: tuple[int, int]) -> bool:
    rows, columns = linear
    if len(a.shape) != 2 or len(b.shape) != 2 or a.shape[0] == 0:
        return False
    return a.shape[1] == columns and b.shape[0] == rows and a.shape[0] == b.shape[1]
