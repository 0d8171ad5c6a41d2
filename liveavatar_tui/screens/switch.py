"""The dialog before a channel is moved: which one, what changes for whom, why. Moves nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static

from liveavatar_tui import keymap, keys
from liveavatar_tui.screens import switch_text
from liveavatar_tui.switch_plan import SwitchPlan
from liveavatar_tui.widgets.bars import KeyBar
from liveavatar_tui.widgets.findings import describe_one
from liveavatar_tui.widgets.paragraphs import Paragraphs, paragraph
from liveavatar_tui.widgets.quiet_input import QuietInput
from lora_repository.finding import Finding, Problem
from lora_repository.i18n import _

Decision = tuple[SwitchPlan, str]
"""What is to be done, and why."""
_BEFORE: Final = 24


@dataclass
class Looked(Message):
    """The plans are known, or why they cannot be."""

    plans: Sequence[SwitchPlan] = ()
    finding: Finding | None = None


class ChannelChoice(Widget):
    """Mutable: one line a channel; the chosen one carries the sign."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "ChannelChoice { height: auto; }"

    class Picked(Message):
        """A line was clicked."""

        def __init__(self, at: int) -> None:
            super().__init__()
            self.at = at

    def __init__(self) -> None:
        super().__init__()
        self._plans: Sequence[SwitchPlan] = ()
        self._at = 0

    def show(self, plans: Sequence[SwitchPlan], at: int) -> None:
        """Draw these, the one `at` chosen."""
        self._plans, self._at = plans, at
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, len(self._plans))

    def render(self) -> Content:
        names = max((switch_text.channel_name(plan.channel).cell_length for plan in self._plans), default=0)
        widest = max((len(plan.before or _("nothing")) for plan in self._plans), default=0)
        before = min(_BEFORE, widest)
        width = self.content_size.width
        lines = [
            switch_text.channel_line(plan, width, names, before, chosen=row == self._at and len(self._plans) > 1)
            for row, plan in enumerate(self._plans)
        ]
        return Content("\n").join([line.truncate(width, ellipsis=True) for line in lines])

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Picked(event.get_content_offset_capture(self).y))


class SwitchDialog(ModalScreen[Decision | None]):
    """`look` makes the plans, in a worker; the first channel that could be switched is chosen at first."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.SWITCH)
    DEFAULT_CSS = """
    SwitchDialog { align: center middle; background: $background 60%; }
    SwitchDialog > Vertical {
        width: 76; max-width: 96%; height: auto; max-height: 96%;
        border: round $border; border-title-color: $foreground; background: $surface; padding: 1 2;
        &.-production { border: round $accent; border-title-color: $production; border-title-background: $accent; }
    }
    SwitchDialog Paragraphs { margin-top: 1; }
    SwitchDialog Input { margin-top: 1; }
    SwitchDialog .fault { height: auto; color: $text-warning; display: none; &.-told { display: block; } }
    SwitchDialog KeyBar { dock: none; margin-top: 1; background: $surface; padding: 0; }
    """

    def __init__(self, title: str, look: Callable[[], Sequence[SwitchPlan]]) -> None:
        super().__init__()
        self._title = title
        self._look = look
        self._plans: Sequence[SwitchPlan] = ()
        self._at = 0

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield ChannelChoice()
            yield Paragraphs()
            yield QuietInput(id="reason")
            yield Static("", classes="fault", markup=False)
            yield KeyBar(keymap.SWITCH)

    def on_mount(self) -> None:
        self.query_one(Paragraphs).show([paragraph(_("Looking at what it would mean…"))])
        self._start()

    @work(thread=True, exclusive=True, exit_on_error=False, group="look", description="look at a switch")
    def _start(self) -> None:
        try:
            self.post_message(Looked(self._look()))
        except Problem as problem:
            self.post_message(Looked(finding=problem.finding))

    @on(Looked)
    def _show(self, message: Looked) -> None:
        if message.finding is not None:
            self.query_one(Paragraphs).show(describe_one(message.finding))
            return
        self._plans = message.plans
        free = (row for row, plan in enumerate(self._plans) if plan.possible)
        self._choose(next(free, 0))

    @on(ChannelChoice.Picked)
    def _pick(self, message: ChannelChoice.Picked) -> None:
        self._choose(message.at)

    def action_turn(self, by: int) -> None:
        """The next channel, or the one before."""
        if self._plans:
            self._choose((self._at + by) % len(self._plans))

    def _choose(self, at: int) -> None:
        if not 0 <= at < len(self._plans):
            return
        self._at = at
        plan = self._plans[at]
        is_production = plan.channel == switch_text.PRODUCTION
        box = self.query_one(Vertical)
        box.set_class(is_production, "-production")
        box.border_title = Content(f" {self._title} · PRODUCTION " if is_production else self._title)
        self.query_one(ChannelChoice).show(self._plans, at)
        self.query_one(Paragraphs).show(switch_text.consequences(plan))
        field = self.query_one("#reason", Input)
        field.placeholder = _("why (production asks)") if plan.wants_reason else _("why (kept in the history)")
        field.display = plan.possible
        self._complain("")

    def _complain(self, text: str) -> None:
        fault = self.query_one(".fault", Static)
        fault.set_class(bool(text), "-told")
        fault.update(Content(text))

    @on(Input.Submitted)
    def action_confirm(self) -> None:
        """Answer with the decision, once nothing speaks against it."""
        if not self._plans or not (plan := self._plans[self._at]).possible:
            self.app.bell()
            return
        reason = self.query_one("#reason", Input).value.strip()
        if plan.wants_reason and not reason:
            self._complain(_("Say why: everybody who uses production is affected."))
            return
        self.dismiss((plan, reason))

    def action_back(self) -> None:
        self.dismiss(None)
