"""All jobs: what runs, what waits in the queue, what ended; how far, how fast, which version, what was said and noted.

The folders are read by a thread once a second; nothing is drawn while nothing changes. Knows no engine.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import DataTable, Input, Static
from textual.worker import get_current_worker

from liveavatar_tui import keymap, keys
from liveavatar_tui.jobs.filtering import ORDERS, arranged, read_filter
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.queue import wake
from liveavatar_tui.jobs.watching import Overview
from liveavatar_tui.messages import JobsSeen, OpenJob, RepeatJob
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.screens.job_deeds import JobDeeds
from liveavatar_tui.settings import Settings
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.job_table import JobTable
from liveavatar_tui.widgets.quiet_input import QuietInput
from lora_repository.i18n import _, ngettext

_LOOK_S: Final = 1.0
_ATTEND_EVERY: Final = 5
"""Looks between two at the keepers of the queue."""
_STEP_S: Final = 0.1


class JobsScreen(JobDeeds):
    """Lists the jobs in the jobs folder."""

    KEYS = keymap.JOBS
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.JOBS)
    CSS_PATH = "jobs.tcss"
    AUTO_FOCUS = "#jobs"

    def __init__(self, settings: Settings, host: str) -> None:
        super().__init__(settings)
        self._host = host
        self._jobs: dict[str, Job] = {}
        self._order = ORDERS[0]

    def compose(self) -> ComposeResult:
        yield TitleBar("jobs", self._host)
        with Vertical(id="list", classes="panel"):
            hint = _("words, state:failed, version:v2.1; escape shows all")
            yield QuietInput(placeholder=hint, id="filter")
            yield JobTable(id="jobs")
            yield Static(id="none")
        yield KeyBar(self.KEYS, keymap.APP)

    def on_mount(self) -> None:
        self._draw()
        self._watch()

    # --- reading

    @work(thread=True, exclusive=True, exit_on_error=False, group="watch", description="look at all jobs")
    def _watch(self) -> None:
        worker = get_current_worker()
        folder = self.settings.jobs_folder()
        overview = Overview(folder)
        told: object = None
        look = 0
        while not worker.is_cancelled:
            if look % _ATTEND_EVERY == 0:
                wake(folder)
            look += 1
            jobs = overview.look()
            seen = tuple((job.id, job.state, job.story.seq, job.cancel_requested, job.place, job.note) for job in jobs)
            if seen != told:
                told = seen
                self.post_message(JobsSeen(jobs))
            until = time.monotonic() + _LOOK_S
            while not worker.is_cancelled and time.monotonic() < until:
                time.sleep(_STEP_S)  # short steps: leaving the app waits for this thread

    @on(JobsSeen)
    def _show(self, message: JobsSeen) -> None:
        self._jobs = {job.id: job for job in message.jobs}
        self._draw()

    # --- drawing

    def _draw(self) -> None:
        typed = self.query_one("#filter", Input).value
        shown = arranged(self._jobs.values(), read_filter(typed), self._order)
        self.query_one(JobTable).show_jobs(shown)
        none = (
            _("No job fits; escape shows all.")
            if self._jobs
            else _("No job yet. Choose a version and press enter to start one.")
        )
        self.query_one("#none", Static).update(Content(none))
        panel = self.query_one("#list")
        panel.set_class(not shown, "-empty")
        panel.border_title = Content(self._title(typed, len(shown)))
        panel.border_subtitle = Content(_counts(self._jobs.values())) if self._jobs else None

    def _title(self, typed: str, shown: int) -> str:
        parts = [_("Jobs")]
        if typed.strip():
            parts.append(
                _("{shown} of {all} fit {words}").format(shown=shown, all=len(self._jobs), words=safe_text(typed))
            )
        if self._order is not ORDERS[0]:
            parts.append(_(self._order.title))
        return " · ".join(parts)

    # --- filter and order

    @on(Input.Changed, "#filter")
    def _type(self) -> None:
        self._draw()

    @on(Input.Submitted, "#filter")
    def _leave_filter(self) -> None:
        self.query_one("#filter").display = bool(self.query_one("#filter", Input).value)
        self.query_one(JobTable).focus()

    def action_filter(self) -> None:
        """Type what to look for."""
        self.query_one("#filter").display = True
        self.query_one("#filter").focus()

    def action_sort(self) -> None:
        """By the next order."""
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._draw()

    async def action_back(self) -> None:
        """Out of the filter, which shows all again; else to the first screen."""
        field = self.query_one("#filter", Input)
        if field.value or field.has_focus:
            field.value = ""
            self._leave_filter()
        else:
            await self.app.run_action("app.go('home')")

    # --- the selected job

    def chosen(self) -> Job | None:
        return self._jobs.get(self.query_one(JobTable).selected() or "")

    def all_jobs(self) -> tuple[Job, ...]:
        return tuple(self._jobs.values())

    @on(DataTable.RowSelected)
    def action_open(self) -> None:
        """Watch the selected job."""
        if (job := self.chosen()) is not None:
            self.post_message(OpenJob(job.folder.root))

    def action_again(self) -> None:
        """Open the form with the values of the selected job."""
        if (job := self.chosen()) is not None and job.spec is not None:
            self.app.post_message(RepeatJob(job.spec))


def _counts(jobs: Iterable[Job]) -> str:
    """`1 running, 2 waiting`; empty when neither."""
    states = [job.state for job in jobs]
    active, queued = sum(state.active for state in states), sum(state.queued for state in states)
    parts = []
    if active:
        parts.append(ngettext("{n} running", "{n} running", active).format(n=active))
    if queued:
        parts.append(ngettext("{n} waiting", "{n} waiting", queued).format(n=queued))
    return _(", ").join(parts)
