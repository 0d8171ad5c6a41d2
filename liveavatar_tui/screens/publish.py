"""Making a version: what of, looked at and proved before; then its name, then the copy. `publishing` does the work."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from liveavatar_tui import keymap, keys
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.screens import publish_text
from liveavatar_tui.screens.base import Place
from liveavatar_tui.screens.progress import ProgressDialog, Tell
from liveavatar_tui.version_desk import VersionDesk
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.findings import describe_one
from liveavatar_tui.widgets.path_suggester import PathSuggester
from liveavatar_tui.widgets.quiet_input import QuietInput
from liveavatar_tui.widgets.text_pane import TextPane
from lora_repository.codes import ALPHA_UNKNOWN
from lora_repository.finding import Finding
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.publishing import Candidate
    from lora_repository.published import Published

_ENDING: Final = ".safetensors"


class PublishScreen(Place[str | None]):
    """Mutable: knows the candidate that was looked at last. The answer is the name of the version that was made."""

    KEYS = keymap.PUBLISH
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.PUBLISH)
    AUTO_FOCUS = "#source"
    CSS_PATH = "publish.tcss"

    def __init__(self, desk: VersionDesk, host: str, source: str = "") -> None:
        super().__init__()
        self.desk = desk
        self._host = host
        self._source = source
        self._candidate: Candidate | None = None
        self._scratch: Path | None = None

    def compose(self) -> ComposeResult:
        yield TitleBar("versions", self._host, typing=True)
        with Vertical(id="form", classes="panel") as form:
            form.border_title = Content(_("Publish a version"))
            with Horizontal(classes="row"):
                yield Static(Content(_("Source")), classes="name")
                yield QuietInput(
                    self._source, placeholder=publish_text.source_hint(), id="source", suggester=PathSuggester(_ENDING)
                )
            with Horizontal(classes="row", id="alpha-row"):
                yield Static(Content(_("Alpha")), classes="name")
                yield QuietInput(placeholder=_("of its training: nothing in the file says it"), id="alpha")
            with Horizontal(classes="row"):
                yield Static(Content(_("Name")), classes="name")
                yield QuietInput(placeholder="v<major>.<minor>_<slug>", id="name")
        yield TextPane(id="report", classes="panel")
        yield KeyBar(self.KEYS, keymap.APP, typing=True)

    def on_mount(self) -> None:
        self.query_one(TextPane).show(publish_text.before())

    def on_unmount(self) -> None:
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _value(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    @on(Input.Changed, "#source")
    @on(Input.Changed, "#alpha")
    def _forget(self) -> None:
        """Another source is another candidate."""
        if self._candidate is not None and self._value("source") != self._candidate.source:
            self._candidate = None
            self.query_one(TextPane).show(publish_text.before())

    @on(Input.Submitted, "#source")
    @on(Input.Submitted, "#alpha")
    def action_look(self) -> None:
        """Fetch, convert and prove the source."""
        if not (source := self._value("source")):
            return
        alpha = publish_text.number(self._value("alpha"))

        def deed(tell: Tell) -> Candidate:
            from liveavatar_tui.publishing import examine

            return examine(self.desk.deployment(), source, self.desk.bases(), self._work_folder(), alpha, tell)

        text = Content(safe_text(source))
        dialog: ProgressDialog[Candidate] = ProgressDialog(_("Looking at the source"), text, deed)
        self.app.push_screen(dialog, self._looked)

    def _work_folder(self) -> Path:
        from lora_repository.remote_copies import cache_home

        if self._scratch is None:
            home = cache_home() / "liveavatar-tui"
            home.mkdir(parents=True, exist_ok=True)
            self._scratch = Path(tempfile.mkdtemp(prefix="publish-", dir=home))
        return self._scratch

    def _looked(self, found: Candidate | Finding | None) -> None:
        pane = self.query_one(TextPane)
        if isinstance(found, Finding):
            pane.show(describe_one(found), from_top=True)
        elif found is not None:
            self._candidate = found
            pane.show(publish_text.report(found), from_top=True)
            unknown = any(finding.code == ALPHA_UNKNOWN for finding in found.findings)
            self.query_one("#alpha-row").set_class(unknown, "-wanted")
            if unknown:
                self.query_one("#alpha").focus()
            elif found.proof.ok:
                self._propose(found.name)

    def _propose(self, name: str) -> None:
        field = self.query_one("#name", Input)
        field.value = name
        field.cursor_position = len(name)
        field.focus()

    @on(Input.Submitted, "#name")
    def action_publish(self) -> None:
        """Publish the candidate under the name in the field; look first where there is none."""
        candidate, name = self._candidate, self._value("name")
        if candidate is None:
            self.action_look()
            return
        if not candidate.proof.ok:
            self.app.bell()
            return

        def deed(tell: Tell) -> Published:
            from liveavatar_tui.publishing import publish

            return publish(self.desk.deployment(), candidate, name or candidate.name, tell)

        text = _("{name} is copied, proved again, and put in its place as a whole.").format(name=name or candidate.name)
        dialog: ProgressDialog[Published] = ProgressDialog(_("Publishing"), Content(safe_text(text)), deed)
        self.app.push_screen(dialog, self._published)

    def _published(self, made: Published | Finding | None) -> None:
        if isinstance(made, Finding):
            self.tell(made)
        elif made is None:
            self.say(_("Publishing was stopped; nothing of it is left."))
        else:
            told = _("{name} is published. Nothing points at it yet: {key} switches a channel to it.")
            self.say(told.format(name=made.version, key="a"))
            self.dismiss(made.version)

    def action_back(self) -> None:
        """Back to the versions; nothing was made."""
        self.dismiss(None)
