"""The form that starts a job: what is typed is checked at once, everything is proved before a launch, errors stop it.

Files, adapters and memory are looked at in a worker; the screen holds the last report. Knows no engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Button, Input, Select, Static
from textual.worker import get_current_worker

from engine.spec import RunSpec
from liveavatar_tui import draft as drafts
from liveavatar_tui import keymap, keys
from liveavatar_tui.draft import Draft
from liveavatar_tui.messages import OpenJob
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.screens.keeping import Keeping
from liveavatar_tui.settings import Settings
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.fields import Choice, Field
from liveavatar_tui.widgets.paragraphs import Paragraphs
from liveavatar_tui.widgets.suggestions import EarlierSuggester
from liveavatar_tui.widgets.tick import Tick
from lora_repository.finding import Problem
from lora_repository.i18n import _, ngettext

if TYPE_CHECKING:
    from liveavatar_tui.preflight.report import Report

Examine = Callable[[RunSpec, Settings], "Report"]
"""Everything that can be known about a run before it starts."""
_PAUSE_S: Final = 0.4  # of typing, before the checks run again


@dataclass
class Checked(Message):
    """The run as drafted was checked; `launch` when it is meant to start."""

    draft: Draft
    report: Report
    hints: dict[str, str]
    launch: bool


@dataclass
class VersionsFound(Message):
    """References that can be chosen, with what to call them."""

    choices: tuple[tuple[str, str], ...]


class GenerateScreen(Keeping):
    """The form; keeps its values while the app runs."""

    KEYS = keymap.GENERATE
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.GENERATE)
    CSS_PATH = "generate.tcss"
    AUTO_FOCUS = "#prompt"

    def __init__(
        self, settings: Settings, host: str, examine: Examine | None = None, start: Draft | None = None
    ) -> None:
        super().__init__()
        self._examine = examine
        self._settings = settings
        self._host = host
        self._start = start or drafts.defaults(settings)
        self._beyond = self._start.beyond
        self._pause: Timer | None = None

    def compose(self) -> ComposeResult:
        start = self._start
        yield TitleBar("generate", self._host, typing=True)
        with Container(id="body"):
            with Vertical(id="form", classes="panel") as form:
                form.border_title = Content(_("Generate"))
                said, seen, heard = (self._suggest(name) for name in ("prompt", "image", "audio"))
                yield Field("prompt", _("Prompt"), start.prompt, _("what the video shows"), long=True, suggester=said)
                yield Choice("version", _("Version"), [(self._call(start.version), start.version)], start.version)
                yield Field("image", _("Portrait"), start.image, _("the sample portrait"), suggester=seen)
                yield Field("audio", _("Speech"), start.audio, _("the sample speech"), suggester=heard)
                yield Field("size", _("Size"), start.size, "704*384")
                yield Field("clips", _("Clips"), start.clips, _("auto"))
                yield Field("seed", _("Seed"), start.seed, "420")
                with Horizontal(classes="field"):
                    yield Static("", classes="name")
                    yield Tick(_("Offload the model"), start.offload, id="offload")
                    yield Tick(_("Avatarise a photograph"), start.avatarise, id="avatarise")
            with VerticalScroll(id="checks", classes="panel", can_focus=False) as checks:
                checks.border_title = Content(_("Before launch"))
                yield Paragraphs(id="checks-text")
        with Horizontal(id="launch-row"):
            yield Button(Content(_("Launch")), id="launch", variant="primary", compact=True)
            yield Static(Content(_("Checking…")), id="verdict")
        yield KeyBar(self.KEYS, keymap.APP, typing=True)

    def _suggest(self, name: str) -> EarlierSuggester:
        return EarlierSuggester(lambda: self.history.get(name, []), paths=name != "prompt")

    def on_mount(self) -> None:
        self.read_history()
        self._tell_beyond()
        self._find_versions()
        self._check_soon()

    def on_screen_resume(self) -> None:
        self._find_versions()

    # --- values

    def choose(self, version: str) -> None:
        """Select a version, as if the user had."""
        self.query_one(Choice).choose(self._call(version), version)

    def fill(self, spec: RunSpec) -> None:
        """Take over the values of an earlier run."""
        self.take(drafts.repeat(spec, self._settings))

    def action_defaults(self) -> None:
        """Every field back to its default."""
        self.take(drafts.defaults(self._settings))

    def offered(self) -> list[tuple[str, str]]:
        return self.query_one(Choice).offered()

    def take(self, draft: Draft) -> None:
        for field in self.query(Field):
            field.value = getattr(draft, field.field_name)
        self.query_one("#offload", Tick).value = draft.offload
        self.query_one("#avatarise", Tick).value = draft.avatarise
        self._beyond = draft.beyond
        self._tell_beyond()
        self.choose(draft.version)

    def _tell_beyond(self) -> None:
        """What the form does not show and an earlier run had otherwise: never applied unseen."""
        told = ", ".join(f"{name} {value}" for name, value in self._beyond)
        self.query_one("#form").border_subtitle = Content(safe_text(told)) if told else None

    def draft(self) -> Draft:
        text = {field.field_name: field.value for field in self.query(Field)}
        return Draft(
            prompt=text["prompt"],
            version=self.query_one(Choice).chosen,
            image=text["image"],
            audio=text["audio"],
            size=text["size"],
            clips=text["clips"],
            seed=text["seed"],
            offload=self.query_one("#offload", Tick).value,
            avatarise=self.query_one("#avatarise", Tick).value,
            beyond=self._beyond,
        )

    def _call(self, reference: str) -> str:
        if reference == drafts.BASE_ALONE:
            return _("no LoRA, {base} alone").format(base=drafts.base_name(self._settings))
        if drafts.STACKED in reference:
            return " + ".join(self._call(one) for one in reference.split(drafts.STACKED))
        target = self._settings.channels().get(reference)
        return f"{reference}  ({target})" if target else Path(reference).name if "/" in reference else reference

    @work(thread=True, exclusive=True, exit_on_error=False, group="versions", description="find the versions")
    def _find_versions(self) -> None:
        from lora_repository.repository import LoraRepository

        try:
            versions = LoraRepository(Path(self._settings.lora.repository)).versions()
        except Problem:
            versions = []  # told on the versions screen, and by the check of whatever is chosen here
        names = [str(version.name) for version in reversed(versions)]
        references = ["latest", *self._settings.channels(), *names, drafts.BASE_ALONE]
        self.post_message(VersionsFound(tuple((self._call(name), name) for name in dict.fromkeys(references))))

    @on(VersionsFound)
    def _offer_versions(self, message: VersionsFound) -> None:
        self.query_one(Choice).offer(message.choices)

    # --- checks

    @on(Input.Changed)
    @on(Tick.Changed)
    @on(Select.Changed)
    def _check_soon(self) -> None:
        faults = drafts.faults(self.draft())
        for field in self.query(Field):
            field.fault(faults.get(field.field_name))
        if self._pause is not None:
            self._pause.stop()
        if not faults:
            self._pause = self.set_timer(_PAUSE_S, self._check_now)

    def _check_now(self) -> None:
        self._check(self.draft(), launch=False)

    @work(thread=True, exclusive=True, exit_on_error=False, group="check", description="check before launch")
    def _check(self, draft: Draft, *, launch: bool) -> None:
        from liveavatar_tui.input_hints import hints_for
        from liveavatar_tui.preflight import preflight
        from liveavatar_tui.screens.preflight_text import refused

        worker = get_current_worker()
        try:
            spec = drafts.compose(draft, self._settings)
            report = (self._examine or preflight)(spec, self._settings)
        except Problem as problem:
            report = refused(problem.finding)
            hints: dict[str, str] = {}
        else:
            hints = hints_for(spec)
        if not worker.is_cancelled:
            self.post_message(Checked(draft, report, hints, launch))

    @on(Checked)
    def _show_report(self, message: Checked) -> None:
        if message.draft != self.draft():
            return  # typed over meanwhile: a later check is on its way
        from liveavatar_tui.screens import preflight_text

        self.query_one("#checks-text", Paragraphs).show(preflight_text.describe_report(message.report))
        self.query_one("#verdict", Static).update(preflight_text.verdict(message.report))
        for field in self.query(Field):
            field.hint(message.hints.get(field.field_name, ""))
        if message.launch:
            self._launch_if_ready(message)

    # --- launch

    @on(Button.Pressed, "#launch")
    def action_launch(self) -> None:
        """Check once more, then start the job; errors stop it."""
        draft = self.draft()
        faults = drafts.faults(draft)
        if faults:
            self.query_one(f"#{next(iter(faults))}").focus()
            count = len(faults)
            self.say(ngettext("{n} field cannot be read yet.", "{n} fields cannot be read yet.", count).format(n=count))
            return
        if self._pause is not None:
            self._pause.stop()
        self.query_one("#verdict", Static).update(Content(_("Checking…")))
        self._check(draft, launch=True)

    def _launch_if_ready(self, message: Checked) -> None:
        from liveavatar_tui.jobs.admitting import obstacles

        errors = obstacles(message.report, self._settings.jobs_folder())
        if errors:
            self.tell(errors[0])
            return
        self.remember(message.draft)
        self._start_job(message.draft, message.report)

    @work(thread=True, exclusive=True, exit_on_error=False, group="launch", description="start the job")
    def _start_job(self, draft: Draft, report: Report) -> None:
        from liveavatar_tui.jobs.admitting import admit
        from liveavatar_tui.jobs.sheltering import logout_finding, look

        try:
            job = admit(drafts.compose(draft, self._settings), self._settings.jobs_folder(), report)
        except Problem as problem:
            self.app.call_from_thread(self.tell, problem.finding)
            return
        if (mortal := logout_finding(look())) is not None:
            self.app.call_from_thread(self.tell, mortal)
        self.post_message(OpenJob(job.folder.root))

    async def action_back(self) -> None:
        """To the versions."""
        await self.app.run_action("app.go('versions')")
