"""Every switch of every channel, to look at and to go back to. Reads in a worker; `VersionDesk` does the switching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from liveavatar_tui import keymap, keys
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.screens.deeds import Deeds
from liveavatar_tui.screens.switch_text import by_whom, channel_name
from liveavatar_tui.switch_plan import plan_return
from liveavatar_tui.version_desk import VersionDesk
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.findings import describe
from liveavatar_tui.widgets.history_table import HistoryTable
from liveavatar_tui.widgets.paragraphs import Paragraph, paragraph, spaced
from liveavatar_tui.widgets.row_list import RowList
from liveavatar_tui.widgets.text_pane import TextPane
from lora_repository.finding import Finding, Problem
from lora_repository.history import Generation
from lora_repository.i18n import _

_ALL: Final = ""


@dataclass
class Remembered(Message):
    """The history was read: generations by key, newest first, and the numbers whose state is in force."""

    made: Mapping[str, Generation]
    in_force: frozenset[int] = frozenset()
    findings: tuple[Finding, ...] = field(default=())


class HistoryScreen(Deeds):
    """The switches of one repository."""

    KEYS = keymap.HISTORY
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.HISTORY)
    AUTO_FOCUS = "#generations"
    DEFAULT_CSS = """
    HistoryScreen #list { height: 2fr; }
    HistoryScreen #generations { height: 1fr; }
    HistoryScreen #generation { height: 1fr; min-height: 8; }
    """

    def __init__(self, desk: VersionDesk, host: str) -> None:
        super().__init__()
        self.desk = desk
        self._host = host
        self._made: Mapping[str, Generation] = {}
        self._in_force: frozenset[int] = frozenset()
        self._findings: tuple[Finding, ...] = ()
        self._channel = _ALL

    def compose(self) -> ComposeResult:
        yield TitleBar("versions", self._host)
        with Vertical(id="list", classes="panel") as panel:
            panel.border_title = Content(_("History of switches"))
            yield HistoryTable(id="generations")
        yield TextPane(id="generation", classes="panel")
        yield KeyBar(self.KEYS, keymap.APP)

    def on_mount(self) -> None:
        self.look_again()

    def look_again(self) -> None:
        self._read()

    @work(thread=True, exclusive=True, exit_on_error=False, group="read", description="read the history")
    def _read(self) -> None:
        try:
            deployment = self.desk.deployment()
            past = deployment.repository.past()
            made = {str(one.number): one for one in reversed(past.generations)}
            newest = {one.channel: one for one in past.generations}
            force = [one.number for one in newest.values() if deployment.switch(one.channel).seen().target == one.after]
        except Problem as problem:
            self.post_message(Remembered({}, findings=(problem.finding,)))
            return
        self.post_message(Remembered(made, frozenset(force), past.findings))

    @on(Remembered)
    def _show(self, message: Remembered) -> None:
        self._made, self._in_force, self._findings = message.made, message.in_force, message.findings
        self._arrange()

    def _arrange(self) -> None:
        table = self.query_one(HistoryTable)
        table.hold(self._made, self._in_force)
        table.show([key for key, one in self._made.items() if self._channel in (_ALL, one.channel)])
        title = Content(_("History of switches"))
        if self._channel != _ALL:
            title = Content.assemble(title, "  ", channel_name(self._channel))
        self.query_one("#list").border_title = title
        self._show_details()

    @on(RowList.Moved)
    def _show_details(self) -> None:
        made = self._selected()
        told = [paragraph(_("No switch is recorded yet."))] if made is None else self._describe(made)
        self.query_one(TextPane).show(spaced([describe(self._findings), told]), from_top=True)

    def _selected(self) -> Generation | None:
        return self._made.get(self.query_one(HistoryTable).selected() or "")

    def _describe(self, made: Generation) -> list[Paragraph]:
        way = Content.assemble(
            channel_name(made.channel),
            f"  {safe_text(made.before or _('nothing'))}  →  ",
            (safe_text(made.after), "bold"),
        )
        told = [paragraph(way), paragraph(Content.styled(by_whom(made), "$muted"))]
        if made.back_to is not None:
            told.append(paragraph(_("It went back to the state after generation {n}.").format(n=made.back_to), "· "))
        if made.number in self._in_force:
            told.append(paragraph(_("This is the state in force."), Content.styled("● ", "bold $primary")))
        hashes = [f"{name}  {digest}" for name, digest in sorted(made.hashes.items())]
        return told + [paragraph(Content.styled(safe_text(line), "$muted"), "  ") for line in hashes]

    @on(RowList.Chosen)
    def action_return_to(self) -> None:
        """Look at what going back to the selected state would mean."""
        if (made := self._selected()) is None:
            return
        title = _("Back to generation {n}").format(n=made.number)
        self.ask_switch(title, lambda: plan_return(self.desk.deployment(), made.channel, made.number))

    def action_channel(self) -> None:
        """The switches of the next channel, or of all."""
        channels = [_ALL, *dict.fromkeys(one.channel for one in self._made.values())]
        at = channels.index(self._channel) if self._channel in channels else 0
        self._channel = channels[(at + 1) % len(channels)]
        self._arrange()

    def action_back(self) -> None:
        """Back to the versions."""
        self.dismiss()
