"""One version with everything known of it: proof, files, record, remarks, tests, samples, switches, strengths.

Reads in workers; `VersionDesk` and `version_facts` do the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message

from liveavatar_tui import keymap, keys
from liveavatar_tui.catalogue import VersionRow
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.screens import facts_text, heat_text, version_text
from liveavatar_tui.screens.deeds import Deeds
from liveavatar_tui.screens.version_messages import Detailed
from liveavatar_tui.version_desk import VersionDesk
from liveavatar_tui.version_facts import Facts, facts_of
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.paragraphs import spaced
from liveavatar_tui.widgets.text_pane import TextPane
from lora_repository.finding import Finding, Problem
from lora_repository.heat_map import HeatMap
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.full_check import Checked
    from liveavatar_tui.screens.remarks import Written

_EDGES: Final = 5


@dataclass
class Known(Message):
    """What a worker found out about the version."""

    row: VersionRow
    details: Detailed
    facts: Facts


class VersionScreen(Deeds):
    """Two panels: the version itself, and what is recorded of it."""

    KEYS = keymap.VERSION
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.VERSION)
    AUTO_FOCUS = "#version"
    CSS_PATH = "version.tcss"

    def __init__(self, desk: VersionDesk, row: VersionRow, host: str) -> None:
        super().__init__()
        self.desk = desk
        self._row = row
        self._host = host
        self._details: Detailed | None = None
        self._facts: Facts | None = None
        self._check: Checked | None = None
        self._maps: tuple[HeatMap, ...] = ()

    def compose(self) -> ComposeResult:
        yield TitleBar("versions", self._host)
        with Horizontal(id="both"):
            yield TextPane(id="version", classes="panel")
            facts = TextPane(id="facts", classes="panel")
            facts.border_title = Content(_("Records"))
            yield facts
        yield KeyBar(self.KEYS, keymap.APP)

    def on_mount(self) -> None:
        self._draw()
        self.look_again()

    def chosen(self) -> VersionRow | None:
        return self._row

    def look_again(self) -> None:
        self._read()

    @work(thread=True, exclusive=True, exit_on_error=False, group="read", description="read a version")
    def _read(self) -> None:
        from liveavatar_tui.mending import mendable

        listing = self.desk.read()
        row = next((one for one in listing.rows if one.name == self._row.name), None)
        try:
            if row is None:
                self.app.call_from_thread(self.action_back)
                return
            proof = self.desk.catalogue.prove(row, again=True)
            details = Detailed(row.name, proof, mendable(row.path) if proof.findings else ())
            self.post_message(Known(row, details, facts_of(self.desk.deployment(), row.name)))
        except Problem as problem:
            self.app.call_from_thread(self.tell, problem.finding)

    @on(Known)
    def _keep(self, message: Known) -> None:
        if message.row.stamp != self._row.stamp:
            self._check, self._maps = None, ()
        self._row, self._details, self._facts = message.row, message.details, message.facts
        self._draw()

    def keep_check(self, name: str, checked: Checked) -> None:
        self._check = checked
        self._draw()

    def _draw(self) -> None:
        pane = self.query_one("#version", TextPane)
        width = (pane.size.width or self.app.size.width - _EDGES) - 1
        strengths = [block for one in self._maps for block in heat_text.maps([one], _("Strength"), width)]
        record = self._facts.published if self._facts is not None else None
        hashes = record.files if record is not None else {}
        told = version_text.details(self._row, self._details, self._check, alone=False, recorded=hashes)
        pane.show(spaced([told, *strengths]))
        if self._facts is not None:
            self.query_one("#facts", TextPane).show(facts_text.described(self._facts))

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def action_edit(self) -> None:
        """Write tags and the note."""
        from liveavatar_tui.screens.remarks import RemarksDialog

        row = self._row

        def written(answer: Written | None) -> None:
            if answer is not None:
                self._annotate(*answer)

        title = _("Tags and note of {name}").format(name=safe_text(row.name))
        self.app.push_screen(RemarksDialog(title, row.tags, row.note), written)

    @work(thread=True, exit_on_error=False, group="switch", description="write remarks")
    def _annotate(self, tags: tuple[str, ...], note: str) -> None:
        row = self._row

        def deed() -> str:
            add = [tag for tag in tags if tag not in row.tags]
            remove = [tag for tag in row.tags if tag not in tags]
            self.desk.catalogue.annotate(row.name, add=add, remove=remove, note=note)
            return _("Kept.")

        self.do(deed)

    def action_strengths(self) -> None:
        """Work out how strongly the version changes each module."""
        from liveavatar_tui.screens.progress import ProgressDialog, Tell

        def deed(tell: Tell) -> tuple[HeatMap, ...]:
            found = self.desk.deployment().difference(self._row.name, self._row.name, tell)
            return tuple(one for part in found.parts for one in part.heat_maps("a"))

        def worked_out(found: tuple[HeatMap, ...] | Finding | None) -> None:
            if isinstance(found, Finding):
                self.tell(found)
            elif found is not None:
                self._maps = found
                self._draw()
                self.call_after_refresh(self.query_one("#version", TextPane).scroll_end, animate=False)

        text = Content(safe_text(self._row.name))
        dialog: ProgressDialog[tuple[HeatMap, ...]] = ProgressDialog(_("Strengths"), text, deed)
        self.app.push_screen(dialog, worked_out)

    def action_back(self) -> None:
        """Back to the versions."""
        if self.is_attached and self.app.screen is self:
            self.dismiss()
