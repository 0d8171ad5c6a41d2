"""Versions made from the app: folders, files of other tools, several joined; and what is fetched to this host."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import Input
from version_walks import opened, table_of, told
from world import ATTENTION, adapter, screen_text, until, write_tensors, write_version

from liveavatar_tui.screens.fetch import FetchDialog
from liveavatar_tui.screens.publish import PublishScreen
from liveavatar_tui.screens.repository import RepositoryScreen


async def publish(pilot, source: Path | str) -> PublishScreen:  # type: ignore[no-untyped-def]
    await pilot.press("n")
    await until(pilot, lambda: isinstance(pilot.app.screen, PublishScreen))
    screen = pilot.app.screen
    screen.query_one("#source", Input).value = str(source)
    await pilot.press("enter")
    await until(pilot, lambda: screen._candidate is not None and pilot.app.screen is screen)
    return screen


async def test_publishing_a_folder(tmp_path: Path) -> None:
    source = write_version(tmp_path / "training/calm")
    async with opened(tmp_path) as pilot:
        screen = await publish(pilot, source)
        assert screen.query_one("#name", Input).value == "v2.3_calm"
        assert not (tmp_path / "lora/v2.3_calm").exists()
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "lora/v2.3_calm").is_dir())
        await until(pilot, lambda: table_of(pilot).selected() == "v2.3_calm")


async def test_a_foreign_file_is_converted_and_its_alpha_asked_for(tmp_path: Path) -> None:
    source = tmp_path / "peft/adapter_model.safetensors"
    write_tensors(source, {f"diffusion_model.{name}": shape for name, shape in adapter(ATTENTION, 4).items()})
    async with opened(tmp_path) as pilot:
        screen = await publish(pilot, source)
        assert "LORA019" in screen.query_one("#report").text  # type: ignore[attr-defined]
        await pilot.press("4", "enter")
        await until(pilot, lambda: screen._candidate.converted)  # type: ignore[union-attr]
        await until(pilot, lambda: screen.query_one("#name", Input).value == "v2.3_adapter_model")
        await pilot.press("enter")
        config = tmp_path / "lora/v2.3_adapter_model/config.json"
        await until(pilot, config.exists)
        assert json.loads(config.read_text())["lora_alpha"] == 4
        record = json.loads((tmp_path / "lora/.liveavatar/published/v2.3_adapter_model.json").read_text())
        assert record["source"] == str(source), "not the conversion's own place"
        await until(pilot, lambda: isinstance(pilot.app.screen, RepositoryScreen))
        assert screen._scratch is not None and not screen._scratch.exists()


async def test_what_would_not_load_is_not_published(tmp_path: Path) -> None:
    source = write_version(tmp_path / "training/bad", said=8)
    async with opened(tmp_path) as pilot:
        screen = await publish(pilot, source)
        assert "LORA014" in screen.query_one("#report").text  # type: ignore[attr-defined]
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert len([*(tmp_path / "lora").iterdir()]) == 5


async def test_a_taken_number_is_refused(tmp_path: Path) -> None:
    source = write_version(tmp_path / "training/calm")
    async with opened(tmp_path) as pilot:
        screen = await publish(pilot, source)
        screen.query_one("#name", Input).value = "v2.2_other"
        await pilot.press("enter")
        await until(pilot, lambda: "LORA052" in told(pilot))


async def test_fetching_says_where_to_and_how_much_room_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    async with opened(tmp_path) as pilot:
        config = tmp_path / "config.yaml"
        config.write_text(config.read_text().replace("staging: v2.2_customer_service_calm", "staging: org/name"))
        await pilot.press("f")
        await until(pilot, lambda: isinstance(pilot.app.screen, FetchDialog))
        await until(pilot, lambda: "staging says org/name" in screen_text(pilot.app))
        assert "free" in screen_text(pilot.app)
        pilot.app.screen.query_one(Input).value = "latest"
        await until(pilot, lambda: "on this host already" in screen_text(pilot.app))
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, FetchDialog), "there is nothing to fetch"


async def test_two_adapters_are_joined_by_their_strengths(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await publish(pilot, "v2.1 + v1.0 * 0.5")
        assert "joined into one" in screen_text(pilot.app)
        await pilot.press("enter")
        made = tmp_path / "lora/v2.3_customer_service/config.json"
        await until(pilot, made.exists)
        assert json.loads(made.read_text())["dmd_rank"] == 8, "ranks add up"


async def test_a_strength_of_nothing_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        screen = await publish(pilot, "v2.1 * 0 + v1.0 * 0")
        assert "LORA069" in screen.query_one("#report").text  # type: ignore[attr-defined]
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert len([*(tmp_path / "lora").iterdir()]) == 5
