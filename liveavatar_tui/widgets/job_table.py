"""Jobs as a table. Colours come with words. Knows no disk: jobs are handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from rich.text import Text
from textual import events

from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.words import PHASE_WORDS, STATE_WORDS
from liveavatar_tui.quantities import bytes_text, moment_text
from liveavatar_tui.widgets.list_table import ListTable, cell
from lora_repository.i18n import N_, _

_COLUMNS: Final = {
    "state": N_("State"),
    "done": N_("Progress"),
    "memory": N_("Memory"),
    "version": N_("Version"),
    "prompt": N_("Prompt"),
    "when": N_("Started"),
}
_CLASS: Final = {
    State.WAITING: "waiting",
    State.HELD: "muted",
    State.STARTING: "live",
    State.RUNNING: "live",
    State.SILENT: "warning",
    State.DONE: "done",
    State.CANCELLED: "muted",
    State.FOREIGN: "muted",
}
_SIGN: Final = {
    State.WAITING: "○",
    State.HELD: "=",
    State.STARTING: "●",
    State.RUNNING: "●",
    State.SILENT: "!",
    State.DONE: "✓",
    State.CANCELLED: "–",
    State.FOREIGN: "·",
}


class JobTable(ListTable):
    """Rows are keyed by the job's id."""

    flexible = "prompt"
    most: ClassVar[Mapping[str, int]] = {"version": 22, "prompt": 24}
    optional = ("when", "memory")

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"jobs--{name}" for name in ("live", "waiting", "warning", "done", "bad", "muted")
    }
    DEFAULT_CSS = """
    JobTable {
        .jobs--live { color: $primary; text-style: bold; }
        .jobs--waiting { color: $secondary; }
        .jobs--warning { color: $text-warning; text-style: bold; }
        .jobs--done { color: $text-success; }
        .jobs--bad { color: $text-error; }
        .jobs--muted { color: $muted; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._jobs: tuple[Job, ...] = ()

    def show_jobs(self, jobs: Sequence[Job]) -> None:
        """Draw these jobs in this order."""
        self._jobs = tuple(jobs)
        headings = {name: cell(_(heading)) for name, heading in _COLUMNS.items()}
        self.show(headings, [(job.id, self._cells(job)) for job in jobs])

    def on_resize(self, event: events.Resize) -> None:
        self.show_jobs(self._jobs)

    def _cells(self, job: Job) -> dict[str, Text]:
        style = self.get_component_rich_style(f"jobs--{_CLASS.get(job.state, 'bad')}", partial=True)
        muted = self.get_component_rich_style("jobs--muted", partial=True)
        spec = job.spec
        return {
            "state": cell(_state(job), style),
            "done": cell(_progress(job)),
            "memory": cell(_memory(job), muted),
            "version": cell((spec.label if spec else "") or _("base model")),
            "prompt": cell(_noted(job, spec.prompt if spec else _("its description cannot be read"))),
            "when": cell(moment_text(job.created), muted),
        }


def _state(job: Job) -> str:
    """`● running`; of a waiting job its number in the queue, of one that is asked to end that it is."""
    word = _("stopping") if job.state.active and job.cancel_requested else _(STATE_WORDS[job.state])
    number = f" {job.place}" if job.state.queued and job.place else ""
    return f"{_SIGN.get(job.state, '✗')} {word}{number}"


def _progress(job: Job) -> str:
    if job.state.active and job.fraction is None:
        return _(PHASE_WORDS[job.story.phase])
    if job.fraction is None:
        return ""
    share = f"{job.fraction:.0%}"
    if not job.state.active or job.story.progress is None:
        return share
    return _("{share}, {fps:.1f} fps").format(share=share, fps=job.story.progress.fps)


def _memory(job: Job) -> str:
    return bytes_text(job.memory.used) if job.state.active and job.memory is not None else ""


def _noted(job: Job, prompt: str) -> str:
    return f"“{job.note}” {prompt}" if job.note else prompt
