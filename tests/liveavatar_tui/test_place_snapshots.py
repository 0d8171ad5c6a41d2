"""Pictures of home, settings, form, help and their dialogs, at two sizes and in two languages.

To accept changed pictures: `pytest tests/liveavatar_tui/test_place_snapshots.py --snapshot-update`, then look at them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_textual_snapshot import SVGImageExtension
from syrupy.assertion import SnapshotAssertion
from test_app_snapshots import _without_inputs, examine, same_everywhere
from world import FINISHED, LOG, OUT_OF_MEMORY, SPEC, half_way, own_start, screen_text, until, write_job, write_world

from engine.probe import Card, Host, Machine, Tenant
from liveavatar_tui import overview
from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.overview import DiskFact, Owner
from liveavatar_tui.screens.dialogs import AskValue, ChooseOne
from liveavatar_tui.screens.help import HelpScreen
from liveavatar_tui.widgets.rows import Rows
from lora_repository.i18n import set_language

__all__ = ["same_everywhere"]
GB = 10**9
CARDS = (
    Card(0, "NVIDIA H100 80GB HBM3", "GPU-1", 80 * GB, 71 * GB, (9, 0)),
    Card(1, "NVIDIA H100 80GB HBM3", "GPU-2", 80 * GB, 3 * GB, (9, 0), (Tenant(4711, 76 * GB),)),
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host with two cards, one of them taken; the same user and disk everywhere."""
    found = Machine(Host("gpu-07", 512 * GB, 431 * GB, None), CARDS)
    monkeypatch.setattr(overview, "machine", lambda: found)
    taken = (Owner(4711, 76 * GB, "python3", "li"),)
    monkeypatch.setattr(overview, "owners", lambda _found, index: taken if index else ())
    monkeypatch.setattr(overview, "disks", lambda _settings: (DiskFact(Path("/srv/jobs"), 2000 * GB, 1200 * GB),))
    monkeypatch.setattr(overview, "user", lambda: "op")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_every_place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
    size: tuple[int, int],
    language: str,
) -> None:
    set_language(language)
    monkeypatch.chdir(tmp_path)
    settings = write_world(tmp_path)
    (tmp_path / "config.yaml").write_text((tmp_path / "config.yaml").read_text().partition("generate:")[0])
    jobs = settings.jobs_folder()
    write_job(jobs, "20260314-092500-bbbbbb", SPEC, [own_start(), OUT_OF_MEMORY], LOG)
    write_job(jobs, "20260314-092400-cccccc", SPEC, [*half_way(), FINISHED], LOG)
    write_job(jobs, "20260314-092600-aaaaaa", SPEC, half_way(), LOG)
    app = LiveAvatarApp(_without_inputs(settings), host="gpu-07", examine=examine)
    pictures = snapshot.use_extension(SVGImageExtension)

    def picture(name: str) -> None:
        assert app.export_screenshot() == pictures(name=name)

    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "43%" in screen_text(app) and "cuda:0" in screen_text(app))
        await until(pilot, lambda: all("✓" in line for line in screen_text(app).splitlines()[2:6]))
        await pilot.pause(0.3)
        picture("home")
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.pause()
        picture("help")
        await pilot.press("escape", "4")
        await until(pilot, lambda: app.current_mode == "settings" and "lora.default" in screen_text(app))
        app.screen.query_one(Rows).select("policy.no_warnings")
        await until(pilot, lambda: "LIVEAVATAR_POLICY_NO_WARNINGS" in screen_text(app))
        await pilot.pause(0.2)
        picture("settings")
        app.screen.query_one(Rows).select("generate.seed")
        await until(pilot, lambda: "LIVEAVATAR_GENERATE_SEED" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, AskValue))
        await pilot.press("x", "enter")
        await until(pilot, lambda: "✗" in screen_text(app))
        await pilot.pause(0.2)
        picture("edit")
        await pilot.press("escape", "2")
        await until(pilot, lambda: app.current_mode == "generate" and app.screen.query("#checks-text"))
        await until(pilot, lambda: app.screen.query_one("#checks-text")._told)  # type: ignore[attr-defined]
        await until(pilot, lambda: "0:06" in screen_text(app))
        await pilot.pause(0.3)
        picture("generate")
        await pilot.press("ctrl+t")
        await until(pilot, lambda: isinstance(app.screen, ChooseOne))
        await pilot.pause(0.2)
        picture("stack")
