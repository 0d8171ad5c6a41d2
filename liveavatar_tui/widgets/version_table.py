"""The versions of a repository as a table: what points where, how strong, and whether it would load.

Colours come with words. Knows no disk: rows and proofs are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from rich.style import Style
from rich.text import Text
from textual import events

from liveavatar_tui.catalogue import VersionRow
from liveavatar_tui.quantities import day_text
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.widgets.findings import verdict, worst
from liveavatar_tui.widgets.list_table import ListTable, Row, cell
from lora_repository.finding import Severity
from lora_repository.i18n import N_, _

if TYPE_CHECKING:
    from lora_repository.proof import PartProof, Proof

_COLUMNS: Final = {
    "version": N_("Version"),
    "channels": N_("In use as"),
    "rank": N_("Rank"),
    "strength": N_("Strength"),
    "files": N_("Files"),
    "proof": N_("Proof"),
    "date": N_("Date"),
}
_SIGN: Final = {None: "✓", Severity.INFO: "✓", Severity.WARNING: "!", Severity.ERROR: "✗"}
_CLASS: Final = {None: "ok", Severity.INFO: "ok", Severity.WARNING: "warning", Severity.ERROR: "error"}


class VersionTable(ListTable):
    """Rows are keyed by the version's folder name."""

    flexible = "version"
    least: ClassVar[Mapping[str, int]] = {"rank": 5, "strength": 8, "proof": 9}
    optional = ("files", "date", "strength", "rank")

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"versions--{name}" for name in ("ok", "warning", "error", "latest", "production", "staging", "muted")
    }
    DEFAULT_CSS = """
    VersionTable {
        .versions--ok { color: $text-success; }
        .versions--warning { color: $text-warning; }
        .versions--error { color: $text-error; }
        .versions--latest { color: $primary; text-style: bold; }
        .versions--production { color: $background; background: $accent; text-style: bold; }
        .versions--staging { color: $secondary; text-style: bold; }
        .versions--muted { color: $muted; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: tuple[VersionRow, ...] = ()
        self._proofs: dict[str, Proof] = {}

    def show_versions(self, rows: Sequence[VersionRow], proofs: Mapping[str, Proof]) -> None:
        """Draw these versions; one without a proof is being checked."""
        self._rows, self._proofs = tuple(rows), dict(proofs)
        self._draw()

    def add_proofs(self, proofs: Mapping[str, Proof]) -> None:
        """Draw what is new about these versions, and nothing of the others."""
        self._proofs |= proofs
        if not self.change(self._cells(row for row in self._rows if row.name in proofs)):
            self._draw()

    def on_resize(self, event: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        self.show({name: cell(_(heading)) for name, heading in _COLUMNS.items()}, self._cells(self._rows))

    def _cells(self, rows: Iterable[VersionRow]) -> list[Row]:
        return [(row.name, {name: self._cell(name, row) for name in _COLUMNS}) for row in rows]

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"versions--{name}", partial=True)

    def _cell(self, column: str, row: VersionRow) -> Text:
        proof = self._proofs.get(row.name)
        match column:
            case "version":
                return cell("").append_text(cell(row.number, "bold")).append(safe_text(f"_{row.title}"))
            case "channels":
                return self._channels(row)
            case "rank":
                return cell(_each_part(proof, lambda part: str(part.rank)))
            case "strength":
                return cell(_each_part(proof, lambda part: f"{part.strength:.3g}"))
            case "files":
                return cell(len(row.files))
            case "proof":
                return self._proof(proof)
            case _:
                return cell(day_text(row.changed), self._style("muted"))

    def _channels(self, row: VersionRow) -> Text:
        text = cell("")
        for channel in row.channels:
            word = f" {channel.upper()} " if channel == "production" else channel
            known = channel if channel in ("latest", "production", "staging") else "muted"
            text.append("" if not text.plain else " ")
            text.append_text(cell(word, self._style(known)))
        return text

    def _proof(self, proof: Proof | None) -> Text:
        if proof is None:
            return cell(_("checking"), self._style("muted"))
        severity = worst(proof.findings)
        word, _colour = verdict(severity)
        return cell(f"{_SIGN[severity]} {word}", self._style(_CLASS[severity]))


def _each_part(proof: Proof | None, tell: Callable[[PartProof], str]) -> str:
    """`4 + 8`: video model, then text encoder where there is one; a dash for a video part that would not load."""
    if proof is None:
        return ""
    told = [tell(part) for part in proof.parts]
    whole = any(part.target == "dit" for part in proof.parts)
    return " + ".join(told if whole else ["–", *told])
