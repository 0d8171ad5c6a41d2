"""Two jobs side by side: what each sees, and in what their descriptions differ. Both go on; nothing is changed here.

The folders are followed by one thread, in turn, so that neither takes the link from the other. Knows no engine.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import msgspec
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from engine.job_folder import JobFolder
from engine.spec import RunSpec
from liveavatar_tui import keymap, keys
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.screens import job_text
from liveavatar_tui.screens.base import Place
from liveavatar_tui.screens.job_live import JobChanged, LiveJob, Moved
from liveavatar_tui.terminal.capabilities import picture_mode
from liveavatar_tui.terminal.flow import Flow
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.paragraphs import Paragraph, Paragraphs, paragraph
from liveavatar_tui.widgets.preview import FramePreview
from lora_repository.i18n import N_, _

_SIDES: Final = ("left", "right")
_NAMES: Final = {
    "prompt": N_("prompt"),
    "image": N_("portrait"),
    "audio": N_("speech"),
    "adapters": N_("adapters"),
    "ckpt_dir": N_("base model"),
    "size": N_("size"),
    "num_clip": N_("clips"),
    "seed": N_("seed"),
    "sample_steps": N_("steps"),
    "offload_model": N_("offloading"),
    "label": N_("version"),
}


@dataclass
class Told(Message):
    """What the thread told of the job on one side; `other` counts the jobs that were compared with before."""

    side: str
    other: int
    message: Message


class SideBySide(Place[None]):
    """The job in `folder` beside one of `others`."""

    KEYS = keymap.SIDE_BY_SIDE
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.SIDE_BY_SIDE)
    DEFAULT_CSS = """
    SideBySide #sides { height: 1fr; }
    SideBySide .side { width: 1fr; }
    SideBySide .side FramePreview { height: 1fr; border: none; padding: 0; }
    SideBySide .side Static { height: 1; text-align: right; color: $muted; }
    SideBySide #differences { height: auto; max-height: 10; }
    """

    def __init__(self, folder: Path, others: Sequence[Path], host: str, flow: Flow) -> None:
        super().__init__()
        self._folder = folder
        self._others = others
        self._at = 0
        self._host = host
        self._flow = flow
        self._jobs: dict[str, Job] = {}
        self._titles: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        yield TitleBar("jobs", self._host)
        with Horizontal(id="sides"):
            for side in _SIDES:
                with Vertical(id=f"{side}-side", classes="panel side"):
                    yield FramePreview(" ", id=side)
                    yield Static(id=f"{side}-state")  # not in the border: a change there draws all of the frame again
        with VerticalScroll(id="differences", classes="panel", can_focus=False) as panel:
            panel.border_title = Content(_("Differences"))
            yield Paragraphs(id="differences-text")
        yield KeyBar(self.KEYS, keymap.APP)

    def on_mount(self) -> None:
        self._watch()

    @work(thread=True, exclusive=True, exit_on_error=False, group="watch", description="follow two jobs")
    def _watch(self) -> None:
        worker, at = get_current_worker(), self._at
        console = self.app.console
        mode = picture_mode(console.color_system, console.encoding, no_colour=self.app.no_color)
        folders = (self._folder, self._others[at])
        lives = [
            (side, LiveJob(JobFolder(folder), None, self._flow, mode), self.query_one(f"#{side}", FramePreview))
            for side, folder in zip(_SIDES, folders, strict=True)
        ]
        while not worker.is_cancelled:
            rest = 1.0
            for side, live, preview in lives:
                boxes = {"preview": preview.box} if self.is_current else {}
                rest = min(rest, live.look(boxes, lambda told, side=side: self.post_message(Told(side, at, told))))  # type: ignore[misc]
            lives.reverse()
            time.sleep(rest)

    @on(Told)
    def _show(self, told: Told) -> None:
        if told.other != self._at:  # of a job that is compared with no more; its patch is drawn no more either
            self.call_after_refresh(self._flow.sent)
            return
        if isinstance(told.message, Moved):
            for patch in told.message.patches.values():
                self.query_one(f"#{told.side}", FramePreview).show(patch)
            self.call_after_refresh(self._flow.sent)
        elif isinstance(told.message, JobChanged):
            self._show_job(told.side, told.message.job)

    def _show_job(self, side: str, job: Job) -> None:
        self._jobs[side] = job
        title = Content.assemble(job_text.title(job), " ", (job.id, "$muted"))
        if self._titles.get(side) != title.plain:
            self._titles[side] = title.plain
            self.query_one(f"#{side}-side").border_title = title
        state = Content.assemble(job_text.progress(job).strip(), "  ", job_text.state_word(job))
        self.query_one(f"#{side}-state", Static).update(state, layout=False)
        if len(self._jobs) == len(_SIDES):
            specs = [self._jobs[name].spec for name in _SIDES]
            self.query_one("#differences-text", Paragraphs).show(differences(*specs))

    def action_turn(self, step: int) -> None:
        """Compare with the next of the other jobs."""
        self._at = (self._at + step) % len(self._others)
        self._jobs.pop("right", None)
        self._watch()

    def action_back(self) -> None:
        """Back to the job."""
        self.dismiss()


def differences(left: RunSpec | None, right: RunSpec | None) -> list[Paragraph]:
    """Each field in which two descriptions differ: its name, and what it is on either side."""
    if left is None or right is None:
        return [paragraph(_("The description of one of them cannot be read."))]
    values = [msgspec.to_builtins(spec) for spec in (left, right)]
    told = [
        paragraph(Content.assemble(_shown(values[0][key]), (" → ", "$muted"), _shown(values[1][key])), _name(key))
        for key in values[0]
        if key != "language" and values[0][key] != values[1][key]
    ]
    return told or [paragraph(_("None: the same was asked of both."))]


def _name(key: str) -> Content:
    return Content.styled(f"{_(_NAMES[key]) if key in _NAMES else key}: ", "$muted")


def _shown(value: object) -> str:
    if value is None:
        return _("as long as the speech")
    if isinstance(value, list | tuple):
        return safe_text(", ".join(map(str, value))) or _("none")
    return safe_text(str(value)) or _("none")
