"""The versions of the repository: which one is in use as what, whether each would load, and everything done with them.

Reading, proving and arranging happen in worker threads; the screen holds what they post. Knows no file format.
"""

from __future__ import annotations

import gc
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Input
from textual.worker import get_current_worker

from liveavatar_tui import keymap, keys
from liveavatar_tui.catalogue import Listing, VersionRow
from liveavatar_tui.messages import GenerateWith
from liveavatar_tui.screens import version_text
from liveavatar_tui.screens.base import WIDE
from liveavatar_tui.screens.deeds import Deeds
from liveavatar_tui.screens.version_messages import Arranged, Detailed, FolderChanged, Listed, Proved
from liveavatar_tui.screens.version_ways import VersionWays
from liveavatar_tui.settings import Settings
from liveavatar_tui.version_desk import VersionDesk
from liveavatar_tui.version_order import SORTED, Order, arrange, by
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.quiet_input import QuietInput
from liveavatar_tui.widgets.row_list import RowList
from liveavatar_tui.widgets.text_pane import TextPane
from liveavatar_tui.widgets.version_table import VersionTable

if TYPE_CHECKING:
    from liveavatar_tui.folder_watch import FolderWatch
    from liveavatar_tui.full_check import Checked
    from lora_repository.shallow import ShallowProof

_FRAMES: Final = 4  # borders and padding of the list, as in the style sheet
_DETAILS: Final = 46  # the panel of details where it stands beside the list
_FIRST_WITHIN_S: Final = 0.03
_BREATH: Final = 16
_BREATH_S: Final = 0.0005
_TELL_S: Final = 0.2  # proofs of thousands of versions come in so often
_DETAILS_AFTER_S: Final = 0.05  # a held cursor key passes rows by without proving each


class RepositoryScreen(VersionWays):
    """Shows one repository."""

    KEYS = keymap.REPOSITORY
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.REPOSITORY)
    AUTO_FOCUS = "#versions"
    CSS_PATH = "repository.tcss"

    def __init__(self, settings: Settings, host: str) -> None:
        super().__init__()
        self.desk = VersionDesk(settings)
        self.host = host
        self._listing = Listing(self.desk.catalogue.root)
        self._first: Future[Listing] = Future()
        self._rows: dict[str, VersionRow] = {}
        self._proofs: dict[str, ShallowProof] = {}
        self._details: Detailed | None = None
        self._checks: dict[str, Checked] = {}
        self._order = Order()
        self._wanted: str | None = None
        self._settled = False
        self._waiting: Timer | None = None
        self._watch: FolderWatch | None = None

    def compose(self) -> ComposeResult:
        # Read while the widgets are made: a folder on a local disk takes less, so the first paint has the versions.
        threading.Thread(target=lambda: self._first.set_result(self.desk.glance()), daemon=True).start()
        yield TitleBar("versions", self.host)
        with Horizontal(id="body"):
            with Vertical(id="left", classes="panel"):
                yield QuietInput(placeholder=version_text.filter_hint(), id="filter")
                yield VersionTable(id="versions")
            yield TextPane(id="details", classes="panel")
        yield KeyBar(self.KEYS, keymap.APP)

    def on_mount(self) -> None:
        wide = self.app.size.width >= WIDE
        self._table.assumed_width = self.app.size.width - _FRAMES - (_DETAILS if wide else 0)
        self._show_details()
        with suppress(TimeoutError):
            self._show_listing(Listed(self._first.result(_FIRST_WITHIN_S)))
        # What proves and what watches is imported by their threads, which would take turns with the first paint.
        self.call_after_refresh(self._read)
        self.call_after_refresh(self._start_watch)

    def on_unmount(self) -> None:
        if self._watch is not None:
            self._watch.stop()

    @property
    def _table(self) -> VersionTable:
        return self.query_one(VersionTable)

    @property
    def _typed(self) -> str:
        return self.query_one("#filter", Input).value.strip()

    @work(thread=True, exclusive=True, exit_on_error=False, group="watch", description="watch the repository")
    def _start_watch(self) -> None:
        from liveavatar_tui.folder_watch import FolderWatch

        file = self.desk.settings.file
        watch = FolderWatch(self.desk.catalogue.root, lambda: self.post_message(FolderChanged()), file)
        if get_current_worker().is_cancelled:
            watch.stop()
        else:
            self._watch = watch

    @work(thread=True, exclusive=True, exit_on_error=False, group="read", description="read the repository")
    def _read(self) -> None:
        worker = get_current_worker()
        if not self._rows:
            self.post_message(Listed(self._first.result()))
        listing = self.desk.read()
        if listing != self._listing:
            self.post_message(Listed(listing))
        proofs: dict[str, ShallowProof] = {}
        told = time.monotonic()
        for at, row in enumerate(listing.rows):
            if worker.is_cancelled:
                return
            if at % _BREATH == 0:
                time.sleep(_BREATH_S)  # the screen's turn: without it a key waits for the interpreter's lock
            proofs[row.name] = self.desk.catalogue.shallow(row)
            if time.monotonic() - told > _TELL_S:
                self.post_message(Proved(proofs))
                proofs, told = {}, time.monotonic()
        self.post_message(Proved(proofs))
        self.desk.catalogue.keep_proofs()
        if not self._settled:  # once: a freeze keeps garbage for good; a collection of all holds a key up 70 ms
            self._settled = True
            gc.freeze()

    def look_again(self) -> None:
        self._read()

    @on(FolderChanged)
    def _follow(self) -> None:
        self._read()
        if isinstance(top := self.app.screen, Deeds) and top is not self:
            top.look_again()

    @on(Listed)
    def _show_listing(self, message: Listed) -> None:
        if message.listing is self._listing:
            return
        before, listing = self._rows, message.listing
        self._listing = listing
        self._rows = {row.name: row for row in listing.rows}
        same = {name for name, row in self._rows.items() if name in before and before[name].stamp == row.stamp}
        self._proofs = {name: proof for name, proof in self._proofs.items() if name in same}
        self._checks = {name: checked for name, checked in self._checks.items() if name in same}
        self._table.hold(listing.rows, self._proofs)
        self.query_one("#left").border_subtitle = version_text.place(listing)
        self._arrange()
        if self._wanted is not None:
            self.select(self._wanted)
        self._prove_selected()

    @on(Proved)
    def _show_proofs(self, message: Proved) -> None:
        self._proofs.update((name, proof) for name, proof in message.proofs.items() if name in self._rows)
        self._table.touch(message.proofs.keys())
        if self._typed or self._order.column in ("rank", "strength", "proof"):
            self._arrange()

    def _arrange(self) -> None:
        """Which rows, in which order: at once where that is the order they came in, else in a worker."""
        if not self._typed and self._order == Order():
            self._show_arranged(Arranged([*self._rows], "", self._order))
        else:
            self._work_out(self._typed, self._order)

    @work(thread=True, exclusive=True, exit_on_error=False, group="arrange", description="filter and sort")
    def _work_out(self, typed: str, order: Order) -> None:
        names = arrange(self._listing.rows, dict(self._proofs), typed, order)
        self.post_message(Arranged(names, typed, order))

    @on(Arranged)
    def _show_arranged(self, message: Arranged) -> None:
        if (message.typed, message.order) != (self._typed, self._order):
            return
        self._table.tell_order(self._order)
        self._table.show([name for name in message.names if name in self._rows])
        title = version_text.title(len(self._table.keys), len(self._rows))
        self.query_one("#left").border_title = title
        self._show_details()

    @on(Input.Changed, "#filter")
    def _type(self) -> None:
        self._arrange()

    @on(Input.Submitted, "#filter")
    def _leave_filter(self) -> None:
        self._table.focus()
        self.query_one("#filter").display = bool(self._typed)

    def action_filter(self) -> None:
        """Type what to look for."""
        field = self.query_one("#filter")
        field.display = True
        field.focus()

    def action_clear(self) -> None:
        """Out of the filter, which shows all again; out of a mark; back to the list."""
        self.query_one("#filter", Input).value = ""
        self.mark(None)
        self._leave_filter()

    def action_sort(self, column: int) -> None:
        """By the next column, or the other way round."""
        self._order = self._order.next() if column else self._order.turned()
        self._arrange()

    @on(RowList.HeadingClicked)
    def _sort_by(self, message: RowList.HeadingClicked) -> None:
        if message.column in SORTED:
            self._order = self._order.turned() if message.column == self._order.column else by(message.column)
            self._arrange()

    def select(self, name: str) -> None:
        self._wanted = name
        if name in self._rows:
            self._wanted = None
            self._table.select(name)

    def show_mark(self, name: str | None) -> None:
        self._table.mark(name)

    def chosen(self) -> VersionRow | None:
        return self._rows.get(self._table.selected() or "")

    @on(RowList.Moved)
    def _moved(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
        self._waiting = self.set_timer(_DETAILS_AFTER_S, self._prove_selected)

    def _prove_selected(self) -> None:
        row = self.chosen()
        if row is None:
            self._show_details()
        else:
            self._work_out_details(row)

    @work(thread=True, exclusive=True, exit_on_error=False, group="details", description="prove a version")
    def _work_out_details(self, row: VersionRow) -> None:
        from liveavatar_tui.mending import mendable
        from lora_repository.finding import Problem

        proof = self.desk.catalogue.prove(row)
        mends: list[str] = []
        if proof.findings:
            with suppress(Problem):
                mends = mendable(row.path)
        self.post_message(Detailed(row.name, proof, mends))

    @on(Detailed)
    def _keep_details(self, message: Detailed) -> None:
        self._details = message
        self._show_details()

    def keep_check(self, name: str, checked: Checked) -> None:
        self._checks[name] = checked
        self._show_details()

    def _show_details(self) -> None:
        row, pane = self.chosen(), self.query_one("#details", TextPane)
        if row is None:
            told = version_text.nothing(none_at_all=not self._rows)
        else:
            known = self._details if self._details is not None and self._details.name == row.name else None
            if known is None and self._details is not None:
                return  # what is shown stays until the words of this one are there: nothing flickers
            told = version_text.details(row, known, self._checks.get(row.name))
        pane.show(version_text.with_repository(told, self._listing), from_top=True)

    @on(RowList.Chosen)
    def action_generate(self) -> None:
        """Open the form with the selected version."""
        if (row := self.chosen()) is not None:
            self.post_message(GenerateWith(row.name))

    def action_refresh_versions(self) -> None:
        """Read the folder again."""
        self._read()
