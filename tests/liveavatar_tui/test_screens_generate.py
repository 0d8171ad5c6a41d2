"""The form: what is typed is judged at once, errors stop a launch, a launch is a job of its own."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select
from world import screen_text, until, write_speech, write_world

import liveavatar_tui.jobs.starting
from engine.spec import RunSpec
from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.jobs.watching import list_jobs
from liveavatar_tui.paths import sample_audio, sample_image
from liveavatar_tui.preflight.report import Report, Row
from liveavatar_tui.screens.generate import GenerateScreen
from liveavatar_tui.screens.job import JobScreen
from liveavatar_tui.settings import Settings
from lora_repository.finding import Finding, Severity

STANDIN = (sys.executable, str(Path(__file__).with_name("standin_engine.py")))


@asynccontextmanager
async def form(settings: Settings, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[int]]:
    """The app on the form, checked once by the real preflight."""
    app = LiveAvatarApp(settings, host="gpu-07")
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, GenerateScreen) and "Checking" not in screen_text(app))
        yield pilot


def field(pilot: Pilot[int], name: str) -> Input:
    return pilot.app.screen.query_one(f"#{name}", Input)


async def shows(pilot: Pilot[int], *words: str) -> None:
    await until(pilot, lambda: all(word in screen_text(pilot.app) for word in words))


async def test_the_defaults_are_ready_and_explained(tmp_path: Path) -> None:
    async with form(write_world(tmp_path)) as pilot:
        await shows(pilot, "✓ Ready", "256×256 pixels", "0:06", "4 clips", "latest")
        await shows(pilot, "v2.1_customer_service", "24 of 24 tensors", "needed, ", "base model")


async def test_nothing_given_means_the_samples(tmp_path: Path) -> None:
    settings = write_world(tmp_path)
    bare = msgspec.structs.replace(
        settings, generate=msgspec.structs.replace(settings.generate, image=None, audio=None)
    )
    async with form(bare) as pilot:
        assert field(pilot, "image").value == "" == field(pilot, "audio").value
        await shows(pilot, sample_image().name, sample_audio().name)


async def test_clips_follow_the_speech_and_say_when_it_is_cut(tmp_path: Path) -> None:
    settings = write_world(tmp_path)
    write_speech(tmp_path / "long.wav", 20)
    async with form(settings) as pilot:
        field(pilot, "audio").value = str(tmp_path / "long.wav")
        await shows(pilot, "0:20", "11 clips")
        field(pilot, "clips").value = "2"
        await shows(pilot, "2 clips, 0:04", "! Ready, with warnings")


@pytest.mark.parametrize(
    ("name", "typed", "expected"),
    [
        ("size", "large", "expected WIDTH*HEIGHT"),
        ("clips", "many", "expected a whole number"),
        ("clips", "0", "expected a whole number"),
        ("seed", "-1", "expected a whole number from 0"),
        ("seed", "٣", "expected a whole number from 0"),
    ],
)
async def test_a_field_that_cannot_be_read_says_so_and_stops_the_launch(
    tmp_path: Path, name: str, typed: str, expected: str
) -> None:
    settings = write_world(tmp_path)
    async with form(settings) as pilot:
        field(pilot, name).value = typed
        await shows(pilot, f"✗ {expected}")
        await pilot.press("ctrl+r")
        await shows(pilot, "1 field cannot be read yet")
        assert pilot.app.focused is field(pilot, name)
        assert list_jobs(settings.jobs_folder()) == []


async def test_errors_of_preflight_stop_the_launch_with_code_and_fix(tmp_path: Path) -> None:
    settings = write_world(tmp_path)
    async with form(settings) as pilot:
        field(pilot, "image").value = str(tmp_path / "nobody.png")
        await shows(pilot, "✗ error RUN020", "→ Give the path of a PNG", "✗ 1 error forbids the launch")
        await pilot.press("ctrl+r")
        await shows(pilot, "RUN020")
        await until(pilot, lambda: pilot.app._notifications)
        assert isinstance(pilot.app.screen, GenerateScreen)
        assert list_jobs(settings.jobs_folder()) == []


async def test_a_version_that_would_not_load_stops_the_launch(tmp_path: Path) -> None:
    settings = write_world(tmp_path)
    async with form(settings) as pilot:
        await until(pilot, lambda: len(pilot.app.screen.query_one(Select)._options) > 4)
        pilot.app.screen.query_one(Select).value = "v2.0_winter_campaign"
        await shows(pilot, "✗ error LORA014", "sed -i")


async def test_launch_starts_a_job_with_what_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = write_world(tmp_path)
    monkeypatch.setattr(liveavatar_tui.jobs.starting.submit, "__kwdefaults__", {"command": STANDIN, "repeats": ""})
    async with form(settings) as pilot:
        field(pilot, "prompt").value = "finishes"
        field(pilot, "seed").value = "7"
        pilot.app.screen.query_one(Select).value = "production"
        await pilot.press("tab", "ctrl+r")
        await until(pilot, lambda: isinstance(pilot.app.screen, JobScreen))
        (job,) = list_jobs(settings.jobs_folder())
        assert job.spec is not None
        assert (job.spec.prompt, job.spec.seed) == ("finishes", 7)
        assert job.spec.adapters == (str(tmp_path / "lora/v1.0_product_demo"),)
        assert job.spec.image == str(tmp_path / "portrait.png")
        await shows(pilot, "✓ Done")


async def test_the_button_launches_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = write_world(tmp_path)
    monkeypatch.setattr(liveavatar_tui.jobs.starting.submit, "__kwdefaults__", {"command": STANDIN, "repeats": ""})
    async with form(settings) as pilot:
        field(pilot, "prompt").value = "finishes"
        await pilot.click("#launch")
        await until(pilot, lambda: isinstance(pilot.app.screen, JobScreen))


async def test_keys_walk_through_the_fields_and_toggles(tmp_path: Path) -> None:
    async with form(write_world(tmp_path)) as pilot:
        seen = []
        for _ in range(10):
            assert pilot.app.focused is not None
            seen.append(pilot.app.focused.id)
            await pilot.press("down")
        assert seen == [
            "prompt",
            "version",
            "image",
            "audio",
            "size",
            "clips",
            "seed",
            "offload",
            "avatarise",
            "launch",
        ]
        await pilot.press("up", "up", "up", "space")
        assert "[x] Offload the model" in screen_text(pilot.app)


async def test_values_stay_while_the_app_runs_and_defaults_come_back(tmp_path: Path) -> None:
    async with form(write_world(tmp_path)) as pilot:
        field(pilot, "prompt").value = "an old sailor"
        await pilot.press("escape")
        await until(pilot, lambda: "Proof" in screen_text(pilot.app))
        await pilot.press("2")
        await shows(pilot, "an old sailor")
        await pilot.press("ctrl+o")
        await shows(pilot, "a person talking to the camera")


async def test_an_answer_to_an_older_question_is_not_shown(tmp_path: Path) -> None:
    def examine(spec: RunSpec, settings: Settings) -> Report:
        found = (Finding("PRE000", Severity.ERROR, f"about {spec.prompt}"),) if spec.prompt == "bad" else ()
        return Report((Row("x", "prompt", spec.prompt),), found)

    app = LiveAvatarApp(write_world(tmp_path), host="gpu-07", examine=examine)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, GenerateScreen) and "✓ Ready" in screen_text(app))
        field(pilot, "prompt").value = "bad"
        await shows(pilot, "✗ 1 error forbids the launch")
        field(pilot, "prompt").value = "good"
        await shows(pilot, "✓ Ready")
        assert "PRE000" not in screen_text(app)
