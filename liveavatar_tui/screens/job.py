"""One job, live: how far it is, what it says, what it sees. Leaving the screen, or the app, leaves the job running.

The job folder is the only source: one thread follows journal, log and preview, and posts what changed. Knows no engine.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from engine.job_folder import JobFolder
from engine.protocol import ENDS, AnyEvent, Phase, PhaseChanged
from liveavatar_tui import keymap
from liveavatar_tui.jobs.ending import explain
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.watching import Watcher
from liveavatar_tui.logs.feed import LogFeed
from liveavatar_tui.messages import RepeatJob
from liveavatar_tui.screens import job_text
from liveavatar_tui.screens.base import Place
from liveavatar_tui.settings import Settings
from liveavatar_tui.terminal.capabilities import PictureMode, picture_mode
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.log_panel import LogPanel
from liveavatar_tui.widgets.meter import Meter, Stepper
from liveavatar_tui.widgets.paragraphs import Paragraphs
from liveavatar_tui.widgets.preview import FramePreview
from lora_repository.finding import Finding, Problem
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.widgets.half_blocks import CellPicture

_LOOK_S: Final = 0.1  # the preview's highest rate; each look costs some 100 us when nothing changed
_FIRST_BOX: Final = (1, 1)  # cells: the box is laid out when a first frame has proved to be one
_JUDGE_S: Final = 0.5  # journal and process table


@dataclass
class JobChanged(Message):
    """The job as it stands, and why it ended badly if it did; an older one that still waits is dropped.

    `last` is the last phase before any end.
    """

    job: Job
    cause: Finding | None
    last: Phase

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, JobChanged)


class LogGrew(Message):
    """The log moved."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, LogGrew)


@dataclass
class FrameReady(Message):
    """A decoded frame; the newest wins."""

    picture: CellPicture

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, FrameReady)


class JobScreen(Place[None]):
    """Watches the job in `folder`."""

    KEYS = keymap.JOB
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings(keymap.JOB)
    CSS_PATH = "job.tcss"
    AUTO_FOCUS = "#log"

    def __init__(self, folder: Path, settings: Settings, host: str) -> None:
        super().__init__()
        self._folder = JobFolder(folder)
        self._grace_s = settings.jobs.grace_s
        self._host = host
        self._feed = LogFeed(self._folder.log)
        self._job: Job | None = None

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
            preview = FramePreview(id="preview")
            preview.add_class("panel")
            yield preview
        yield KeyBar(self.KEYS, keymap.APP)

    def on_mount(self) -> None:
        self._watch()

    def on_unmount(self) -> None:
        self._feed.close()

    @work(thread=True, exclusive=True, exit_on_error=False, group="watch", description="follow the job")
    def _watch(self) -> None:
        worker = get_current_worker()
        watcher = Watcher(self._folder)
        frames = _Frames(self._folder.preview, self._picture_mode())
        preview = self.query_one(FramePreview)
        told: Job | None = None
        judged, last = 0.0, Phase.QUEUED
        while not worker.is_cancelled:
            if time.monotonic() - judged >= _JUDGE_S:
                judged, job = time.monotonic(), watcher.poll()
                last = _last_phase(watcher.fresh, last)
                if told is None or _differs(told, job):
                    told = job
                    self.post_message(JobChanged(job, explain(job), last))
            if self._feed.poll():
                self.post_message(LogGrew())
            picture = frames.newest(preview.box)
            if picture is not None:
                self.post_message(FrameReady(picture))
            time.sleep(_LOOK_S)

    def _picture_mode(self) -> PictureMode:
        console = self.app.console
        return picture_mode(console.color_system, console.encoding, no_colour=self.app.no_color)

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

    @on(LogGrew)
    def _show_log(self) -> None:
        self.query_one(LogPanel).catch_up()

    @on(FrameReady)
    async def _show_frame(self, message: FrameReady) -> None:
        preview = self.query_one(FramePreview)
        if preview.has_class("-shown"):
            await preview.show(message.picture)
        preview.add_class("-shown")

    def action_back(self) -> None:
        """Leave; the job goes on."""
        self.dismiss()

    def action_follow(self) -> None:
        """To the end of the log."""
        self.query_one(LogPanel).view.action_follow()

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
            cancel(self._folder, self._grace_s)
        except Problem as problem:
            self.app.call_from_thread(self.tell, problem.finding)


def _differs(old: Job, new: Job) -> bool:
    return (old.story.seq, old.state, old.cancel_requested) != (new.story.seq, new.state, new.cancel_requested)


def _last_phase(events: Iterable[AnyEvent], before: Phase) -> Phase:
    phases = [event.phase for event in events if isinstance(event, PhaseChanged) and event.phase not in ENDS]
    return phases[-1] if phases else before


class _Frames:
    """Mutable: decodes the preview file when it was replaced or the box changed; Pillow is imported with the first."""

    def __init__(self, path: Path, mode: PictureMode) -> None:
        self._path = path
        self._mode = mode
        self._decoded: tuple[int, int, int] | None = None

    def newest(self, box: tuple[int, int]) -> CellPicture | None:
        """The frame when it is another one than last time, else None; a torn or foreign file is no frame."""
        columns, rows = box
        columns, rows = (columns, rows) if columns and rows else _FIRST_BOX
        try:
            key = (self._path.stat().st_mtime_ns, columns, rows)
            if key == self._decoded:
                return None
            from liveavatar_tui.widgets.half_blocks import load

            picture = load(self._path, columns, rows, self._mode)
        except OSError:
            return None
        self._decoded = key
        return picture
