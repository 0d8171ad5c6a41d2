"""The dialog before old jobs are deleted: two limits to type, and below them at once what would go and what it frees.

The answer is a plan, None for escape. Deletes nothing.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, TypeVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from liveavatar_tui import keymap, keys
from liveavatar_tui.commands.amounts import size, span
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.pruning import Doomed, Plan, Weighed, plan, weigh
from liveavatar_tui.quantities import bytes_text, moment_text
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.widgets.bars import KeyBar
from liveavatar_tui.widgets.fields import Field
from lora_repository.i18n import _, ngettext

_AGE: Final = "30d"
Amount = TypeVar("Amount", int, float)


@dataclass
class JobsWeighed(Message):
    """The sizes of all jobs are known."""

    jobs: tuple[Weighed, ...]


class PruneDialog(ModalScreen[Plan | None]):
    """Asks what is old; `jobs` are those that there are."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.DIALOG)
    CSS_PATH = "pruning.tcss"

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__()
        self._jobs = tuple(jobs)
        self._weighed: tuple[Weighed, ...] | None = None
        self._plan = Plan((), 0)

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(_("Delete old jobs"))
            yield Field("age", _("Older than"), _AGE, "")
            yield Field("limit", _("Together above"), "", "")
            with VerticalScroll(id="doomed", can_focus=False):
                yield Static(Content(_("Looking…")), id="preview")
            yield Static(id="sum")
            yield KeyBar(keymap.DIALOG)

    def on_mount(self) -> None:
        age, limit = self.query(Field)
        age.hint(_("30d, 12h; empty: any age"))
        limit.hint(_("20GB; the oldest go first"))
        self._weigh()

    @work(thread=True, exclusive=True, exit_on_error=False, group="weigh", description="size of all jobs")
    def _weigh(self) -> None:
        self.post_message(JobsWeighed(weigh(self._jobs)))

    @on(JobsWeighed)
    def _show_sizes(self, message: JobsWeighed) -> None:
        self._weighed = message.jobs
        self._draw()

    @on(Input.Changed)
    def _draw(self) -> None:
        if self._weighed is None:
            return
        older, limit = self._read("age", span), self._read("limit", size)
        nothing = older is None and limit is None
        chosen = Plan((), 0) if nothing else plan(self._weighed, older_than_s=older, limit=limit)
        self._plan = chosen
        lines = [_line(one) for one in chosen.doomed]
        none = Content.styled(_("No job goes: what runs, waits or has a note stays."), "$muted")
        self.query_one("#preview", Static).update(Content("\n").join(lines) if lines else none)
        self.query_one("#sum", Static).update(Content.styled(_sum(chosen), "bold") if lines else Content(""))

    def _read(self, name: str, read: Callable[[str], Amount]) -> Amount | None:
        """What a field says; None for an empty one and for what cannot be read, which the field then tells."""
        field = next(field for field in self.query(Field) if field.field_name == name)
        try:
            value = read(field.value) if field.value.strip() else None
        except ArgumentTypeError as fault:
            field.fault(str(fault))
            return None
        field.fault(None)
        return value

    @on(Input.Submitted)
    def action_confirm(self) -> None:
        """Only with something to delete."""
        if self._plan.doomed:
            self.dismiss(self._plan)

    def action_back(self) -> None:
        self.dismiss(None)


def _line(one: Doomed) -> Content:
    label = one.job.spec.label if one.job.spec is not None else ""
    return Content.assemble(
        (f"{moment_text(one.job.created):<12} ", "$muted"),
        f"{bytes_text(one.size):>7}  ",
        safe_text(label or one.job.id),
    )


def _sum(chosen: Plan) -> str:
    count = len(chosen.doomed)
    text = ngettext(
        "{n} job goes for good and frees {freed} of {total}.",
        "{n} jobs go for good and free {freed} of {total}.",
        count,
    )
    return text.format(n=count, freed=bytes_text(chosen.freed), total=bytes_text(chosen.total))
