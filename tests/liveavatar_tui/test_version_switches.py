"""Channels moved from the app: what the dialog says, what lies on the disk after, undo, and two operators at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from version_walks import cells_of, opened, screen_of, told
from world import screen_text, until

from liveavatar_tui.deployment import Deployment
from liveavatar_tui.screens.repository import RepositoryScreen
from liveavatar_tui.screens.switch import SwitchDialog
from liveavatar_tui.settings import load_settings
from lora_repository.repository import LoraRepository

LATEST, CALM = "v2.1_customer_service", "v2.2_customer_service_calm"


async def asked(pilot: Pilot[Any], *keys: str) -> str:
    """Press the keys; what the dialog says once it has looked."""
    await pilot.press(*keys)
    await until(pilot, lambda: isinstance(pilot.app.screen, SwitchDialog) and pilot.app.screen._plans)
    return screen_text(pilot.app)


def said(root: Path, channel: str) -> str | None:
    return load_settings(root / "config.yaml", environ={}).channels().get(channel)


def operator(root: Path) -> Deployment:
    """Somebody else, at a command line."""
    return Deployment(load_settings(root / "config.yaml", environ={}))


async def test_latest_moves_with_the_reason_and_u_takes_it_back(tmp_path: Path) -> None:
    link, repository = tmp_path / "lora/latest", LoraRepository(tmp_path / "lora")
    async with opened(tmp_path) as pilot:
        text = await asked(pilot, "a")
        assert CALM in text and "default follows it and changes too" in text
        await pilot.press(*"calmer", "enter")
        await until(pilot, lambda: link.readlink() == Path(CALM))
        await until(pilot, lambda: "latest" in cells_of(pilot, CALM))
        assert repository.history()[-1].reason == "calmer"
        assert "u takes it back" in told(pilot)
        await pilot.press("u")
        await until(pilot, lambda: link.readlink() == Path(LATEST))
        await until(pilot, lambda: "latest" in cells_of(pilot, LATEST))
        assert repository.history()[-1].back_to == 0


async def test_production_asks_why_and_says_its_name(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await asked(pilot, "a")
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: "Say why" in screen_text(pilot.app))
        assert "· PRODUCTION" in screen_text(pilot.app)
        assert said(tmp_path, "production") == "v1.0_product_demo"
        await pilot.press(*"ticket 812", "enter")
        await until(pilot, lambda: said(tmp_path, "production") == CALM)
        await until(pilot, lambda: "PRODUCTION" in cells_of(pilot, CALM))
        await until(pilot, lambda: "PRODUCTION is " + CALM in told(pilot))
        await pilot.press("u")
        await until(pilot, lambda: said(tmp_path, "production") == "v1.0_product_demo")


async def test_a_version_that_would_not_load_is_refused_in_the_dialog(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        text = await asked(pilot, "down", "down", "a")
        assert "LORA044" in text
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, SwitchDialog)
        assert (tmp_path / "lora/latest").readlink() == Path(LATEST)


async def test_the_policy_speaks_before_the_switch(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        with (tmp_path / "config.yaml").open("a") as file:
            file.write("policy:\n  published: true\n")
        await asked(pilot, "a")
        await pilot.press("down", "down")
        await until(pilot, lambda: "LORA064" in screen_text(pilot.app))


async def test_escape_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await asked(pilot, "a")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RepositoryScreen))
        assert (tmp_path / "lora/latest").readlink() == Path(LATEST)
        assert not LoraRepository(tmp_path / "lora").history()


async def test_promote_pins_what_staging_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        assert "v1.0_product_demo" in await asked(pilot, "p")
        await pilot.press(*"two days", "enter")
        await until(pilot, lambda: said(tmp_path, "production") == CALM)


async def test_one_step_back_of_the_channel_that_is_chosen(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        operator(tmp_path).activate("staging", "v1.0_product_demo", "try")
        text = await asked(pilot, "b")
        assert "nowhere to go" in text, "latest was never switched"
        assert pilot.app.screen._plans[3].channel == "staging"  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: said(tmp_path, "staging") == CALM)


async def test_the_slower_of_two_operators_is_told_who_and_when(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await asked(pilot, "a")
        made = operator(tmp_path).activate("latest", "v1.0_product_demo", "faster")
        await pilot.press("enter")
        await until(pilot, lambda: "LORA056" in told(pilot))
        assert f"{made.time.astimezone():%H:%M:%S}" in told(pilot) and "generation 1" in told(pilot)
        assert (tmp_path / "lora/latest").readlink() == Path("v1.0_product_demo")
        await until(pilot, lambda: "latest" in cells_of(pilot, "v1.0_product_demo"))


async def test_undo_does_not_undo_somebody_elses_switch(tmp_path: Path) -> None:
    link = tmp_path / "lora/latest"
    async with opened(tmp_path) as pilot:
        await asked(pilot, "a")
        await pilot.press("enter")
        await until(pilot, lambda: link.readlink() == Path(CALM))
        operator(tmp_path).activate("latest", "v1.0_product_demo", "mine")
        await pilot.press("u")
        await until(pilot, lambda: "LORA056" in told(pilot))
        assert link.readlink() == Path("v1.0_product_demo")


async def test_nothing_to_undo_is_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("u")
        await until(pilot, lambda: "Nothing was done here" in told(pilot))


async def test_a_channel_changed_with_an_editor_shows_by_itself(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await until(pilot, lambda: screen_of(pilot)._watch is not None)
        config = tmp_path / "config.yaml"
        config.write_text(config.read_text().replace("production: v1.0_product_demo", f"production: {LATEST}"))
        await until(pilot, lambda: "PRODUCTION" in cells_of(pilot, LATEST))


async def test_an_environment_variable_that_outranks_the_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as pilot:
        monkeypatch.setenv("LIVEAVATAR_LORA_STAGING", "latest")
        await asked(pilot, "a")
        await pilot.press("up")
        await until(pilot, lambda: "LIVEAVATAR_LORA_STAGING" in screen_text(pilot.app))
