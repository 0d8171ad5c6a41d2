"""Questions with a number, and what it would mean shown as one types: how many versions stay, how old trash must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from liveavatar_tui import keymap, keys
from liveavatar_tui.quantities import bytes_text
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.version_desk import Going
from liveavatar_tui.widgets.bars import KeyBar
from liveavatar_tui.widgets.findings import describe_one
from liveavatar_tui.widgets.paragraphs import Paragraph, Paragraphs, paragraph
from liveavatar_tui.widgets.quiet_input import QuietInput
from lora_repository.finding import Finding, Problem
from lora_repository.i18n import _, ngettext

_NAMED = 6


@dataclass
class Seen(Message):
    """What a number would mean, or why that cannot be told."""

    number: int
    going: Going | None = None
    finding: Finding | None = None


class NumberDialog(ModalScreen[int | None]):
    """`look` says what would go for a number, in a worker; the answer is the number, None for escape."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.DIALOG)
    DEFAULT_CSS = """
    NumberDialog { align: center middle; background: $background 60%; }
    NumberDialog > Vertical {
        width: 68; max-width: 96%; height: auto; max-height: 96%;
        border: round $border; border-title-color: $foreground; background: $surface; padding: 1 2;
    }
    NumberDialog Static { height: auto; }
    NumberDialog Paragraphs { margin-top: 1; }
    NumberDialog KeyBar { dock: none; margin-top: 1; background: $surface; padding: 0; }
    """
    START: ClassVar[int] = 10
    LEAST: ClassVar[int] = 1

    def __init__(self, title: str, look: Callable[[int], Going]) -> None:
        super().__init__()
        self._title = title
        self._look = look
        self._seen: Seen | None = None

    def question(self) -> str:
        """What the number is."""
        raise NotImplementedError

    def consequences(self, going: Going) -> list[Paragraph]:
        """What would happen."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Static(Content(self.question()), markup=False)
            yield QuietInput(str(self.START), id="number")
            yield Paragraphs()
            yield KeyBar(keymap.DIALOG)

    def on_mount(self) -> None:
        self._work_out(self.START)

    @property
    def _number(self) -> int | None:
        text = self.query_one("#number", Input).value.strip()
        good = text.isascii() and text.isdigit() and len(text) < 7 and int(text) >= self.LEAST
        return int(text) if good else None

    @on(Input.Changed)
    def _type(self) -> None:
        number = self._number
        if number is None:
            expected = _("Expected a whole number from {least}.").format(least=self.LEAST)
            self.query_one(Paragraphs).show([paragraph(Content.styled(expected, "$text-warning"))])
        else:
            self._work_out(number)

    @work(thread=True, exclusive=True, exit_on_error=False, group="look", description="see what would go")
    def _work_out(self, number: int) -> None:
        try:
            self.post_message(Seen(number, self._look(number)))
        except Problem as problem:
            self.post_message(Seen(number, finding=problem.finding))

    @on(Seen)
    def _show(self, message: Seen) -> None:
        if message.number == self._number:
            self._seen = message
            told = describe_one(message.finding) if message.finding is not None else []
            self.query_one(Paragraphs).show(told if message.going is None else self.consequences(message.going))

    @on(Input.Submitted)
    def action_confirm(self) -> None:
        """Answer with the number, once its consequences stand there and there are any."""
        seen = self._seen
        if seen is not None and seen.number == self._number and seen.going is not None and seen.going.names:
            self.dismiss(seen.number)
        else:
            self.app.bell()

    def action_back(self) -> None:
        self.dismiss(None)


class PruneDialog(NumberDialog):
    """How many of the newest versions stay."""

    def question(self) -> str:
        return _("How many of the newest versions stay? What a channel or a job needs stays as well.")

    def consequences(self, going: Going) -> list[Paragraph]:
        if not going.names:
            return [paragraph(_("Nothing goes."), Content.styled("✓ ", "$text-success"))]
        count = len(going.names)
        told = ngettext("{n} version ({size}) goes to the trash:", "{n} versions ({size}) go to the trash:", count)
        return [paragraph(told.format(n=count, size=bytes_text(going.size))), *_names(going)]


class EmptyDialog(NumberDialog):
    """How long ago a version must have been removed."""

    START: ClassVar[int] = 30
    LEAST: ClassVar[int] = 0

    def question(self) -> str:
        return _("Delete what was removed how many days ago, or earlier?")

    def consequences(self, going: Going) -> list[Paragraph]:
        if not going.names:
            return [paragraph(_("Nothing goes."), Content.styled("✓ ", "$text-success"))]
        count = len(going.names)
        told = ngettext("{n} version ({size}) is gone for good:", "{n} versions ({size}) are gone for good:", count)
        warning = Content.styled(told.format(n=count, size=bytes_text(going.size)), "$text-error")
        return [paragraph(warning, Content.styled("! ", "bold $text-error")), *_names(going)]


def _names(going: Going) -> list[Paragraph]:
    more = len(going.names) - _NAMED
    told = [paragraph(safe_text(name), "  ") for name in going.names[:_NAMED]]
    return [*told, paragraph(Content.styled(_("and {n} more").format(n=more), "$muted"), "  ")] if more > 0 else told
