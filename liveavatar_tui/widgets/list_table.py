"""A table with one row selected: vim keys beside the arrows, cells that are never read as markup, rows kept by key.

Knows nothing of what the rows are about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.binding import BindingType
from textual.widgets import DataTable

from liveavatar_tui import keymap, keys
from liveavatar_tui.safe_text import safe_text

_NARROWEST: Final = 12
Row = tuple[str, Mapping[str, Text]]
"""The key of a row, and its cell for each column."""


class ListTable(DataTable[Text]):
    """Mutable: `show` replaces the rows and keeps the selected one selected, wherever it has moved to.

    Columns are as wide as their text; `flexible` names the one that takes what is left, `least` are the smallest
    widths (of cells that fill up later), `most` the largest. `optional` columns give way, first to last, where the
    text of the flexible one would be cut.
    """

    flexible: ClassVar[str] = ""
    least: ClassVar[Mapping[str, int]] = {}
    most: ClassVar[Mapping[str, int]] = {}
    optional: ClassVar[tuple[str, ...]] = ()

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.LISTS)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row", cell_padding=1, cursor_foreground_priority="renderable")
        self._widths: dict[str, int] = {}
        self.assumed_width = 0
        """Until it is laid out: a right guess spares the first paint a second one."""

    @property
    def width(self) -> int:
        """Cells across."""
        return self.size.width or self.assumed_width

    def show(self, headings: Mapping[str, Text], rows: Sequence[Row]) -> None:
        """Draw these rows under these headings; cells that did not change are not drawn again."""
        widths = self._fit(headings, rows)
        if widths == self._widths and [key for key, _cells in rows] == self.row_names():
            self._update_cells(rows)
            return
        selected, at = self.selected(), self.cursor_row
        self.clear(columns=True)
        for name, width in widths.items():
            self.add_column(headings[name], key=name, width=width)
        self._widths = widths
        for key, cells in rows:
            self.add_row(*(cells[name] for name in widths), key=key)
        names = self.row_names()
        if names:
            self.move_cursor(row=names.index(selected) if selected in names else min(at, len(names) - 1))

    def _fit(self, headings: Mapping[str, Text], rows: Sequence[Row]) -> dict[str, int]:
        widths = {}
        for name, heading in headings.items():
            widest = max([heading.cell_len, self.least.get(name, 0), *(cells[name].cell_len for _key, cells in rows)])
            widths[name] = min(widest, self.most.get(name, widest))
        for name in self.optional:
            if self._left(widths) >= widths[self.flexible]:
                break
            del widths[name]
        left = self._left(widths)
        return widths | {self.flexible: max(self.least.get(self.flexible, _NARROWEST), left)}

    def _left(self, widths: Mapping[str, int]) -> int:
        """Cells that the other columns leave for the flexible one."""
        others = sum(width for name, width in widths.items() if name != self.flexible)
        return self.width - others - 2 * self.cell_padding * len(widths)

    def change(self, rows: Sequence[Row]) -> bool:
        """Draw the cells of these rows again, which are shown already; False when one is too wide for its column."""
        fits = all(
            cells[name].cell_len <= width or name == self.flexible or width == self.most.get(name)
            for _key, cells in rows
            for name, width in self._widths.items()
        )
        if fits:
            self._update_cells(rows)
        return fits

    def _update_cells(self, rows: Sequence[Row]) -> None:
        for key, cells in rows:
            for old, column in zip(self.get_row(key), self.ordered_columns, strict=True):
                new = cells[column.key.value or ""]
                if old != new or old.spans != new.spans:
                    self.update_cell(key, column.key, new)

    def row_names(self) -> list[str]:
        """The keys of the rows, top to bottom."""
        return [row.key.value or "" for row in self.ordered_rows]

    def selected(self) -> str | None:
        """The key of the row under the cursor."""
        names = self.row_names()
        return names[self.cursor_row] if 0 <= self.cursor_row < len(names) else None


def cell(text: object, style: Any = "") -> Text:
    """A table cell: plain text, cleaned, in one style."""
    return Text(safe_text(str(text)), style=style, no_wrap=True, overflow="ellipsis")
