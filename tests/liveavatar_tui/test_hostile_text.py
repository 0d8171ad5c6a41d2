"""Hostile text through every field, list, title, dialog and notification: no markup, no escape, no end of the app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.content import Content
from textual.pilot import Pilot
from textual.widget import Widget
from world import SPEC, half_way, screen_text, until, write_job, write_world

from engine.protocol import Failed
from liveavatar_tui import kept_inputs
from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.preflight.report import Report, Row
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.screens.dialogs import AskValue, ChooseOne, Question
from liveavatar_tui.screens.generate import GenerateScreen
from liveavatar_tui.theme import THEMES
from liveavatar_tui.widgets.bars import TitleBar
from liveavatar_tui.widgets.fields import Choice, Field
from liveavatar_tui.widgets.meter import Mark, Meter, Step, Stepper
from liveavatar_tui.widgets.paragraphs import Paragraphs, paragraph
from liveavatar_tui.widgets.rows import Line, Rows
from liveavatar_tui.widgets.tick import Tick
from lora_repository.finding import Finding, Problem, Severity

HOSTILE = (
    "[red]x[/red]",
    "a[/foo]b",
    "[",
    "a\x1b[31mRED\x1b]0;pwn\x07b",
    "[@click=app.quit]q[/]",
    "a\x00\x08\x9bb",
    "a\udce9b",
    "a\u202eb",
    "语" * 60,
    "e\u0301" * 40 + "👩\u200d🚀",
    "$primary {x} %s",
)
UNSEEN = frozenset(chr(code) for code in (*range(32), *range(0x7F, 0xA0), 0x202E)) - {"\n"}


def is_clean(text: str) -> bool:
    return not UNSEEN & set(text) and not any(0xD800 <= ord(one) < 0xE000 for one in text)


def plainly(text: str) -> str:
    """What of the text must stand on the screen, letter for letter."""
    return safe_text(text)[:6]


# --- widgets by themselves


def every_widget(text: str) -> list[Widget]:
    rows, meter, stepper, told = Rows(), Meter(), Stepper(), Paragraphs()
    rows.show([Line(text, Content(safe_text(text)))])
    meter.show(0.5, safe_text(text))
    stepper.show([Step(safe_text(text), Mark.NOW)])
    told.show([paragraph(safe_text(text))])
    return [
        TitleBar("home", text),
        Field("f", safe_text(text), text, safe_text(text)),
        Choice("c", "Version", [(text, text)], text),
        Tick(safe_text(text), True),
        rows,
        meter,
        stepper,
        told,
    ]


@pytest.mark.parametrize("text", HOSTILE)
async def test_no_widget_ends_or_draws_a_control(text: str) -> None:
    class All(App[None]):
        def compose(self) -> ComposeResult:
            yield from every_widget(text)

        def get_theme_variable_defaults(self) -> dict[str, str]:
            return {"muted": "#888888", "faint": "#666666", "production": "#000000"}

    async with All().run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        pilot.app.query_one(Rows).focus()
        await pilot.press("down", "enter")
        drawn = screen_text(pilot.app)
        assert plainly(text) in drawn


@settings(max_examples=200)
@given(st.text(max_size=80), st.integers(0, 60))
def test_a_line_of_a_list_is_exactly_as_wide_as_asked(text: str, width: int) -> None:
    fitted = Line("x", Content(safe_text(text))).fitted(width)
    assert cell_len(fitted.plain) == width
    assert is_clean(fitted.plain)


# --- the app


@asynccontextmanager
async def app_with(root: Path, text: str) -> AsyncIterator[Pilot[int]]:
    """The app with the text as host, prompt, label and failure of jobs, preset, value, in findings and rows."""
    told = write_world(root)
    shown = text.encode("utf-8", "replace").decode()
    spec = msgspec.structs.replace(SPEC, prompt=shown, label=shown)
    write_job(told.jobs_folder(), "20260314-092600-aaaaaa", spec, half_way())
    write_job(told.jobs_folder(), "20260314-092500-bbbbbb", spec, [Failed(code="RUN099", message=shown, fix=shown)])
    kept_inputs.save_preset("p" + safe_text(shown)[:40], _draft(shown))
    generate = msgspec.structs.replace(told.generate, prompt=shown, image=f"/{shown}")
    app = LiveAvatarApp(
        msgspec.structs.replace(told, generate=generate),
        host=text,
        examine=lambda _spec, _settings: Report(
            (Row("x", text, text, text),), (Finding("PRE000", Severity.ERROR, text, text),)
        ),
    )
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: "1 running" in screen_text(app))
        yield pilot


def _draft(text: str):  # type: ignore[no-untyped-def]
    from liveavatar_tui.draft import Draft

    return Draft(text, "latest", text, text, "704*384", "", "420", False, False)


@pytest.mark.parametrize("text", HOSTILE)
async def test_every_screen_and_dialog_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    async with app_with(tmp_path, text) as pilot:
        app = pilot.app
        assert isinstance(app, LiveAvatarApp)
        await pilot.press("4")
        await until(pilot, lambda: "ckpt_dir" in screen_text(app))
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, GenerateScreen) and "PRE000" in screen_text(app))
        for dialog in (
            Question(safe_text(text), safe_text(text)),
            AskValue(safe_text(text), safe_text(text), text, lambda _value: text),
            ChooseOne(safe_text(text), safe_text(text), [text, "other"], text),
        ):
            app.push_screen(dialog)
            await until(pilot, lambda dialog=dialog: app.screen is dialog)
            if isinstance(dialog, AskValue):
                await pilot.press("enter")
                await pilot.pause()
            assert plainly(text) in screen_text(app)
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, GenerateScreen))
        app.screen.tell(Problem(Finding("XYZ001", Severity.ERROR, text, text)).finding)
        app.screen.say(text)
        await until(pilot, lambda: "XYZ001" in screen_text(app))
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(app.screen, ChooseOne))
        await pilot.press("enter", "f6")
        await until(pilot, lambda: app.current_mode == "home")
        for theme in THEMES:
            app.theme = theme.name
            await pilot.pause()
        assert app.is_running
