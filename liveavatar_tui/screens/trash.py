"""What was removed, to bring it back; old versions moved here, old trash deleted. `VersionDesk` does the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.style import Style
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from liveavatar_tui import keymap, keys
from liveavatar_tui.quantities import bytes_text
from liveavatar_tui.screens.deeds import Deeds
from liveavatar_tui.version_desk import Kept, VersionDesk
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.row_list import Cell, Column, RowList
from lora_repository.finding import Problem
from lora_repository.i18n import N_, _, ngettext

_HEADINGS: Final = {"name": N_("Removed version"), "when": N_("When"), "size": N_("Size")}
_WIDTHS: Final = {"when": 16, "size": 8}


@dataclass
class Kepts(Message):
    """The trash was read, the newest first."""

    kept: Sequence[Kept]


class TrashTable(RowList):
    """Rows are keyed by the place in the trash. Mutable: `hold` before `show`."""

    def __init__(self) -> None:
        super().__init__(id="trash")
        self._kept: Mapping[str, Kept] = {}

    def hold(self, kept: Mapping[str, Kept]) -> None:
        """What there is, by key."""
        self._kept = kept

    def columns(self, width: int) -> Sequence[Column]:
        widths = {"name": max(12, width - sum(_WIDTHS.values()) - 6)} | _WIDTHS
        return [Column(name, _(heading), widths[name], name == "size") for name, heading in _HEADINGS.items()]

    def cells(self, key: str) -> Sequence[Cell]:
        kept = self._kept[key]
        return [
            [(kept.name, Style())],
            [(f"{kept.time.astimezone():%Y-%m-%d %H:%M}", Style())],
            [(bytes_text(kept.size), Style())],
        ]


class TrashScreen(Deeds):
    """The trash of one repository."""

    KEYS = keymap.TRASH
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.TRASH)
    AUTO_FOCUS = "#trash"
    DEFAULT_CSS = "TrashScreen .panel { height: 1fr; } TrashScreen #trash { height: 1fr; }"

    def __init__(self, desk: VersionDesk, host: str) -> None:
        super().__init__()
        self.desk = desk
        self._host = host
        self._kept: Mapping[str, Kept] = {}

    def compose(self) -> ComposeResult:
        yield TitleBar("versions", self._host)
        with Vertical(classes="panel") as panel:
            panel.border_title = Content(_("Trash"))
            yield TrashTable()
        yield KeyBar(self.KEYS, keymap.APP)

    def on_mount(self) -> None:
        self.look_again()

    def look_again(self) -> None:
        self._read()

    @work(thread=True, exclusive=True, exit_on_error=False, group="read", description="read the trash")
    def _read(self) -> None:
        try:
            self.post_message(Kepts(self.desk.kept()))
        except Problem as problem:
            self.app.call_from_thread(self.tell, problem.finding)

    @on(Kepts)
    def _show(self, message: Kepts) -> None:
        self._kept = {one.key: one for one in message.kept}
        table = self.query_one(TrashTable)
        table.hold(self._kept)
        table.show([*self._kept])
        panel = self.query_one(".panel")
        panel.border_title = Content(_("Trash") if self._kept else _("The trash is empty"))
        total = sum(one.size for one in message.kept)
        panel.border_subtitle = Content(bytes_text(total)) if self._kept else None

    @on(RowList.Chosen)
    def action_restore(self) -> None:
        """Bring the selected version back."""
        if (kept := self._kept.get(self.query_one(TrashTable).selected() or "")) is not None:
            self._restore(kept.name)

    @work(thread=True, exit_on_error=False, group="switch", description="restore a version")
    def _restore(self, name: str) -> None:
        self.do(lambda: _("{name} is back.").format(name=self.desk.restore(name)))

    def action_prune(self) -> None:
        """Ask how many versions stay, and show which go."""
        from liveavatar_tui.screens.prune import PruneDialog

        def answered(keep: int | None) -> None:
            if keep is not None:
                self._prune(keep)

        self.app.push_screen(PruneDialog(_("Prune"), self.desk.pruning), answered)

    @work(thread=True, exit_on_error=False, group="switch", description="prune")
    def _prune(self, keep: int) -> None:
        def deed() -> str:
            gone = self.desk.prune(keep)
            told = ngettext("{n} version is in the trash.", "{n} versions are in the trash.", len(gone))
            return told.format(n=len(gone)) + " " + _("{key} brings them back.").format(key="u")

        self.do(deed)

    def action_empty(self) -> None:
        """Ask how old, show what would be gone for good."""
        from liveavatar_tui.screens.prune import EmptyDialog

        def answered(days: int | None) -> None:
            if days is not None:
                self._empty(days)

        self.app.push_screen(EmptyDialog(_("Empty the trash"), self.desk.emptying), answered)

    @work(thread=True, exit_on_error=False, group="switch", description="empty the trash")
    def _empty(self, days: int) -> None:
        def deed() -> str:
            gone = self.desk.empty(days)
            told = ngettext("{n} version is deleted for good.", "{n} versions are deleted for good.", len(gone))
            return told.format(n=len(gone))

        self.do(deed)

    def action_back(self) -> None:
        """Back to the versions."""
        self.dismiss()
