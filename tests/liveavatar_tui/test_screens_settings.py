"""The settings screen: origins, edits that keep comments, what outranks them, undo, language and theme at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input
from world import screen_text, until, write_world

import liveavatar_tui.paths
from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.screens.dialogs import AskValue, ChooseOne
from liveavatar_tui.screens.settings import SettingsScreen
from liveavatar_tui.settings import Settings, keys, load_settings
from liveavatar_tui.widgets.rows import Rows
from lora_repository.i18n import set_language


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    set_language("en")


@asynccontextmanager
async def opened(settings: Settings, size: tuple[int, int] = (100, 44)) -> AsyncIterator[Pilot[int]]:
    app = LiveAvatarApp(settings, host="gpu-07")
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen) and "ckpt_dir" in screen_text(app))
        yield pilot


async def go_to(pilot: Pilot[int], key: str) -> None:
    pilot.app.screen.query_one("#settings", Rows).select(key)
    await pilot.pause()


def line(pilot: Pilot[int], word: str) -> str:
    return next(line for line in screen_text(pilot.app).splitlines() if word in line)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_world(tmp_path)
    file = tmp_path / "config.yaml"
    file.write_text("# ask Li first\n" + file.read_text() + "  seed: 7   # lucky\n")
    return file


async def test_every_setting_with_its_origin(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEAVATAR_GENERATE_SAMPLE_STEPS", "5")
    settings = load_settings(config, flags={"generate.num_clip": "3"})
    async with opened(settings) as pilot:
        text = screen_text(pilot.app)
        assert all(key in text for key in keys())
        assert "config.yaml:4" in line(pilot, "lora.production")
        assert "LIVEAVATAR_GENERATE_SAMPLE_STEPS" in line(pilot, "generate.sample_steps")
        assert "--num-clip" in line(pilot, "generate.num_clip")
        assert "default" in line(pilot, "policy.reason")


async def test_an_edit_keeps_every_comment_and_u_takes_it_back(config: Path) -> None:
    before = config.read_text()
    async with opened(load_settings(config, environ={})) as pilot:
        await go_to(pilot, "generate.seed")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskValue))
        pilot.app.screen.query_one(Input).value = "x"
        await pilot.press("enter")
        await until(pilot, lambda: "✗" in screen_text(pilot.app))
        pilot.app.screen.query_one(Input).value = "99"
        await pilot.press("enter")
        await until(pilot, lambda: "99" in line(pilot, "generate.seed"))
        assert config.read_text() == before.replace("seed: 7", "seed: 99")
        await go_to(pilot, "generate.num_clip")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskValue))
        pilot.app.screen.query_one(Input).value = "4"
        await pilot.press("enter")
        await until(pilot, lambda: "config.yaml:" in line(pilot, "generate.num_clip"))
        await pilot.press("u", "u", "u")
        await until(pilot, lambda: config.read_text() == before)
        await until(pilot, lambda: " 7 " in line(pilot, "generate.seed"))


async def test_an_undo_over_somebody_elses_edit_is_refused(config: Path) -> None:
    async with opened(load_settings(config, environ={})) as pilot:
        await go_to(pilot, "generate.seed")
        await pilot.press("d")
        await until(pilot, lambda: "420" in line(pilot, "generate.seed"))
        config.write_text(config.read_text() + "# mine\n")
        await pilot.press("u")
        await until(pilot, lambda: "CFG008" in screen_text(pilot.app))
        assert "# mine" in config.read_text()


async def test_what_outranks_the_file_is_said(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEAVATAR_GENERATE_SEED", "5")
    async with opened(load_settings(config)) as pilot:
        await go_to(pilot, "generate.seed")
        await pilot.press("d")
        await until(pilot, lambda: "LIVEAVATAR_GENERATE_SEED decides" in screen_text(pilot.app))
        assert "seed: 420" in config.read_text()


async def test_channels_are_not_edited_here(config: Path) -> None:
    before = config.read_text()
    async with opened(load_settings(config, environ={})) as pilot:
        await go_to(pilot, "lora.production")
        await pilot.press("enter")
        await until(pilot, lambda: "Channels are switched" in screen_text(pilot.app))
        await pilot.press("d")
        assert config.read_text() == before


async def test_language_and_theme_are_chosen_and_seen_at_once(config: Path) -> None:
    async with opened(load_settings(config, environ={})) as pilot:
        await go_to(pilot, "theme")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChooseOne))
        await pilot.press("j", "j", "enter")
        await until(pilot, lambda: pilot.app.theme == "liveavatar-light")
        await go_to(pilot, "language")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChooseOne))
        await pilot.press("G", "enter")
        await until(pilot, lambda: "1 版本" in screen_text(pilot.app))
        await pilot.press("3")
        await until(pilot, lambda: "作业" in screen_text(pilot.app).splitlines()[1])
        assert "language: zh_CN" in config.read_text() and "theme: light" in config.read_text()


async def test_without_a_file_the_users_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LIVEAVATAR_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    settings = load_settings(None, environ={"LIVEAVATAR_CONFIG": "/dev/null"})
    made = tmp_path / "home/liveavatar-tui/config.yaml"
    # As installed without the checkout, whose file would be found.
    monkeypatch.setattr(liveavatar_tui.paths, "config_candidates", lambda: iter((made,)))
    async with opened(Settings(**{**_fields(settings), "file": None})) as pilot:
        await go_to(pilot, "policy.reason")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChooseOne))
        await pilot.press("j", "enter")
        await until(pilot, lambda: made.exists())
        assert made.read_text() == "policy:\n  reason: false\n"
        await pilot.press("u")
        await until(pilot, lambda: not made.exists())


def _fields(settings: Settings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in Settings.__struct_fields__}
