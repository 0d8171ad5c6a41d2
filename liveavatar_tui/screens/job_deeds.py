"""What can be done with the selected job: end, repeat, move in the queue, hold, note; and with old ones: prune.

Asks only where something is lost, does in workers, says what was done. Knows no table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import work

from liveavatar_tui.jobs.job import Job
from liveavatar_tui.screens.base import Place
from liveavatar_tui.settings import Settings
from lora_repository.finding import Problem
from lora_repository.i18n import _, ngettext

if TYPE_CHECKING:
    from liveavatar_tui.jobs.pruning import Plan
    from liveavatar_tui.jobs.queue import Line


class JobDeeds(Place[None]):
    """A screen with a selected job. Subclasses say which it is."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings

    def chosen(self) -> Job | None:
        """The job that is meant."""
        return None

    def all_jobs(self) -> tuple[Job, ...]:
        """All that there are."""
        return ()

    # --- the end

    def action_cancel(self) -> None:
        """A waiting job leaves the queue; a running one is stopped after a question."""
        from liveavatar_tui.screens.dialogs import Question

        job = self.chosen()
        if job is None or not job.state.live:
            self.say(_("Only a running or waiting job can be stopped."))
            return
        if job.state.queued:
            self._cancel(job)
            return
        text = _("Stop this job? The part of the video that is made so far is lost.")

        def answered(yes: bool | None) -> None:
            if yes:
                self._cancel(job)

        self.app.push_screen(Question(_("Stop the job"), text), answered)

    @work(thread=True, exit_on_error=False, group="cancel", description="stop a job")
    def _cancel(self, job: Job) -> None:
        from liveavatar_tui.jobs.cancelling import Outcome, cancel

        try:
            outcome = cancel(job.folder, self.settings.jobs.grace_s)
        except Problem as problem:
            self.app.call_from_thread(self.tell, problem.finding)
            return
        if outcome is Outcome.WITHDRAWN:
            told = _("{job} left the queue. Press r to let it queue again.").format(job=job.id)
            self.app.call_from_thread(self.say, told)

    # --- once more

    def action_retry(self) -> None:
        """The same run as a new job, at the end of the queue."""
        if (job := self.chosen()) is not None:
            self._retry(job, cheaper=False)

    def action_cheaper(self) -> None:
        """The same run with the next setting that needs less memory."""
        if (job := self.chosen()) is not None:
            self._retry(job, cheaper=True)

    @work(thread=True, exit_on_error=False, group="retry", description="repeat a job")
    def _retry(self, job: Job, *, cheaper: bool) -> None:
        from engine.probe import probe
        from liveavatar_tui.jobs import admitting, repeating
        from liveavatar_tui.preflight import preflight

        changes: tuple[str, ...] = ()
        try:
            spec = repeating.spec_of(job)
            if cheaper:
                spec, made = repeating.cheaper(spec, probe())
                changes = tuple(_(change.said) for change in made)
            report = preflight(spec, self.settings)
            for error in admitting.obstacles(report, self.settings.jobs_folder())[:1]:
                self.app.call_from_thread(self.tell, error)
                return
            again = admitting.admit(spec, self.settings.jobs_folder(), report, repeats=job.id)
        except Problem as problem:
            self.app.call_from_thread(self.tell, problem.finding)
            return
        told = _("{job} runs once more as {again}.").format(job=job.id, again=again.id)
        self.app.call_from_thread(self.say, "\n".join([told, *changes]))

    # --- the queue

    def action_sooner(self) -> None:
        """One place forward in the queue."""
        self._move(-1)

    def action_later(self) -> None:
        """One place back in the queue."""
        self._move(1)

    def _move(self, by: int) -> None:
        from liveavatar_tui.jobs.queue import entry, moved

        def edit(line: Line, name: str) -> Line:
            found = entry(line, name)
            return line if found is None else moved(line, name, line.index(found) + 1 + by)

        self._rearrange(edit)

    def action_hold(self) -> None:
        """Let the others pass the selected job, or let it go again."""
        from liveavatar_tui.jobs.queue import entry, holding

        def edit(line: Line, name: str) -> Line:
            found = entry(line, name)
            return line if found is None else holding(line, name, held=not found.held)

        self._rearrange(edit)

    def _rearrange(self, edit: Callable[[Line, str], Line]) -> None:
        job = self.chosen()
        if job is None or not job.state.queued:
            self.say(_("Only a waiting job has a place in the queue."))
        else:
            self._change_queue(job, edit)

    @work(thread=True, exit_on_error=False, group="queue", description="change the queue")
    def _change_queue(self, job: Job, edit: Callable[[Line, str], Line]) -> None:
        from liveavatar_tui.jobs.queue import rearrange

        try:
            rearrange(job.folder.root.parent, job.id, edit)
        except Problem as problem:
            self.app.call_from_thread(self.tell, problem.finding)

    # --- notes and age

    def action_note(self) -> None:
        """Write on the selected job."""
        from liveavatar_tui.jobs.records import write_note
        from liveavatar_tui.screens.dialogs import AskValue

        job = self.chosen()
        if job is None:
            return
        text = _("What is worth remembering about it? A job with a note is never pruned; an empty note is none.")

        def answered(note: str | None) -> None:
            if note is not None:
                write_note(job.folder, note)

        self.app.push_screen(AskValue(_("Note"), text, job.note, lambda typed: None), answered)

    def action_prune(self) -> None:
        """Show which old jobs would go, and delete them when that is confirmed."""
        from liveavatar_tui.screens.pruning import PruneDialog

        def answered(chosen: Plan | None) -> None:
            if chosen is not None:
                self._prune(chosen)

        self.app.push_screen(PruneDialog(self.all_jobs()), answered)

    @work(thread=True, exclusive=True, exit_on_error=False, group="prune", description="delete old jobs")
    def _prune(self, chosen: Plan) -> None:
        from liveavatar_tui.jobs.pruning import carry_out

        gone = len(carry_out(chosen))
        told = ngettext("{n} job is deleted.", "{n} jobs are deleted.", gone).format(n=gone)
        self.app.call_from_thread(self.say, told)
