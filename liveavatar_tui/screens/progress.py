"""A dialog while something long goes on: how far it is, how fast, and a key that stops it. Knows no deed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Generic, TypeVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from liveavatar_tui import keymap, keys
from liveavatar_tui.messages import Newest
from liveavatar_tui.quantities import bytes_text, span_text
from liveavatar_tui.widgets.bars import KeyBar
from liveavatar_tui.widgets.meter import Meter
from lora_repository.finding import Finding, Problem
from lora_repository.i18n import _

Result = TypeVar("Result")
Tell = Callable[[int, int | None], None]
"""What is done and what there is in all (None: unknown); raises `Stopped` once the user wants to stop."""
_EVERY_S: Final = 0.1
_SETTLED_S: Final = 1.0  # a speed is told once it means something


class Stopped(Exception):
    """The user stopped it."""


@dataclass
class Advanced(Newest):
    """So much is done, of so much."""

    done: int
    total: int | None


class ProgressDialog(ModalScreen[Result | Finding | None], Generic[Result]):
    """Runs `deed` in a worker; the answer is its result, a finding where it failed, None where it was stopped."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.WAITING)
    DEFAULT_CSS = """
    ProgressDialog { align: center middle; background: $background 60%; }
    ProgressDialog > Vertical {
        width: 64; max-width: 96%; height: auto;
        border: round $border; border-title-color: $foreground; background: $surface; padding: 1 2;
    }
    ProgressDialog Static { height: auto; margin-bottom: 1; }
    ProgressDialog .detail { color: $muted; margin: 0; }
    ProgressDialog KeyBar { dock: none; margin-top: 1; background: $surface; padding: 0; }
    """

    def __init__(self, title: str, text: str | Content, deed: Callable[[Tell], Result], unit: str = "bytes") -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._deed = deed
        self._unit = unit
        self._stop = threading.Event()
        self._began = 0.0
        self._told = 0.0

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Static(self._text, markup=False)
            yield Meter()
            yield Static("", classes="detail", markup=False)
            yield KeyBar(keymap.WAITING)

    def on_mount(self) -> None:
        self._began = time.monotonic()
        self._run()

    def on_unmount(self) -> None:
        self._stop.set()

    @work(thread=True, exit_on_error=False, group="deed", description="a long deed")
    def _run(self) -> None:
        answer: Result | Finding | None
        try:
            answer = self._deed(self._tell)
        except Stopped:
            answer = None
        except Problem as problem:
            answer = problem.finding
        self.app.call_from_thread(self._end, answer)

    def _end(self, answer: Result | Finding | None) -> None:
        if self.is_attached:
            self.dismiss(answer)

    def _tell(self, done: int, total: int | None) -> None:
        if self._stop.is_set():
            raise Stopped
        if (at := time.monotonic()) - self._told > _EVERY_S or done == total:
            self._told = at
            self.post_message(Advanced(done, total))

    @on(Advanced)
    def _show(self, message: Advanced) -> None:
        done, total = message.done, message.total
        self.query_one(Meter).show(done / total if total else 0.0, f"{done / total:.0%}" if total else "")
        detail = self._amount(done) if total is None else f"{self._amount(done)} / {self._amount(total)}"
        spent = time.monotonic() - self._began
        if spent > _SETTLED_S and done and self._unit == "bytes":
            detail += f"   {bytes_text(round(done / spent))}/s"
        if spent > _SETTLED_S and done and total:
            left = span_text(spent / done * (total - done))
            detail += "   " + _("{time} left").format(time=left)
        if not self._stop.is_set():
            self.query_one(".detail", Static).update(Content(detail))

    def _amount(self, count: int) -> str:
        return bytes_text(count) if self._unit == "bytes" else str(count)

    def action_stop(self) -> None:
        """Stop at the next piece."""
        self._stop.set()
        self.query_one(".detail", Static).update(Content(_("Stopping…")))
