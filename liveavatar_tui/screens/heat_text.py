"""Heat maps as text: blocks by modules, each a shade and a number, so that it reads without colour. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from textual.content import Content

from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.widgets.paragraphs import Paragraph, paragraph
from lora_repository.heat_map import SHADES, HeatMap, shade
from lora_repository.i18n import _

_WIDE: Final = 6  # a shade, four characters of a number, a gap
_NARROW: Final = 2
_CALM: Final = 3  # shades up to here stand back, the last three stand out
_LOUD: Final = 6


def heat_lines(found: HeatMap, width: int) -> list[Paragraph]:
    """The map in at most `width` cells: numbers where there is room, shades alone where there is not."""
    label = max([len(row) for row in found.rows] + [2])
    cell = _WIDE if label + 1 + _WIDE * len(found.columns) <= width else _NARROW
    lines = [*_headings(found, label, cell), *(_row(found, at, label, cell) for at in range(len(found.rows)))]
    return [paragraph(line.truncate(width)) for line in lines]


def legend(found: HeatMap) -> Content:
    """What the shades mean."""
    if found.unit == "cosine":
        least, most = _("0: at right angles"), _("1: the same direction; below 0: against each other")
    else:
        value = _text(found.top, found.unit)
        least, most = "0", _("{value} of the weight").format(value=value) if found.unit == "relative" else value
    return Content.assemble((f"{least}  ", "$muted"), (SHADES, "$primary"), (f"  {most}", "$muted"))


def _headings(found: HeatMap, label: int, cell: int) -> list[Content]:
    """Groups of modules above the modules: `self_attn` over `q k v o`; where a group is wider than its cells, cut."""
    parts = [column.rpartition(".") for column in found.columns]
    groups = [(group, len(list(same))) for group, same in groupby(part[0] for part in parts)]
    head = " " * (label + 1) + "".join(
        safe_text(name)[: count * cell - 1].ljust(count * cell) for name, count in groups
    )
    leaves = " " * (label + 1) + "".join(safe_text(part[2])[: cell - 1].ljust(cell) for part in parts)
    shown = [head, leaves] if any(name for name, _count in groups) else [leaves]
    return [Content.styled(line.rstrip(), "$muted") for line in shown]


def _row(found: HeatMap, at: int, label: int, cell: int) -> Content:
    line = [Content.styled(safe_text(found.rows[at]).rjust(label) + " ", "$muted")]
    for value in found.values[at]:
        sign = shade(value, found.top)
        level = SHADES.find(sign)
        colour = "$faint" if level < _CALM else "$primary" if level < _LOUD else "bold $accent"
        line.append(Content.styled(sign, colour))
        number = _text(value, found.unit) if cell == _WIDE and value is not None else ""
        line.append(Content.styled(number.ljust(cell - 1), "$foreground" if level >= _LOUD else "$muted"))
    return Content("").join(line)


def _text(value: float, unit: str) -> str:
    """At most four characters and a sign's worth: `1.3%`, `0.97`, `-.12`, `12.4`, `3e+4`."""
    if unit == "relative":
        percent = 100 * value
        return f"{percent:.1f}%" if percent < 9.95 else f"{percent:.0f}%"
    if unit == "cosine":
        return f"{value:.2f}" if value >= 0 else f"{value:.2f}".replace("-0", "-")
    return (
        f"{value:.2f}"
        if value < 9.995
        else f"{value:.1f}"
        if value < 99.95
        else f"{value:.0f}"
        if value < 9999
        else f"{value:.0e}"
    )


def title(found: HeatMap, name: str) -> list[Paragraph]:
    """The name of the map, what its rows are, and the meaning of its shades."""
    rows = _("{what} by module").format(what=safe_text(found.title)) if found.title else _("single modules")
    return [
        paragraph(Content.assemble((safe_text(name), "bold"), (f"  {rows}", "$muted"))),
        paragraph(legend(found)),
    ]


def maps(found: Sequence[HeatMap], name: str, width: int) -> list[list[Paragraph]]:
    """All maps of one kind, each a block."""
    return [[*title(one, name), *heat_lines(one, width)] for one in found]
