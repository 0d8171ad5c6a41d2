"""Values of modules laid out as blocks by modules, to be seen at one look, with and without colour. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Unit = Literal["relative", "absolute", "cosine"]
SHADES: Final = "·▁▂▃▄▅▆▇█"
"""From nothing to the largest; a dot, not a blank, where a value is next to nothing."""

_NUMBERED: Final = re.compile(r"(?P<family>.*?)\.?(?P<number>\d+)\.(?P<rest>.+)")


@dataclass(frozen=True, slots=True)
class HeatMap:
    """`values` is by row and column, None where there is no such module; `top` is the largest size of any value, 1 for
    cosines.

    `title` is what the rows are numbers of (`blocks`); "" for modules that stand alone.
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    unit: Unit
    top: float


def heat_maps(values: Mapping[str, float | None], unit: Unit) -> tuple[HeatMap, ...]:
    """One map for each family of numbered modules (`blocks.0.ffn.2` is row 0, column ffn.2), in the order of `values`.

    All maps of one call have the same `top`, so that their shades compare.
    """
    families: dict[str, dict[str, dict[str, float | None]]] = {}
    for module, value in values.items():
        match = _NUMBERED.fullmatch(module)
        family, row, column = (match["family"], match["number"], match["rest"]) if match else ("", "", module)
        families.setdefault(family, {}).setdefault(row, {})[column] = value
    top = max((abs(value) for value in values.values() if value is not None), default=0.0)
    if unit == "cosine":
        top = 1.0
    return tuple(_map(family, cells, unit, top) for family, cells in families.items())


def _map(title: str, cells: Mapping[str, Mapping[str, float | None]], unit: Unit, top: float) -> HeatMap:
    columns = _in_order(dict.fromkeys(column for row in cells.values() for column in row))
    values = tuple(tuple(row.get(column) for column in columns) for row in cells.values())
    return HeatMap(title, tuple(cells), columns, values, unit, top)


def _in_order(columns: Iterable[str]) -> tuple[str, ...]:
    """Modules of one group side by side; q, k, v, o in this order, which no alphabet has."""
    groups: dict[str, list[str]] = {}
    for column in columns:
        groups.setdefault(column.rpartition(".")[0], []).append(column)
    return tuple(column for group in groups.values() for column in sorted(group, key=_place))


def _place(column: str) -> tuple[int, str]:
    leaf = column.rpartition(".")[2]
    return ("qkvo".find(leaf) if len(leaf) == 1 else -1), leaf


def shade(value: float | None, top: float) -> str:
    """One of `SHADES` by the size of `value`; a blank for None. A value that is there is never shown as nothing."""
    if value is None:
        return " "
    if value == 0 or top <= 0:
        return SHADES[0]
    steps = len(SHADES) - 1
    return SHADES[max(1, min(steps, round(abs(value) / top * steps)))]
