"""The first screen: channels with what they stand for and whether it loads, jobs, the machine; and the ways out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from world import FINISHED, LOG, SPEC, half_way, screen_text, until, write_job, write_world

from engine.probe import Card, Host, Machine, Tenant
from liveavatar_tui import overview
from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.screens import home_text
from liveavatar_tui.screens.generate import GenerateScreen
from liveavatar_tui.screens.home import HomeScreen
from liveavatar_tui.screens.job import JobScreen
from liveavatar_tui.settings import Settings, load_settings
from liveavatar_tui.widgets.version_table import VersionTable
from lora_repository.repository import LoraRepository


@asynccontextmanager
async def home(settings: Settings, size: tuple[int, int] = (100, 30)) -> AsyncIterator[Pilot[int]]:
    """The app on its first screen, everything looked at."""
    app = LiveAvatarApp(settings, host="gpu-07")
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, HomeScreen) and "memory" in screen_text(app))
        await until(pilot, lambda: "checking" not in screen_text(app))
        yield pilot


def line(pilot: Pilot[int], word: str) -> str:
    return next(line for line in screen_text(pilot.app).splitlines() if word in line)


async def test_channels_say_what_they_stand_for_and_whether_it_loads(tmp_path: Path) -> None:
    async with home(write_world(tmp_path)) as pilot:
        assert "v1.0_product_demo" in line(pilot, "PRODUCTION") and "ok" in line(pilot, "PRODUCTION")
        assert "v2.2_customer_service_calm" in line(pilot, "staging")
        assert "v2.1_customer_service" in line(pilot, "default") and "→ latest" in line(pilot, "default")


async def test_who_switched_when_and_why(tmp_path: Path) -> None:
    settings = write_world(tmp_path)
    LoraRepository(tmp_path / "lora", lambda _path: _Proof()).activate("v1.0_product_demo", "ticket 812")  # type: ignore[arg-type,return-value]
    async with home(settings, (200, 30)) as pilot:
        told = line(pilot, "│  latest ")
        assert "v1.0_product_demo" in told and "since" in told and "ticket" in told


class _Proof:
    ok = True
    findings = ()


@pytest.mark.parametrize(("production", "told"), [("v2.0_winter_campaign", "✗ error"), ("v9.9_gone", "✗ ")])
async def test_what_would_not_load_is_said_at_once(tmp_path: Path, production: str, told: str) -> None:
    write_world(tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace("production: v1.0_product_demo", f"production: {production}"))
    async with home(load_settings(config, environ={})) as pilot:
        assert told in line(pilot, "PRODUCTION")


async def test_a_channel_that_is_not_set_says_so(tmp_path: Path) -> None:
    write_world(tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace("  production: v1.0_product_demo\n", ""))
    async with home(load_settings(config, environ={})) as pilot:
        assert "not set" in line(pilot, "PRODUCTION")


async def test_running_jobs_stand_first_and_enter_opens_one(tmp_path: Path) -> None:
    settings = write_world(tmp_path)
    write_job(settings.jobs_folder(), "20260314-092700-bbbbbb", SPEC, [*half_way(), FINISHED], LOG)
    write_job(settings.jobs_folder(), "20260314-092600-aaaaaa", SPEC, half_way(), LOG)
    async with home(settings) as pilot:
        await until(pilot, lambda: "1 running" in screen_text(pilot.app))
        text = screen_text(pilot.app)
        assert text.index("● running") < text.index("✓ done")
        await pilot.press("tab", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, JobScreen))


async def test_enter_on_a_channel_leads_to_its_version_and_n_to_the_form(tmp_path: Path) -> None:
    async with home(write_world(tmp_path)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen.query(VersionTable))
        await until(pilot, lambda: pilot.app.screen.query_one(VersionTable).selected() == "v1.0_product_demo")
        await pilot.press("0", "j", "n")
        await until(pilot, lambda: isinstance(pilot.app.screen, GenerateScreen))
        await until(pilot, lambda: "staging" in screen_text(pilot.app))


async def test_the_cursor_walks_from_list_to_list(tmp_path: Path) -> None:
    settings = write_world(tmp_path)
    write_job(settings.jobs_folder(), "20260314-092600-aaaaaa", SPEC, half_way(), LOG)
    async with home(settings) as pilot:
        await until(pilot, lambda: "1 running" in screen_text(pilot.app))
        for key, focused in [("j", "channels")] * 3 + [("down", "jobs"), ("k", "channels")]:
            await pilot.press(key)
            assert pilot.app.focused is not None and pilot.app.focused.id == focused


async def test_one_key_leads_to_each_place(tmp_path: Path) -> None:
    async with home(write_world(tmp_path)) as pilot:
        for key, place in (("1", "versions"), ("0", "home"), ("3", "jobs"), ("4", "settings"), ("2", "generate")):
            await pilot.press(key)
            await until(pilot, lambda place=place: pilot.app.current_mode == place)
        await pilot.press("f6")
        await until(pilot, lambda: pilot.app.current_mode == "home")


async def test_a_new_user_sees_what_to_do(tmp_path: Path) -> None:
    async with home(write_world(tmp_path)) as pilot:
        assert "Press n" in screen_text(pilot.app)


def test_cards_are_told_with_who_holds_their_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = write_world(tmp_path)
    proc = tmp_path / "proc/77"
    proc.mkdir(parents=True)
    (proc / "comm").write_text("python3\x1b[31m\n")
    card = Card(0, "NVIDIA H100", "GPU-1", 80_000_000_000, 8_000_000_000, (9, 0), (Tenant(77, 71_000_000_000),))
    found = Machine(Host("h", 64 << 30, 32 << 30, None), (card,))
    assert [one.program for one in overview.owners(found, 0, tmp_path / "proc")] == ["python3\x1b[31m"]
    monkeypatch.setattr(overview, "machine", lambda: found)
    told = "\n".join(one.lead.plain + one.body.plain for one in home_text.machine_told(settings))
    assert "cuda:0" in told and "NVIDIA H100" in told and "8.0 GB of 80 GB free" in told
    assert "71 GB" in told and "process 77" in told and "\x1b" not in told
