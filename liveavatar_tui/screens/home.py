"""The first screen: what each channel stands for, what runs, what this machine has left; one key to each place.

Links and settings are read before the first paint, which takes a millisecond; proofs, jobs and cards come from workers.
Knows no file format and changes nothing.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.worker import get_current_worker

from liveavatar_tui import keymap, keys, overview
from liveavatar_tui.messages import GenerateWith, JobsSeen, Newest, OpenJob, ShowVersion
from liveavatar_tui.overview import ChannelFact
from liveavatar_tui.screens import home_text
from liveavatar_tui.screens.base import Place
from liveavatar_tui.settings import Settings
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.paragraphs import Paragraphs
from liveavatar_tui.widgets.rows import Rows
from lora_repository.finding import Problem, Severity
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.jobs.job import Job

_FIRST_WITHIN_S: Final = 0.03
_JOBS_EVERY_S: Final = 1.0
_MACHINE_EVERY: Final = 10
"""Looks at the jobs for one look at the machine."""
_STEP_S: Final = 0.1


@dataclass
class ChannelsSeen(Message):
    """The channels at one moment."""

    facts: tuple[ChannelFact, ...]


@dataclass
class ChannelsProved(Message):
    """What would happen to each place on the base model in force: the gravest finding, None for none."""

    verdicts: dict[Path, Severity | None]


@dataclass
class MachineSeen(Newest):
    """What this machine has left, as it is told."""

    told: home_text.Told


class HomeScreen(Place[None]):
    """Where am I. Mutable: holds what the workers saw last."""

    KEYS = keymap.HOME
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.HOME)
    AUTO_FOCUS = "#channels"

    def __init__(self, settings: Settings, host: str) -> None:
        super().__init__()
        self._settings = settings
        self._host = host
        self._facts: tuple[ChannelFact, ...] = ()
        self._verdicts: dict[Path, Severity | None] = {}
        self._jobs: tuple[Job, ...] = ()

    def compose(self) -> ComposeResult:
        yield TitleBar("home", f"{overview.user()}@{self._host}")
        with Container(id="places"):
            with Vertical(id="work"):
                with Vertical(id="channels-panel", classes="panel") as panel:
                    panel.border_title = Content(_("Channels"))
                    yield Rows(id="channels")
                with Vertical(id="jobs-panel", classes="panel") as panel:
                    panel.border_title = Content(_("Jobs"))
                    yield Rows(id="jobs")
            with VerticalScroll(id="machine-panel", classes="panel", can_focus=False) as scroll:
                scroll.border_title = Content(_("This machine"))
                yield Paragraphs(id="machine")
        yield KeyBar(self.KEYS, keymap.APP)

    def on_mount(self) -> None:
        # Links on a local disk are read in a millisecond: then the first paint has the channels, and is the only one.
        first: Future[tuple[ChannelFact, ...]] = Future()
        threading.Thread(target=lambda: first.set_result(overview.channels(self._settings)), daemon=True).start()
        with suppress(TimeoutError):
            self._facts = first.result(_FIRST_WITHIN_S)
        self._draw_channels()
        self._draw_jobs()
        self.query_one("#machine", Paragraphs).show(home_text.looking())
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self._look_at_channels()
        self._watch()

    def on_screen_resume(self) -> None:
        if self._facts:
            self._look_at_channels()

    def action_refresh_home(self) -> None:
        """Look at everything again."""
        self._begin()

    # --- channels

    @work(thread=True, exclusive=True, exit_on_error=False, group="channels", description="look at the channels")
    def _look_at_channels(self) -> None:
        from liveavatar_tui.proving import prover_for
        from liveavatar_tui.widgets.findings import worst

        facts = overview.channels(self._settings)
        self.post_message(ChannelsSeen(facts))
        prove = prover_for(self._settings.ckpt_dir)
        verdicts: dict[Path, Severity | None] = {}
        for place in {fact.place for fact in facts if fact.place is not None}:
            try:
                verdicts[place] = worst(prove(place).findings)
            except Problem as problem:
                verdicts[place] = problem.finding.severity
            if get_current_worker().is_cancelled:
                return
        self.post_message(ChannelsProved(verdicts))

    @on(ChannelsSeen)
    def _show_channels(self, message: ChannelsSeen) -> None:
        if message.facts != self._facts:
            self._facts = message.facts
            self._draw_channels()

    @on(ChannelsProved)
    def _show_verdicts(self, message: ChannelsProved) -> None:
        if message.verdicts != self._verdicts:
            self._verdicts = message.verdicts
            self._draw_channels()

    def _draw_channels(self) -> None:
        self.query_one("#channels", Rows).show(home_text.channel_lines(self._facts, self._verdicts))
        self.query_one("#channels-panel").border_subtitle = home_text.place(self._settings)

    # --- jobs and machine

    @work(thread=True, exclusive=True, exit_on_error=False, group="watch", description="look at jobs and machine")
    def _watch(self) -> None:
        from liveavatar_tui.jobs.watching import Overview

        worker = get_current_worker()
        jobs_seen = Overview(self._settings.jobs_folder())
        told_jobs: object = None
        told_machine: object = None
        look = 0
        while not worker.is_cancelled:
            if self.is_current:
                jobs = jobs_seen.look()
                seen = tuple((job.id, job.state, job.story.seq) for job in jobs)
                if seen != told_jobs:
                    told_jobs = seen
                    self.post_message(JobsSeen(jobs))
                if look % _MACHINE_EVERY == 0 and (told := home_text.machine_told(self._settings)) != told_machine:
                    told_machine = told
                    self.post_message(MachineSeen(told))
                look += 1
            until = time.monotonic() + _JOBS_EVERY_S
            while not worker.is_cancelled and time.monotonic() < until:
                time.sleep(_STEP_S)  # short steps: leaving the app waits for this thread

    @on(JobsSeen)
    def _show_jobs(self, message: JobsSeen) -> None:
        self._jobs = message.jobs
        self._draw_jobs()

    def _draw_jobs(self) -> None:
        self.query_one("#jobs", Rows).show(home_text.job_lines(self._jobs))
        self.query_one("#jobs-panel").border_subtitle = home_text.jobs_count(self._jobs)

    @on(MachineSeen)
    def _show_machine(self, message: MachineSeen) -> None:
        self.query_one("#machine", Paragraphs).show(message.told)

    # --- ways out

    @on(Rows.Chosen)
    def _open_chosen(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        """The selected job, or the version that the selected channel stands for."""
        if self.query_one("#jobs").has_focus:
            self._open_job()
            return
        fact = next((fact for fact in self._facts if fact.name == self._channel()), None)
        self.post_message(ShowVersion(fact.place.name if fact is not None and fact.place is not None else ""))

    def _open_job(self) -> None:
        key = self.query_one("#jobs", Rows).selected()
        job = next((job for job in self._jobs if job.id == key), None)
        if job is not None:
            self.post_message(OpenJob(job.folder.root))
        else:
            self.action_new()

    def action_new(self) -> None:
        """The form, with the selected channel."""
        self.post_message(GenerateWith(self._channel() or self._settings.lora.default))

    def _channel(self) -> str | None:
        return self.query_one("#channels", Rows).selected()
