"""The versions screen on a real repository: what it shows, how it switches, what it survives."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from textual.widgets import Input
from version_walks import cells_of, opened, proved, screen_of, table_of
from world import screen_text, until, write_version, write_world

from liveavatar_tui.screens.generate import GenerateScreen


async def test_versions_with_channels_proofs_and_ranks(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        assert list(table_of(pilot).keys) == [
            "v2.2_customer_service_calm",
            "v2.1_customer_service",
            "v2.0_winter_campaign",
            "v1.0_product_demo",
        ]
        assert "latest" in cells_of(pilot, "v2.1_customer_service")
        assert "PRODUCTION" in cells_of(pilot, "v1.0_product_demo")
        assert "staging" in cells_of(pilot, "v2.2_customer_service_calm")
        assert "8 + 3" in cells_of(pilot, "v2.2_customer_service_calm")
        assert "✓ ok" in cells_of(pilot, "v2.1_customer_service")
        assert "✗ error" in cells_of(pilot, "v2.0_winter_campaign")


async def test_details_say_what_is_wrong_and_what_mends_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("j", "j")
        await until(pilot, lambda: "LORA014" in screen_text(pilot.app))
        text = screen_text(pilot.app)
        assert "would not load on" in text
        assert "LORA014" in text
        assert "→ sed -i" in text


async def test_the_folder_is_watched(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await until(pilot, lambda: screen_of(pilot)._watch is not None)
        write_version(tmp_path / "lora/v3.0_spring")
        await until(pilot, lambda: "v3.0_spring" in list(table_of(pilot).keys) and proved(pilot))
        shutil.rmtree(tmp_path / "lora/v3.0_spring")
        await until(pilot, lambda: "v3.0_spring" not in list(table_of(pilot).keys))


async def test_the_selection_stays_when_rows_come_and_go(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("j")
        assert table_of(pilot).selected() == "v2.1_customer_service"
        write_version(tmp_path / "lora/v9.0_newest")
        await pilot.press("r")
        await until(pilot, lambda: table_of(pilot).keys[0] == "v9.0_newest" and proved(pilot))
        assert table_of(pilot).selected() == "v2.1_customer_service"


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
    write_world(tmp_path)
    shutil.rmtree(tmp_path / "lora")
    (tmp_path / "lora").mkdir()
    async with opened(tmp_path, (100, 30), wait=False) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: "There is no version here yet" in screen_text(pilot.app))


async def test_a_missing_folder_says_how_to_make_it(tmp_path: Path) -> None:
    write_world(tmp_path)
    shutil.rmtree(tmp_path / "lora")
    async with opened(tmp_path, (100, 30), wait=False) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: "LORA041" in screen_text(pilot.app))
        assert "mkdir -p" in screen_text(pilot.app)


HOSTILE = ["a[foo]b", "[@click=app.quit]q", "x\x1b[31mRED\x1b]0;pwned\x07", "v1.0_\u202egnp", "\x9b31m", "[bold"]
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_folder_names_are_only_text(tmp_path: Path, name: str) -> None:
    write_world(tmp_path)
    (tmp_path / "lora" / name).mkdir()
    (tmp_path / "lora/v1.0_product_demo" / f"{name}.safetensors").write_bytes(b"")
    async with opened(tmp_path, (100, 60)) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: proved(pilot))
        await pilot.press("G")
        await until(pilot, lambda: "not named as versions" in screen_text(pilot.app))
        assert not UNSAFE.search(screen_text(pilot.app))


async def test_eighty_columns_show_everything_that_matters(tmp_path: Path) -> None:
    async with opened(tmp_path, (80, 24)) as pilot:
        text = screen_text(pilot.app)
        for word in ("v2.2_customer_service_calm", "staging", "PRODUCTION", "✓ ok", "✗ error", "a Switch", "q Quit"):
            assert word in text
