"""Pictures of versions, a switch and jobs, at two sizes and in two languages: one walk through the app for each.

To accept changed pictures: `pytest tests/liveavatar_tui/test_app_snapshots.py --snapshot-update`, then look at them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_textual_snapshot import SVGImageExtension
from syrupy.assertion import SnapshotAssertion
from world import FINISHED, LOG, OUT_OF_MEMORY, SPEC, draw_frame, half_way, own_start, screen_text, until, write_job
from world import write_world as write_whole_world

from engine.protocol import Phase, PhaseChanged
from engine.spec import RunSpec
from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.messages import OpenJob
from liveavatar_tui.preflight import Report, preflight
from liveavatar_tui.screens.job import JobScreen
from liveavatar_tui.screens.switch import SwitchDialog
from liveavatar_tui.settings import Settings
from lora_repository.i18n import set_language


@pytest.fixture(autouse=True)
def same_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Home, zone and colours that do not depend on the machine."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
    set_language("en")


def examine(spec: RunSpec, settings: Settings) -> Report:
    """The real preflight, without what differs from machine to machine: this folder, the disk, the memory."""
    report = preflight(spec, settings)
    root = str(Path(settings.ckpt_dir).parent)
    rows = [replace(row, value=row.value.replace(root, "/srv")) for row in report.rows if "memory" not in row.check]
    rows = [replace(row, detail="81 GB, 34 MB") if row.check == "place" else row for row in rows]
    return replace(report, rows=tuple(rows))


@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_every_screen(tmp_path: Path, snapshot: SnapshotAssertion, size: tuple[int, int], language: str) -> None:
    set_language(language)
    settings = write_whole_world(tmp_path)
    (tmp_path / "config.yaml").write_text((tmp_path / "config.yaml").read_text().partition("generate:")[0])
    jobs = settings.jobs_folder()
    failed = write_job(
        jobs, "20260314-092500-bbbbbb", SPEC, [own_start(), PhaseChanged(phase=Phase.LOADING), OUT_OF_MEMORY], LOG
    )
    done = write_job(jobs, "20260314-092400-cccccc", SPEC, [*half_way(), FINISHED], LOG)
    running = write_job(jobs, "20260314-092600-aaaaaa", SPEC, half_way(), LOG)
    draw_frame(running.preview)
    app = LiveAvatarApp(_without_inputs(settings), host="gpu-07", examine=examine)
    pictures = snapshot.use_extension(SVGImageExtension)

    def picture(name: str) -> None:
        assert app.export_screenshot() == pictures(name=name)

    async with app.run_test(size=size) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: screen_text(app).count("✓ ") >= 4 and "✗" in screen_text(app))
        await pilot.press("j")
        await until(pilot, lambda: "v2.1_customer_service" in app.screen.query_one("#details").text)  # type: ignore[attr-defined]
        picture("versions")
        await pilot.press("k", "a")
        await until(pilot, lambda: isinstance(app.screen, SwitchDialog) and app.screen._plans)
        await until(pilot, lambda: "v2.2_customer_service_calm" in screen_text(app))
        await pilot.pause(0.2)
        picture("activate")
        await pilot.press("escape")
        for name, folder, sign in (
            ("running", running, "▀▀▀▀"),
            ("failed", failed, "RUN040"),
            ("done", done, "output.mp4"),
        ):
            app.post_message(OpenJob(folder.root))
            await until(pilot, lambda sign=sign: isinstance(app.screen, JobScreen) and sign in screen_text(app))
            await until(pilot, lambda: LOG.splitlines()[-1] in screen_text(app) or size[0] < 100)
            await pilot.pause(0.3)
            picture(name)
            await pilot.press("escape")


def _without_inputs(settings: Settings) -> Settings:
    from liveavatar_tui.settings import load_settings

    assert settings.file is not None
    return load_settings(settings.file, environ={})
