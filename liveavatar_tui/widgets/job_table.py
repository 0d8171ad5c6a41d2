"""Jobs as a table. Colours come with words. Knows no disk: jobs are handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from rich.text import Text
from textual import events

from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.words import PHASE_WORDS, STATE_WORDS
from liveavatar_tui.quantities import moment_text
from liveavatar_tui.widgets.list_table import ListTable, cell
from lora_repository.i18n import N_, _

_COLUMNS: Final = {
    "state": N_("State"),
    "done": N_("Progress"),
    "version": N_("Version"),
    "prompt": N_("Prompt"),
    "when": N_("Started"),
}
_CLASS: Final = {
    State.STARTING: "live",
    State.RUNNING: "live",
    State.DONE: "done",
    State.CANCELLED: "muted",
    State.FOREIGN: "muted",
}
_SIGN: Final = {State.STARTING: "●", State.RUNNING: "●", State.DONE: "✓", State.CANCELLED: "–", State.FOREIGN: "·"}


class JobTable(ListTable):
    """Rows are keyed by the job's id."""

    flexible = "prompt"
    most: ClassVar[Mapping[str, int]] = {"version": 22}

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"jobs--{name}" for name in ("live", "done", "bad", "muted")}
    DEFAULT_CSS = """
    JobTable {
        .jobs--live { color: $primary; text-style: bold; }
        .jobs--done { color: $text-success; }
        .jobs--bad { color: $text-error; }
        .jobs--muted { color: $muted; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._jobs: tuple[Job, ...] = ()

    def show_jobs(self, jobs: Sequence[Job]) -> None:
        """Draw these jobs."""
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
            "state": cell(f"{_SIGN.get(job.state, '✗')} {_(STATE_WORDS[job.state])}", style),
            "done": cell(_progress(job)),
            "version": cell((spec.label if spec else "") or _("base model")),
            "prompt": cell(spec.prompt if spec else _("its description cannot be read")),
            "when": cell(moment_text(job.created), muted),
        }


def _progress(job: Job) -> str:
    if job.state.live and job.fraction is None:
        return _(PHASE_WORDS[job.story.phase])
    return f"{job.fraction:.0%}" if job.fraction is not None else ""
