"""The first screen: the versions of the repository, which one is in use, whether each would load, and how to switch.

Reading, proving and switching happen in worker threads; the screen holds what they post. Knows no file format.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable
from textual.worker import get_current_worker

from liveavatar_tui import keymap
from liveavatar_tui.catalogue import Catalogue, Listing, VersionRow
from liveavatar_tui.messages import GenerateWith
from liveavatar_tui.screens import version_text
from liveavatar_tui.screens.base import WIDE, Place
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.paragraphs import Paragraphs
from liveavatar_tui.widgets.version_table import VersionTable
from lora_repository.finding import Problem
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.folder_watch import FolderWatch
    from lora_repository.history import Generation
    from lora_repository.proof import Proof


_FRAMES: Final = 4  # borders and padding of the list, as in the style sheet
_DETAILS: Final = 46  # the panel of details where it stands beside the list
_FIRST_WITHIN_S: Final = 0.03
_TELL_S: Final = 0.2  # a repository of a thousand versions redraws its table at most so often while it is proved


class FolderChanged(Message):
    """Something under the repository's folder changed."""


@dataclass
class Listed(Message):
    """The repository was read."""

    listing: Listing


@dataclass
class Proved(Message):
    """Some versions were proved."""

    proofs: dict[str, Proof]


@dataclass
class Hashed(Message):
    """The files of one version were hashed."""

    name: str
    hashes: dict[str, str]


@dataclass
class Switched(Message):
    """`latest` points elsewhere now."""

    generation: Generation


class RepositoryScreen(Place[None]):
    """Shows one repository."""

    KEYS = keymap.REPOSITORY
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings(keymap.REPOSITORY)
    AUTO_FOCUS = "#versions"

    def __init__(self, catalogue: Catalogue, host: str) -> None:
        super().__init__()
        self._catalogue = catalogue
        self._host = host
        self._listing = Listing(catalogue.root)
        self._proofs: dict[str, Proof] = {}
        self._hashes: dict[str, dict[str, str]] = {}
        self._watch: FolderWatch | None = None

    def compose(self) -> ComposeResult:
        yield TitleBar("versions", self._host)
        with Horizontal(id="body"):
            with Vertical(id="left", classes="panel") as left:
                left.border_title = Content(_("Versions"))
                yield VersionTable(id="versions")
            with VerticalScroll(id="details", classes="panel"):
                yield Paragraphs(id="details-text")
        yield KeyBar(self.KEYS, keymap.APP)

    def on_mount(self) -> None:
        # A folder on a local disk is read in a millisecond: then the first paint has the versions, and is the only one.
        self.query_one(VersionTable).assumed_width = (
            self.app.size.width - _FRAMES - (_DETAILS if self._is_wide() else 0)
        )
        self._show_details()
        first: Future[Listing] = Future()
        threading.Thread(target=lambda: first.set_result(self._catalogue.read()), daemon=True).start()
        with suppress(TimeoutError):
            self._show_listing(Listed(first.result(_FIRST_WITHIN_S)))
        # What proves and what watches is imported by their threads, which would take turns with the first paint.
        self.call_after_refresh(self._begin, first)

    def _begin(self, first: Future[Listing]) -> None:
        self._read(first)
        self._start_watch()

    def _is_wide(self) -> bool:
        return self.app.size.width >= WIDE

    def on_unmount(self) -> None:
        if self._watch is not None:
            self._watch.stop()

    @work(thread=True, exclusive=True, exit_on_error=False, group="watch", description="watch the repository")
    def _start_watch(self) -> None:
        from liveavatar_tui.folder_watch import FolderWatch

        watch = FolderWatch(self._catalogue.root, lambda: self.post_message(FolderChanged()))
        if get_current_worker().is_cancelled:
            watch.stop()
        else:
            self._watch = watch

    @work(thread=True, exclusive=True, exit_on_error=False, group="read", description="read the repository")
    def _read(self, first: Future[Listing] | None = None) -> None:
        worker = get_current_worker()
        listing = self._catalogue.read() if first is None else first.result()
        self.post_message(Listed(listing))
        proofs: dict[str, Proof] = {}
        told = time.monotonic()
        for row in listing.rows:
            if worker.is_cancelled:
                return
            proofs[row.name] = self._catalogue.prove(row)
            if time.monotonic() - told > _TELL_S:
                self.post_message(Proved(proofs))
                proofs, told = {}, time.monotonic()
        self.post_message(Proved(proofs))

    @on(FolderChanged)
    def _read_again(self) -> None:
        self._read()

    @on(Listed)
    def _show_listing(self, message: Listed) -> None:
        if message.listing == self._listing:
            return
        listing = self._listing = message.listing
        names = {row.name for row in listing.rows}
        self._proofs = {name: proof for name, proof in self._proofs.items() if name in names}
        self._hashes.clear()
        self.query_one("#left").border_subtitle = version_text.place(listing)
        self._draw()

    @on(Proved)
    def _show_proof(self, message: Proved) -> None:
        self._proofs |= message.proofs
        known = {row.name for row in self._listing.rows}
        table = self.query_one(VersionTable)
        table.add_proofs({name: proof for name, proof in message.proofs.items() if name in known})
        if table.selected() in message.proofs:
            self._show_details()

    @on(Hashed)
    def _show_hashes(self, message: Hashed) -> None:
        self._hashes[message.name] = message.hashes
        self._show_details()

    @on(Switched)
    def _show_switch(self, message: Switched) -> None:
        made = message.generation
        self.say(_("latest points at {name} now (generation {n}).").format(name=made.after, n=made.number))
        self._read()

    def _draw(self) -> None:
        self.query_one(VersionTable).show_versions(self._listing.rows, self._proofs)
        self._show_details()

    @on(DataTable.RowHighlighted)
    def _show_details(self) -> None:
        row = self._selected()
        details = self.query_one("#details")
        details.border_title = Content(row.name if row is not None else _("Repository"))
        told = version_text.nothing()
        if row is not None:
            told = version_text.details(row, self._proofs.get(row.name), self._hashes.get(row.name, {}))
        self.query_one("#details-text", Paragraphs).show(version_text.with_repository(told, self._listing))

    def _selected(self) -> VersionRow | None:
        name = self.query_one(VersionTable).selected()
        return next((row for row in self._listing.rows if row.name == name), None)

    @on(DataTable.RowSelected)
    def action_generate(self) -> None:
        """Open the form with the selected version."""
        row = self._selected()
        if row is not None:
            self.post_message(GenerateWith(row.name))

    def action_refresh_versions(self) -> None:
        """Read the folder again."""
        self._read()

    def action_check(self) -> None:
        """Prove the selected version again and hash its files."""
        row = self._selected()
        if row is not None:
            self._check(row)

    @work(thread=True, exclusive=True, exit_on_error=False, group="check", description="check a version")
    def _check(self, row: VersionRow) -> None:
        from lora_repository.hashes import sha256_of

        self.post_message(Proved({row.name: self._catalogue.prove(row, again=True)}))
        try:
            hashes = {fact.name: sha256_of(row.path / fact.name) for fact in row.files}
        except Problem as problem:
            self.app.call_from_thread(self.tell, problem.finding)
            return
        self.post_message(Hashed(row.name, hashes))

    def action_activate(self) -> None:
        """Ask for a reason, then let `latest` point at the selected version."""
        row = self._selected()
        if row is None:
            return
        if row.name == self._listing.latest:
            self.say(_("{name} is the latest already.").format(name=row.name))
            return
        self._ask_switch(_("Activate"), row.name, lambda reason: self._catalogue.activate(row.name, reason))

    def action_rollback(self) -> None:
        """Ask for a reason, then let `latest` point where it pointed before."""
        previous = self._listing.previous
        if previous is None:
            self.say(_("There is no earlier switch to go back to."))
            return
        self._ask_switch(_("Roll back"), previous, self._catalogue.rollback)

    def _ask_switch(self, title: str, after: str, switch: Callable[[str], Generation]) -> None:
        from liveavatar_tui.screens.dialogs import AskReason

        text = version_text.switch(self._listing, after)
        dialog = AskReason(title, text, _("why (optional, kept in the history)"))

        def answered(reason: str | None) -> None:
            if reason is not None:
                self._switch(switch, reason)

        self.app.push_screen(dialog, answered)

    @work(thread=True, exclusive=True, exit_on_error=False, group="switch", description="switch latest")
    def _switch(self, switch: Callable[[str], Generation], reason: str) -> None:
        try:
            self.post_message(Switched(switch(reason)))
        except Problem as problem:
            self.app.call_from_thread(self.tell, problem.finding)
