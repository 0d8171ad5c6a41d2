"""The dialog before a download: what, from where, to where, how much room there is. Fetches nothing itself."""

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
from liveavatar_tui.quantities import bytes_text, path_text
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.version_desk import Fetching
from liveavatar_tui.widgets.bars import KeyBar
from liveavatar_tui.widgets.findings import describe_one
from liveavatar_tui.widgets.paragraphs import Paragraph, Paragraphs, paragraph
from liveavatar_tui.widgets.quiet_input import QuietInput
from lora_repository.i18n import _


@dataclass
class Looked(Message):
    """What fetching a reference would mean."""

    fetching: Fetching


class FetchDialog(ModalScreen[str | None]):
    """`look` says what a reference stands for, in a worker; the answer is the reference, None for escape."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.DIALOG)
    DEFAULT_CSS = """
    FetchDialog { align: center middle; background: $background 60%; }
    FetchDialog > Vertical {
        width: 72; max-width: 96%; height: auto; max-height: 96%;
        border: round $border; border-title-color: $foreground; background: $surface; padding: 1 2;
    }
    FetchDialog Static { height: auto; }
    FetchDialog Paragraphs { margin-top: 1; }
    FetchDialog KeyBar { dock: none; margin-top: 1; background: $surface; padding: 0; }
    """

    def __init__(self, reference: str, look: Callable[[str], Fetching]) -> None:
        super().__init__()
        self._reference = reference
        self._look = look
        self._looked: Fetching | None = None

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(_("Fetch to this host"))
            yield Static(Content(_("A channel, a hub id, or an https URL of one .safetensors:")), markup=False)
            yield QuietInput(self._reference, id="reference")
            yield Paragraphs()
            yield KeyBar(keymap.DIALOG)

    def on_mount(self) -> None:
        self._type()

    @property
    def _typed(self) -> str:
        return self.query_one("#reference", Input).value.strip()

    @on(Input.Changed)
    def _type(self) -> None:
        if self._typed:
            self._work_out(self._typed)

    @work(thread=True, exclusive=True, exit_on_error=False, group="look", description="look at a reference")
    def _work_out(self, reference: str) -> None:
        self.post_message(Looked(self._look(reference)))

    @on(Looked)
    def _show(self, message: Looked) -> None:
        if message.fetching.reference == self._typed:
            self._looked = message.fetching
            self.query_one(Paragraphs).show(consequences(message.fetching))

    @on(Input.Submitted)
    def action_confirm(self) -> None:
        """Answer with the reference, where there is something to fetch."""
        looked = self._looked
        if looked is not None and looked.reference == self._typed and looked.place is not None:
            self.dismiss(looked.reference)
        else:
            self.app.bell()

    def action_back(self) -> None:
        self.dismiss(None)


def consequences(fetching: Fetching) -> list[Paragraph]:
    """What fetching means, or why there is nothing to fetch."""
    if fetching.finding is not None:
        return describe_one(fetching.finding)
    told = []
    if fetching.stands_for != fetching.reference:
        says = _("{channel} says {target}.").format(channel=fetching.reference, target=fetching.stands_for)
        told.append(paragraph(safe_text(says), "· "))
    if fetching.here is not None:
        here = _("It is on this host already: {path}").format(path=path_text(fetching.here))
        return [*told, paragraph(safe_text(here), Content.styled("✓ ", "$text-success"))]
    if fetching.place is not None:
        place = _("It comes to {path}, where {free} are free; what does not fit is refused before it begins.")
        told.append(
            paragraph(safe_text(place.format(path=path_text(fetching.place), free=bytes_text(fetching.free))), "· ")
        )
        told.append(
            paragraph(_("A broken download goes on where it broke off; its SHA-256 is held against the source."), "· ")
        )
    return told
