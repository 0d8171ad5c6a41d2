"""The switches of channels as a list, newest first: when, who, which channel, from, to, why. Knows no disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from rich.style import Style

from liveavatar_tui.widgets.row_list import Cell, Column, RowList
from lora_repository.history import Generation
from lora_repository.i18n import N_, _

_HEADINGS: Final = {
    "number": N_("No"),
    "channel": N_("Channel"),
    "after": N_("To"),
    "before": N_("From"),
    "when": N_("When"),
    "who": N_("Who"),
    "why": N_("Why"),
}
_WIDTHS: Final = {"number": 5, "channel": 12, "when": 11, "who": 14}
_OPTIONAL: Final = ("who", "before", "when")
_LEAST_WHY: Final = 12
_NAME: Final = 26
_HERE: Final = "● "
_KNOWN: Final = frozenset({"latest", "production", "staging"})


class HistoryTable(RowList):
    """Rows are keyed by the generation's number. Mutable: `hold` before `show`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"history--{name}" for name in ("latest", "production", "staging", "muted", "force")
    }
    DEFAULT_CSS = """
    HistoryTable {
        .history--latest { color: $primary; text-style: bold; }
        .history--production { color: $production; background: $accent; text-style: bold; }
        .history--staging { color: $secondary; text-style: bold; }
        .history--muted { color: $muted; }
        .history--force { text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._made: Mapping[str, Generation] = {}
        self._in_force: frozenset[int] = frozenset()

    def hold(self, made: Mapping[str, Generation], in_force: frozenset[int]) -> None:
        """All generations by key, and the numbers of those whose state a channel is in."""
        self._made, self._in_force = made, in_force

    def columns(self, width: int) -> Sequence[Column]:
        names = list(_HEADINGS)
        for name in _OPTIONAL:
            if _left(width, names) >= _LEAST_WHY + 2 * _NAME:
                break
            names.remove(name)
        left = _left(width, names)
        versions = [name for name in ("after", "before") if name in names]
        each = min(_NAME, (left - _LEAST_WHY - len(_HERE)) // len(versions))
        widths = _WIDTHS | dict.fromkeys(versions, each)
        widths |= {"after": each + len(_HERE), "why": max(4, left - len(_HERE) - each * len(versions))}
        return [Column(name, _(_HEADINGS[name]), widths[name], name == "number") for name in names]

    def cells(self, key: str) -> Sequence[Cell]:
        made = self._made[key]
        return [self._cell(column.name, made) for column in self._columns]

    def _cell(self, column: str, made: Generation) -> Cell:
        match column:
            case "number":
                return [(str(made.number), self._look("muted"))]
            case "channel":
                known = made.channel in _KNOWN
                word = f" {made.channel.upper()} " if made.channel == "production" else made.channel
                return [(word, self._look(made.channel) if known else Style())]
            case "after":
                here = made.number in self._in_force
                return [
                    (_HERE if here else "  ", self._look("latest")),
                    (made.after, self._look("force") if here else Style()),
                ]
            case "before":
                return [(made.before or "–", self._look("muted"))]
            case "when":
                return [(f"{made.time.astimezone():%m-%d %H:%M}", Style())]
            case "who":
                return [(f"{made.user}@{made.host}", self._look("muted"))]
            case _:
                back = "" if made.back_to is None else _("back to {number}").format(number=made.back_to)
                return [("  ".join(text for text in (back, made.reason) if text), Style())]

    def _look(self, name: str) -> Style:
        return self.get_component_rich_style(f"history--{name}", partial=True)


def _left(width: int, names: Sequence[str]) -> int:
    """Cells for the versions and the reason."""
    return width - sum(_WIDTHS.get(name, 0) for name in names) - 2 * len(names)
