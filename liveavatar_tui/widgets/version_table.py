"""The versions of a repository as a table: what points where, how strong, and whether it would load.

Colours come with words. Knows no disk: rows and proofs are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from rich.style import Style

from liveavatar_tui.catalogue import VersionRow
from liveavatar_tui.quantities import bytes_text, day_text
from liveavatar_tui.version_order import Order
from liveavatar_tui.widgets.findings import verdict
from liveavatar_tui.widgets.row_list import Cell, Column, RowList
from lora_repository.finding import Severity
from lora_repository.i18n import N_, _

if TYPE_CHECKING:
    from lora_repository.shallow import ShallowPart, ShallowProof

_HEADINGS: Final = {
    "version": N_("Version"),
    "channels": N_("In use as"),
    "tags": N_("Tags"),
    "rank": N_("Rank"),
    "strength": N_("Strength"),
    "size": N_("Size"),
    "test": N_("Test"),
    "proof": N_("Proof"),
    "date": N_("Date"),
}
_WIDTHS: Final = {"rank": 6, "strength": 9, "size": 7, "test": 8, "proof": 9, "date": 10}
_NUMBERS: Final = frozenset({"size"})
_WIDEST: Final = {"channels": 30, "tags": 18}
# What gives way, first to last, where the name of a version would be cut.
_OPTIONAL: Final = ("tags", "size", "test", "date", "strength", "rank")
_SIGN: Final = {None: "✓", Severity.INFO: "✓", Severity.WARNING: "!", Severity.ERROR: "✗"}
_CLASS: Final = {None: "ok", Severity.INFO: "ok", Severity.WARNING: "warning", Severity.ERROR: "error"}
_MARK: Final = "◆ "


class VersionTable(RowList):
    """Rows are keyed by the version's folder name."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"versions--{name}"
        for name in ("ok", "warning", "error", "latest", "production", "staging", "muted", "number", "mark")
    }
    DEFAULT_CSS = """
    VersionTable {
        .versions--ok { color: $text-success; }
        .versions--warning { color: $text-warning; }
        .versions--error { color: $text-error; }
        .versions--latest { color: $primary; text-style: bold; }
        .versions--production { color: $production; background: $accent; text-style: bold; }
        .versions--staging { color: $secondary; text-style: bold; }
        .versions--muted { color: $muted; }
        .versions--number { text-style: bold; }
        .versions--mark { color: $accent; text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: dict[str, VersionRow] = {}
        self._proofs: Mapping[str, ShallowProof] = {}
        self._longest: dict[str, int] = {}
        self._order = Order()
        self._mark: str | None = None
        self._styles: dict[str, Style] = {}

    def hold(self, rows: Sequence[VersionRow], proofs: Mapping[str, ShallowProof]) -> None:
        """These are all versions there are; `show` says which of them, and in which order."""
        self._rows = {row.name: row for row in rows}
        self._proofs = proofs
        self._longest = {
            "version": max((len(row.name) for row in rows), default=0),
            "channels": max((_width(_channels(row)) for row in rows if row.channels), default=0),
            "tags": max((cell_len(" ".join(row.tags)) for row in rows if row.tags), default=0),
            "test": max((_WIDTHS["test"] for row in rows if row.compared is not None), default=0),
        }

    def tell_order(self, order: Order) -> None:
        """Which heading carries the arrow."""
        self._order = order

    def mark(self, name: str | None) -> None:
        """Mark one version, for a comparison, or none."""
        changed = {one for one in (self._mark, name) if one is not None}
        self._mark = name
        self.touch(changed)

    def notify_style_update(self) -> None:
        self._styles.clear()
        super().notify_style_update()

    def columns(self, width: int) -> Sequence[Column]:
        names = [name for name in _HEADINGS if self._longest.get(name, 1) or name == "channels"]
        widths = {name: self._column_width(name) for name in names if name != "version"}
        wanted = self._longest.get("version", 0) + len(_MARK)
        for name in _OPTIONAL:
            if _left(width, widths) >= wanted:
                break
            if name != self._order.column:
                widths.pop(name, None)
        widths["version"] = max(12, _left(width, widths))
        return [Column(name, self._title(name), widths[name], name in _NUMBERS) for name in names if name in widths]

    def _column_width(self, name: str) -> int:
        least = max(cell_len(_(_HEADINGS[name])), _WIDTHS.get(name, self._longest.get(name, 0)))
        return min(least, max(_WIDEST.get(name, least), cell_len(_(_HEADINGS[name])))) + 2 * (
            name == self._order.column
        )

    def _title(self, name: str) -> str:
        arrow = " ▾" if self._order.falling else " ▴"
        return _(_HEADINGS[name]) + (arrow if name == self._order.column else "")

    def cells(self, key: str) -> Sequence[Cell]:
        row = self._rows[key]
        return [self._cell(column.name, row) for column in self._columns]

    def _look(self, name: str) -> Style:
        if name not in self._styles:
            self._styles[name] = self.get_component_rich_style(f"versions--{name}", partial=True)
        return self._styles[name]

    def _cell(self, column: str, row: VersionRow) -> Cell:
        proof = self._proofs.get(row.name)
        match column:
            case "version":
                mark = [(_MARK, self._look("mark"))] if row.name == self._mark else []
                return [*mark, (row.number, self._look("number")), (f"_{row.title}", Style())]
            case "channels":
                return [(word, self._look(name) if name else Style()) for word, name in _channels(row)]
            case "tags":
                return [(" ".join(row.tags), self._look("muted"))]
            case "rank":
                return [(_each_part(proof, lambda part: str(part.rank)), Style())]
            case "strength":
                return [(_each_part(proof, lambda part: f"{part.strength:.3g}"), Style())]
            case "size":
                return [(bytes_text(sum(file.size for file in row.files)), self._look("muted"))]
            case "test":
                return self._test(row.compared)
            case "proof":
                return self._proof(proof)
            case _:
                return [(day_text(row.changed), self._look("muted"))]

    def _test(self, passed: bool | None) -> Cell:
        if passed is None:
            return []
        return [(_("✓ passed"), self._look("ok"))] if passed else [(_("✗ failed"), self._look("error"))]

    def _proof(self, proof: ShallowProof | None) -> Cell:
        if proof is None:
            return [(_("checking"), self._look("muted"))]
        severity = proof.worst
        word, _colour = verdict(severity)
        return [(f"{_SIGN[severity]} {word}", self._look(_CLASS[severity]))]


def _left(width: int, widths: Mapping[str, int]) -> int:
    """Cells that the other columns leave for the version's name."""
    return width - sum(widths.values()) - 2 * (len(widths) + 1)


def _channels(row: VersionRow) -> list[tuple[str, str]]:
    """(word, style) for each channel that points at the version, with gaps; production is a word on a colour."""
    told: list[tuple[str, str]] = []
    for channel in row.channels:
        word = f" {channel.upper()} " if channel == "production" else channel
        known = channel if channel in ("latest", "production", "staging") else "muted"
        told += [(" ", ""), (word, known)] if told else [(word, known)]
    return told


def _width(pieces: Collection[tuple[str, str]]) -> int:
    return sum(cell_len(word) for word, _name in pieces)


def _each_part(proof: ShallowProof | None, tell: Callable[[ShallowPart], str]) -> str:
    """`4 + 8`: video model, then text encoder where there is one; a dash for a video part that would not load."""
    if proof is None:
        return ""
    told = [tell(part) for part in proof.parts]
    whole = any(part.target == "dit" for part in proof.parts)
    return " + ".join(told if whole else ["–", *told])
