"""The app as a whole: what it imports, how one moves through it, its palette and its keys."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.widgets import Input
from world import SPEC, draw_frame, half_way, screen_text, until, write_job, write_world

import liveavatar_tui
from liveavatar_tui import keymap, keys
from liveavatar_tui.full_screen import LiveAvatarApp, QuietPalette
from liveavatar_tui.keys import show_key
from liveavatar_tui.screens.generate import GenerateScreen
from liveavatar_tui.screens.help import HelpScreen
from liveavatar_tui.screens.home import HomeScreen
from liveavatar_tui.screens.job import JobScreen
from liveavatar_tui.screens.jobs import JobsScreen
from liveavatar_tui.screens.repository import RepositoryScreen

PACKAGE = Path(liveavatar_tui.__file__).parent
HEAVY = {"torch", "transformers", "diffusers", "peft", "tokenizers"}
NOT_AT_START = HEAVY | {"av", "PIL", "numpy", "watchdog", "httpx", "huggingface_hub", "ruamel", "psutil"}


def modules_after(code: str, *arguments: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running the code."""
    tell = "\nimport sys; print(' '.join({name.split('.')[0] for name in sys.modules}))"
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    command = [sys.executable, "-c", code + tell, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    return set(ran.stdout.split())


def test_nothing_heavy_is_imported_at_the_start() -> None:
    assert not modules_after("import liveavatar_tui.app, liveavatar_tui.full_screen") & NOT_AT_START


EVERY_SCREEN = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from world import *
from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.messages import OpenJob
async def main():
    root = Path(sys.argv[1])
    settings = write_world(root)
    folder = write_job(settings.jobs_folder(), "20260314-092600-aaaaaa", SPEC, half_way(), LOG)
    draw_frame(folder.preview)
    app = LiveAvatarApp(settings, host="h")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "ok" in screen_text(app))
        await pilot.press("1")
        await until(pilot, lambda: app.screen.query("#versions"))
        await pilot.press("2")
        await until(pilot, lambda: "Ready" in screen_text(app))
        app.post_message(OpenJob(folder.root))
        await until(pilot, lambda: screen_text(app).count("▀") > 100)
asyncio.run(main())
"""


def test_no_screen_imports_torch(tmp_path: Path) -> None:
    loaded = modules_after(EVERY_SCREEN, str(tmp_path), str(Path(__file__).parent))
    assert not loaded & HEAVY
    assert {"av", "PIL"} <= loaded, "the screens have really been used"


async def test_the_places_and_the_way_back(tmp_path: Path) -> None:
    app = LiveAvatarApp(write_world(tmp_path), host="gpu-07")
    async with app.run_test() as pilot:
        for key, screen in (("3", JobsScreen), ("1", RepositoryScreen), ("2", GenerateScreen)):
            await pilot.press(key)
            await until(pilot, lambda screen=screen: isinstance(app.screen, screen))
        await pilot.press("f4")  # in a field digits are text; function keys still work
        await until(pilot, lambda: isinstance(app.screen, JobsScreen))
        await pilot.press("0")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        await pilot.press("q")
    assert app.return_code == 0


async def test_what_nobody_foresaw_is_said_and_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    app = LiveAvatarApp(write_world(tmp_path), host="gpu-07", examine=lambda _spec, _settings: 1 / 0)  # type: ignore[arg-type,return-value]
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: "Unexpected fault: ZeroDivisionError" in screen_text(app))
        assert "ZeroDivisionError" in (tmp_path / "state/liveavatar-tui/faults.log").read_text()
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RepositoryScreen))


async def test_three_leads_from_a_job_to_the_list(tmp_path: Path) -> None:
    app = LiveAvatarApp(write_world(tmp_path), host="gpu-07")
    write_job(app.settings.jobs_folder(), "20260314-092600-aaaaaa", SPEC, half_way())
    async with app.run_test() as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "running" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, JobScreen))
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, JobsScreen))


async def test_the_mouse_reaches_places_and_keys(tmp_path: Path) -> None:
    app = LiveAvatarApp(write_world(tmp_path), host="gpu-07")
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "✓ ok" in screen_text(app))
        line = screen_text(app).splitlines()[0]
        await pilot.click("TitleBar", offset=(line.index("Jobs"), 0))
        await until(pilot, lambda: isinstance(app.screen, JobsScreen))
        last = screen_text(app).splitlines()[-1]
        await pilot.click("KeyBar", offset=(last.index("Help"), 0))
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))


@pytest.mark.parametrize("place", ["0", "1", "2", "f4", "f7"])
async def test_help_lists_every_key_in_force_and_closes(tmp_path: Path, place: str) -> None:
    app = LiveAvatarApp(write_world(tmp_path), host="gpu-07")
    async with app.run_test(size=(100, 150)) as pilot:
        await pilot.press(place)
        await pilot.pause(0.3)
        below = app.screen
        in_force = [
            active.binding
            for active in below.active_bindings.values()
            if type(active.node).__module__.startswith("liveavatar_tui") and active.binding.id
        ]
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen) and "Keys" in screen_text(app))
        text = " ".join(screen_text(app).split())
        assert len(in_force) > 10
        for binding in in_force:
            words = (binding.tooltip or binding.description).split()
            assert words[0] in text and words[-1] in text, binding
            assert show_key(binding.key) in text, binding
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is below)


async def test_the_palette_finds_commands_of_app_and_screen(tmp_path: Path) -> None:
    app = LiveAvatarApp(write_world(tmp_path), host="gpu-07")
    async with app.run_test(size=(100, 40)) as pilot:
        await until(pilot, lambda: "✓ ok" in screen_text(app))
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, QuietPalette) and isinstance(app.focused, Input))
        assert not app.screen.query_one(Input).cursor_blink
        await pilot.press(*"jobs")
        await until(pilot, lambda: "All jobs, running and ended" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, JobsScreen))
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, QuietPalette) and isinstance(app.focused, Input))
        await pilot.press(*"settings")
        await until(pilot, lambda: "Every setting and where it comes from" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "settings")


async def test_other_themes_have_every_colour(tmp_path: Path) -> None:
    app = LiveAvatarApp(write_world(tmp_path), host="gpu-07")
    folder = write_job(app.settings.jobs_folder(), "20260314-092600-aaaaaa", SPEC, half_way())
    draw_frame(folder.preview)
    async with app.run_test() as pilot:
        for theme in ("liveavatar-light", "nord", "ansi-dark"):
            app.theme = theme
            for key in ("1", "3", "enter"):
                await pilot.press(key)
                await pilot.pause()
            await until(pilot, lambda: isinstance(app.screen, JobScreen) and "43%" in screen_text(app))
            await pilot.press("escape")


@pytest.mark.parametrize("size", [(60, 16), (20, 5), (1, 1)])
async def test_tiny_terminals_do_no_harm(tmp_path: Path, size: tuple[int, int]) -> None:
    settings = write_world(tmp_path)
    write_job(settings.jobs_folder(), "20260314-092600-aaaaaa", SPEC, half_way())
    app = LiveAvatarApp(settings, host="gpu-07")
    async with app.run_test(size=size) as pilot:
        for key in ("2", "f4", "enter", "escape", "1", "question_mark"):
            await pilot.press(key)
            await pilot.pause()
        await pilot.resize_terminal(100, 30)
        await until(pilot, lambda: isinstance(app.screen, HelpScreen) and "esc closes" in screen_text(app))


def test_every_key_has_an_id_of_its_own_and_no_screen_uses_a_key_twice() -> None:
    groups = [keymap.APP, keymap.LISTS, keymap.LOG, *(g for _n, g in keymap.SECTIONS), keymap.HELP, keymap.DIALOG]
    ids = [key.id for group in dict.fromkeys(groups) for key in group]
    assert len(ids) == len(set(ids))
    for own in (keymap.REPOSITORY, keymap.GENERATE, keymap.JOB, keymap.JOBS):
        used = [key for group in (own, keymap.APP) for entry in group for key in entry.keys.split(",")]
        assert len(used) == len(set(used))
        assert all(
            isinstance(binding, Binding) and binding.id and binding.description for binding in keys.bindings(own)
        )


@pytest.mark.parametrize(
    ("key", "shown"), [("ctrl+r", "^r"), ("question_mark", "?"), ("shift+tab", "shift+tab"), ("f5", "f5")]
)
def test_keys_are_written_as_people_write_them(key: str, shown: str) -> None:
    assert show_key(key) == shown


def test_no_text_is_put_together_as_markup() -> None:
    """Names from outside reach widgets as Content or Text; a plain f-string in one of these would be read as markup."""
    sinks = {"Static", "Label", "Button", "notify", "update", "from_markup", "add_row", "add_column"}
    for path in (*PACKAGE.glob("screens/*.py"), *PACKAGE.glob("widgets/*.py"), PACKAGE / "full_screen.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                first = node.args[0] if node.args else None
                unmarked = any(keyword.arg == "markup" for keyword in node.keywords)
                assert not (name in sinks and isinstance(first, ast.JoinedStr) and not unmarked), (
                    f"{path}:{node.lineno}"
                )
