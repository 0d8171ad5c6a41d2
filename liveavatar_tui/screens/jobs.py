"""All jobs, newest first: state, how far, which version, what was said, when. Enter watches one.

The folders are read by a thread once a second; nothing is drawn while nothing changes. Knows no engine.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable, Static
from textual.worker import get_current_worker

from engine.job_folder import JobFolder
from liveavatar_tui import keymap
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.watching import Watcher, job_folders
from liveavatar_tui.messages import OpenJob
from liveavatar_tui.screens.base import Place
from liveavatar_tui.settings import Settings
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.job_table import JobTable
from lora_repository.finding import Problem
from lora_repository.i18n import _, ngettext

_LOOK_S: Final = 1.0
_STEP_S: Final = 0.1


@dataclass
class JobsSeen(Message):
    """All jobs at one moment."""

    jobs: tuple[Job, ...]

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, JobsSeen)


class Overview:
    """Mutable: one watcher a job, so that a look costs what was added; ended jobs are read once."""

    def __init__(self, jobs_dir: Path) -> None:
        self._dir = jobs_dir
        self._watchers: dict[Path, Watcher] = {}
        self._ended: dict[Path, Job] = {}

    def look(self) -> tuple[Job, ...]:
        """Every job, newest first."""
        folders = job_folders(self._dir)
        roots = {folder.root for folder in folders}
        self._watchers = {root: watcher for root, watcher in self._watchers.items() if root in roots}
        self._ended = {root: job for root, job in self._ended.items() if root in roots}
        return tuple(self._job(folder) for folder in folders)

    def _job(self, folder: JobFolder) -> Job:
        if (ended := self._ended.get(folder.root)) is not None:
            return ended
        job = self._watchers.setdefault(folder.root, Watcher(folder)).poll()
        if job.story.end is not None:
            self._ended[folder.root] = job
            del self._watchers[folder.root]
        return job


class JobsScreen(Place[None]):
    """Lists the jobs in the jobs folder."""

    KEYS = keymap.JOBS
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings(keymap.JOBS)
    CSS_PATH = "jobs.tcss"
    AUTO_FOCUS = "#jobs"

    def __init__(self, settings: Settings, host: str) -> None:
        super().__init__()
        self._settings = settings
        self._host = host
        self._jobs: dict[str, Job] = {}

    def compose(self) -> ComposeResult:
        yield TitleBar("jobs", self._host)
        with Vertical(id="list", classes="panel") as panel:
            panel.border_title = Content(_("Jobs"))
            yield JobTable(id="jobs")
            yield Static(Content(_("No job yet. Choose a version and press enter to start one.")), id="none")
        yield KeyBar(self.KEYS, keymap.APP)

    def on_mount(self) -> None:
        self._watch()

    @work(thread=True, exclusive=True, exit_on_error=False, group="watch", description="look at all jobs")
    def _watch(self) -> None:
        worker = get_current_worker()
        overview = Overview(self._settings.jobs_folder())
        told: tuple[object, ...] | None = None
        while not worker.is_cancelled:
            jobs = overview.look()
            seen = tuple((job.id, job.state, job.story.seq, job.cancel_requested) for job in jobs)
            if seen != told:
                told = seen
                self.post_message(JobsSeen(jobs))
            until = time.monotonic() + _LOOK_S
            while not worker.is_cancelled and time.monotonic() < until:
                time.sleep(_STEP_S)  # short steps: leaving the app waits for this thread

    @on(JobsSeen)
    def _show(self, message: JobsSeen) -> None:
        self._jobs = {job.id: job for job in message.jobs}
        self.query_one(JobTable).show_jobs(message.jobs)
        self.query_one("#list").set_class(not message.jobs, "-empty")
        live = sum(job.state.live for job in message.jobs)
        told = ngettext("{n} running", "{n} running", live).format(n=live)
        self.query_one("#list").border_subtitle = Content(told) if live else None

    def _selected(self) -> Job | None:
        return self._jobs.get(self.query_one(JobTable).selected() or "")

    @on(DataTable.RowSelected)
    def action_open(self) -> None:
        """Watch the selected job."""
        job = self._selected()
        if job is not None:
            self.post_message(OpenJob(job.folder.root))

    async def action_back(self) -> None:
        """To the versions."""
        await self.app.run_action("app.go('versions')")

    def action_cancel(self) -> None:
        """Ask, then stop the selected job."""
        from liveavatar_tui.screens.dialogs import Question

        job = self._selected()
        if job is None or not job.state.live:
            self.say(_("Only a running job can be stopped."))
            return
        text = _("Stop this job? The part of the video that is made so far is lost.")

        def answered(yes: bool | None) -> None:
            if yes:
                self._cancel(job)

        self.app.push_screen(Question(_("Stop the job"), text), answered)

    @work(thread=True, exit_on_error=False, group="cancel", description="stop a job")
    def _cancel(self, job: Job) -> None:
        from liveavatar_tui.jobs.cancelling import cancel

        try:
            cancel(job.folder, self._settings.jobs.grace_s)
        except Problem as problem:
            self.app.call_from_thread(self.tell, problem.finding)
