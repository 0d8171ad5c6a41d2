"""Which versions are shown, and in which order: what was typed into the filter, and the column that sorts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from liveavatar_tui.catalogue import VersionRow

if TYPE_CHECKING:
    from lora_repository.shallow import ShallowProof

Proofs = Mapping[str, "ShallowProof"]


class Order(msgspec.Struct, frozen=True):
    """The column that sorts, and whether its largest comes first."""

    column: str = "version"
    falling: bool = True

    def turned(self) -> Order:
        """The other way round."""
        return Order(self.column, not self.falling)

    def next(self) -> Order:
        """By the next column, the end first that one looks for there."""
        return by(SORTED[(SORTED.index(self.column) + 1) % len(SORTED)])


SORTED: Final = ("version", "date", "size", "rank", "strength", "proof", "test")
_SEVERITY: Final = {"error": 3, "warning": 2, "info": 1}


def by(column: str) -> Order:
    """By a column: new, large, strong, troubled and failed ones first."""
    return Order(column, column != "test")


def arrange(rows: Sequence[VersionRow], proofs: Proofs, typed: str, order: Order) -> list[str]:
    """The names of the versions that match what was `typed`, in order; `rows` stand highest version first."""
    kept = _matching(rows, proofs, typed) if typed.strip() else rows
    names = [row.name for row in kept]
    if order.column == "version":
        return names if order.falling else names[::-1]
    measure = _MEASURES[order.column]
    values = {row.name: measure(row, proofs.get(row.name)) for row in kept}
    # The sort is stable either way: among equals the higher version stays first.
    return sorted(names, key=values.__getitem__, reverse=order.falling)


def _matching(rows: Sequence[VersionRow], proofs: Proofs, typed: str) -> list[VersionRow]:
    from liveavatar_tui.catalogue import searchable
    from lora_repository.search import parse_query

    query = parse_query(typed)
    return [row for row in rows if query.matches(searchable(row, proofs.get(row.name)))]


def _strongest(value: str) -> Callable[[VersionRow, ShallowProof | None], Any]:
    return lambda _row, proof: max((getattr(part, value) for part in proof.parts), default=0) if proof else 0


_Measure = Callable[[VersionRow, "ShallowProof | None"], Any]
_MEASURES: Final[Mapping[str, _Measure]] = {
    "date": lambda row, _proof: row.changed.timestamp() if row.changed else 0.0,
    "size": lambda row, _proof: sum(file.size for file in row.files),
    "rank": _strongest("rank"),
    "strength": _strongest("strength"),
    "proof": lambda _row, proof: max((_SEVERITY[one.severity] for one in proof.findings), default=0) if proof else -1,
    "test": lambda row, _proof: {True: 1, False: 0, None: 2}[row.compared],
}
"""What a column sorts by; the version itself needs none, the rows stand in its order."""
