"""One job, live: how far it is, what it says, what it sees. Leaving the screen, or the app, leaves the job running.

The job folder is the only source, followed by one thread (`job_live`); what it posts is drawn here. Knows no engine.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static
from textual.worker import get_current_worker

from engine.job_folder import JobFolder
from liveavatar_tui import keymap, keys
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.logs.feed import LogFeed
from liveavatar_tui.messages import RepeatJob
from liveavatar_tui.screens import job_text
from liveavatar_tui.screens.base import Place
from liveavatar_tui.screens.job_live import JobChanged, LiveJob, Moved
from liveavatar_tui.settings import Settings
from liveavatar_tui.terminal.capabilities import picture_mode
from liveavatar_tui.terminal.flow import Flow
from liveavatar_tui.terminal.probe import Abilities
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.log_panel import LogPanel
from liveavatar_tui.widgets.meter import Meter, Stepper
from liveavatar_tui.widgets.paragraphs import Paragraphs
from liveavatar_tui.widgets.preview import FramePreview
from lora_repository.finding import Problem
from lora_repository.i18n import _


class JobScreen(Place[None]):
    """Watches the job in `folder`."""

    KEYS = keymap.JOB
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.JOB)
    CSS_PATH = "job.tcss"
    AUTO_FOCUS = "#log"

    VERTICAL_BREAKPOINTS = [(0, "-low"), (34, "-high")]  # noqa: RUF012

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        host: str,
        flow: Flow | None = None,
        abilities: Abilities = Abilities(),  # noqa: B008  frozen
    ) -> None:
        super().__init__()
        self._abilities = abilities
        self._folder = JobFolder(folder)
        self._settings = settings
        self._host = host
        self._flow = flow or Flow()
        self._feed = LogFeed(self._folder.log)
        self._job: Job | None = None
        self._covered = False

    def compose(self) -> ComposeResult:
        yield TitleBar("jobs", self._host)
        with Vertical(id="state", classes="panel"):
            yield Stepper(id="steps")
            yield Meter(id="meter")
            yield Static(id="facts")
        with VerticalScroll(id="ending", classes="panel", can_focus=False):
            yield Paragraphs(id="ending-text")
        with Horizontal(id="live"):
            yield LogPanel(self._feed, id="log-panel")
            with Vertical(id="frames"):
                for name, title in (("preview", _("Frame")), ("first", _("First frame"))):
                    preview = FramePreview(title, id=name)
                    preview.add_class("panel")
                    yield preview
        yield KeyBar(self.KEYS, keymap.SEARCH, keymap.LOG, keymap.APP)

    def on_mount(self) -> None:
        self._watch()

    def on_unmount(self) -> None:
        self._feed.close()

    def on_screen_suspend(self) -> None:
        """Something covers the screen: pictures and log wait."""
        self._covered = True

    def on_screen_resume(self) -> None:
        self._covered = False

    @work(thread=True, exclusive=True, exit_on_error=False, group="watch", description="follow the job")
    def _watch(self) -> None:
        worker = get_current_worker()
        console = self.app.console
        mode = picture_mode(console.color_system, console.encoding, no_colour=self.app.no_color)
        live = LiveJob(self._folder, self._feed, self._flow, mode)
        previews = {preview.id or "": preview for preview in self.query(FramePreview)}
        while not worker.is_cancelled:
            boxes = {} if self._covered else {name: preview.box for name, preview in previews.items()}
            time.sleep(live.look(boxes, self.post_message))

    @on(JobChanged)
    def _show_job(self, message: JobChanged) -> None:
        job = self._job = message.job
        state = self.query_one("#state")
        state.border_title = job_text.title(job)
        state.border_subtitle = job_text.state_word(job)
        self.query_one(Stepper).show(job_text.steps(job, message.last))
        self.query_one(Meter).show(job.fraction or 0.0, job_text.progress(job))
        self.query_one("#facts", Static).update(job_text.facts(job))
        ending = self.query_one("#ending")
        text = job_text.ending(job, message.cause)
        ending.set_class(bool(text), "-shown")
        self.query_one("#ending-text", Paragraphs).show(text)
        self._name_frame()

    @on(Moved)
    def _show_moved(self, message: Moved) -> None:
        if message.log:
            self.query_one(LogPanel).catch_up()
        for name, patch in message.patches.items():
            preview = self.query_one(f"#{name}", FramePreview)
            if preview.has_class("-shown"):  # else it was decoded for a box that is laid out only now
                preview.show(patch)
            preview.add_class("-shown")
            self.query_one("#frames").add_class("-shown")
        self._name_frame()
        self.call_after_refresh(self._flow.sent)

    def _name_frame(self) -> None:
        name = _("Frame") if self._job is None or self._job.state.live else _("Last frame")
        link = _("once a second: the terminal gives no answer") if self._flow.mute else ""
        self.query_one("#preview", FramePreview).tell(Content(name), Content(link))

    def action_back(self) -> None:
        """Leave; the job goes on."""
        self.dismiss()

    def action_follow(self) -> None:
        """To the end of the log."""
        self.query_one(LogPanel).view.action_follow()

    def action_still(self) -> None:
        """Show in full what is kept: the newest frame, the last, the first."""
        from liveavatar_tui.screens.still import StillScreen

        folder = self._folder
        kept = [(_("Last frame"), folder.last), (_("Newest frame"), folder.preview), (_("First frame"), folder.first)]
        there = [(name, path) for name, path in kept if path.exists()]
        if there:
            self.app.push_screen(StillScreen(there, self._abilities))
        else:
            self.say(_("There is no frame yet."))

    def action_compare(self) -> None:
        """This job beside the newest other one."""
        from liveavatar_tui.jobs.watching import job_folders
        from liveavatar_tui.screens.side_by_side import SideBySide

        others = [folder.root for folder in job_folders(self._folder.root.parent) if folder != self._folder]
        if others:
            self.app.push_screen(SideBySide(self._folder.root, others, self._host, self._flow))
        else:
            self.say(_("There is no other job to compare with."))

    def action_zoom(self) -> None:
        """The frames alone, or everything."""
        if self.query_one("#frames").has_class("-shown"):
            self.toggle_class("-zoomed")
        else:
            self.say(_("There is no frame yet."))

    def action_output(self) -> None:
        """Copy the video's path to the clipboard of the terminal (OSC 52), and say it."""
        path = self._folder.output
        if not path.exists():
            self.say(_("There is no video yet."))
            return
        self.app.copy_to_clipboard(str(path))
        self.say(_("Copied: {path}").format(path=path))

    def action_again(self) -> None:
        """Open the form with the values of this job."""
        if self._job is not None and self._job.spec is not None:
            self.app.post_message(RepeatJob(self._job.spec))

    def action_cancel(self) -> None:
        """Ask, then stop the job."""
        from liveavatar_tui.screens.dialogs import Question

        if self._job is None or not self._job.state.live:
            self.say(_("This job has ended already."))
            return
        text = _("Stop this job? The part of the video that is made so far is lost.")

        def answered(yes: bool | None) -> None:
            if yes:
                self._cancel()

        self.app.push_screen(Question(_("Stop the job"), text), answered)

    @work(thread=True, exclusive=True, exit_on_error=False, group="cancel", description="stop the job")
    def _cancel(self) -> None:
        from liveavatar_tui.jobs.cancelling import cancel

        try:
            cancel(self._folder, self._settings.jobs.grace_s)
        except Problem as problem:
            self.app.call_from_thread(self.tell, problem.finding)
