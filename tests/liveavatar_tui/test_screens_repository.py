"""The versions screen on a real repository: what it shows, how it switches, what it survives."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input
from world import screen_text, until, write_version, write_world

from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.screens.dialogs import AskReason
from liveavatar_tui.screens.generate import GenerateScreen
from liveavatar_tui.screens.repository import RepositoryScreen
from liveavatar_tui.widgets.version_table import VersionTable
from lora_repository.repository import LoraRepository


@asynccontextmanager
async def opened(root: Path, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[int]]:
    """The app on the repository screen, everything proved."""
    app = LiveAvatarApp(write_world(root) if not (root / "config.yaml").exists() else _settings(root), host="gpu-07")
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: _proved(pilot))
        yield pilot


def _settings(root: Path):  # type: ignore[no-untyped-def]
    from liveavatar_tui.settings import load_settings

    return load_settings(root / "config.yaml", environ={})


def _screen(pilot: Pilot[int]) -> RepositoryScreen:
    screen = pilot.app.get_screen_stack("versions")[0]
    assert isinstance(screen, RepositoryScreen)
    return screen


def _proved(pilot: Pilot[int]) -> bool:
    screen = _screen(pilot)
    return bool(screen._listing.rows) and len(screen._proofs) == len(screen._listing.rows)


def _table(pilot: Pilot[int]) -> VersionTable:
    return _screen(pilot).query_one(VersionTable)


def _cells(pilot: Pilot[int], name: str) -> str:
    table = _table(pilot)
    return " | ".join(cell.plain for cell in table.get_row(name))


async def test_versions_with_channels_proofs_and_ranks(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        assert _table(pilot).row_names() == [
            "v2.2_customer_service_calm",
            "v2.1_customer_service",
            "v2.0_winter_campaign",
            "v1.0_product_demo",
        ]
        assert "latest" in _cells(pilot, "v2.1_customer_service")
        assert "PRODUCTION" in _cells(pilot, "v1.0_product_demo")
        assert "staging" in _cells(pilot, "v2.2_customer_service_calm")
        assert "8 + 3" in _cells(pilot, "v2.2_customer_service_calm")
        assert "✓ ok" in _cells(pilot, "v2.1_customer_service")
        assert "✗ error" in _cells(pilot, "v2.0_winter_campaign")


async def test_details_say_what_is_wrong_and_what_mends_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("j", "j")
        text = screen_text(pilot.app)
        assert "would not load on" in text
        assert "LORA014" in text
        assert "→ sed -i" in text


async def test_activate_moves_latest_with_the_reason(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskReason))
        assert "v2.2_customer_service_calm" in screen_text(pilot.app)
        assert "default" in screen_text(pilot.app), "a channel that follows latest is named"
        await pilot.press(*"calmer")
        await pilot.press("enter")
        repository = LoraRepository(tmp_path / "lora")
        await until(pilot, lambda: str(repository.latest().name) == "v2.2_customer_service_calm")  # type: ignore[union-attr]
        assert repository.history()[-1].reason == "calmer"
        await until(pilot, lambda: "latest" in _cells(pilot, "v2.2_customer_service_calm"))


async def test_a_version_that_would_not_load_is_not_activated(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("down", "down", "a")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskReason))
        await pilot.press("enter")
        await until(pilot, lambda: "LORA044" in screen_text(pilot.app))
        assert (tmp_path / "lora/latest").readlink() == Path("v2.1_customer_service")


async def test_escape_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskReason))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RepositoryScreen))
        assert (tmp_path / "lora/latest").readlink() == Path("v2.1_customer_service")


async def test_roll_back_goes_where_latest_was(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("u")
        await until(pilot, lambda: "no earlier switch" in screen_text(pilot.app))
        for key in ("a", "enter"):
            await pilot.press(key)
            await pilot.pause()
        link = tmp_path / "lora/latest"
        await until(pilot, lambda: link.readlink() == Path("v2.2_customer_service_calm"))
        await until(pilot, lambda: _screen(pilot)._listing.previous == "v2.1_customer_service")
        await pilot.press("u")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskReason))
        await pilot.press("enter")
        await until(pilot, lambda: link.readlink() == Path("v2.1_customer_service"))


async def test_the_folder_is_watched(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await until(pilot, lambda: _screen(pilot)._watch is not None)
        write_version(tmp_path / "lora/v3.0_spring")
        await until(pilot, lambda: "v3.0_spring" in _table(pilot).row_names() and _proved(pilot))
        shutil.rmtree(tmp_path / "lora/v3.0_spring")
        await until(pilot, lambda: "v3.0_spring" not in _table(pilot).row_names())


async def test_the_selection_stays_when_rows_come_and_go(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("j")
        assert _table(pilot).selected() == "v2.1_customer_service"
        write_version(tmp_path / "lora/v9.0_newest")
        await pilot.press("r")
        await until(pilot, lambda: _table(pilot).row_names()[0] == "v9.0_newest" and _proved(pilot))
        assert _table(pilot).selected() == "v2.1_customer_service"


async def test_check_hashes_the_files(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("c")
        await until(pilot, lambda: "sha256 " in screen_text(pilot.app))


async def test_enter_opens_the_form_with_the_version(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("G", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, GenerateScreen))
        await until(pilot, lambda: pilot.app.screen.query("#prompt"))
        assert pilot.app.screen.query_one("#version").value == "v1.0_product_demo"  # type: ignore[attr-defined]
        assert pilot.app.screen.query_one("#prompt", Input).value


async def test_a_folder_without_versions_says_what_a_version_is(tmp_path: Path) -> None:
    settings = write_world(tmp_path)
    shutil.rmtree(tmp_path / "lora")
    (tmp_path / "lora").mkdir()
    async with LiveAvatarApp(settings, host="gpu-07").run_test(size=(100, 30)) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: "There is no version here yet" in screen_text(pilot.app))


async def test_a_missing_folder_says_how_to_make_it(tmp_path: Path) -> None:
    settings = write_world(tmp_path)
    shutil.rmtree(tmp_path / "lora")
    async with LiveAvatarApp(settings, host="gpu-07").run_test(size=(100, 30), notifications=True) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: "LORA041" in screen_text(pilot.app))
        assert "mkdir -p" in screen_text(pilot.app)


HOSTILE = ["a[foo]b", "[@click=app.quit]q", "x\x1b[31mRED\x1b]0;pwned\x07", "v1.0_\u202egnp", "\x9b31m", "[bold"]
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_folder_names_are_only_text(tmp_path: Path, name: str) -> None:
    settings = write_world(tmp_path)
    (tmp_path / "lora" / name).mkdir()
    (tmp_path / "lora/v1.0_product_demo" / f"{name}.safetensors").write_bytes(b"")
    async with LiveAvatarApp(settings, host="gpu-07").run_test(size=(100, 60)) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: _proved(pilot))
        await pilot.press("G")
        await until(pilot, lambda: "not named as versions" in screen_text(pilot.app))
        assert not UNSAFE.search(screen_text(pilot.app))


async def test_eighty_columns_show_everything_that_matters(tmp_path: Path) -> None:
    async with opened(tmp_path, (80, 24)) as pilot:
        text = screen_text(pilot.app)
        for word in ("v2.2_customer_service_calm", "staging", "PRODUCTION", "✓ ok", "✗ error", "a Activate", "q Quit"):
            assert word in text
