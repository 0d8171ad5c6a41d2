"""Pictures of what a job's screen turns into: seeking in its log, the frame alone, two jobs, a still.

To accept changed pictures: `pytest tests/liveavatar_tui/test_job_snapshots.py --snapshot-update`, then look at them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from pytest_textual_snapshot import SVGImageExtension
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot
from world import FINISHED, LOG, SPEC, draw_frame, half_way, screen_text, until, write_job, write_world

from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.messages import OpenJob
from liveavatar_tui.screens.side_by_side import SideBySide
from liveavatar_tui.screens.still import StillScreen
from liveavatar_tui.widgets.preview import FramePreview


@pytest.fixture(autouse=True)
def same_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Home, zone and colours that do not depend on the machine."""
    for name, value in (("HOME", str(tmp_path)), ("TZ", "UTC"), ("COLORTERM", "truecolor"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)


def whole(pilot: Pilot[int], *files: Path) -> Callable[[], bool]:
    """Whether the frames that are shown are drawn to the last detail."""
    from liveavatar_tui.terminal.capabilities import PictureMode
    from liveavatar_tui.widgets.half_blocks import load

    def drawn() -> bool:
        previews = [preview for preview in pilot.app.screen.query(FramePreview) if preview.picture.size]
        if len(previews) < len(files):
            return False
        for preview, file in zip(previews, files, strict=False):
            shown = preview.picture.shown
            wanted = load(file, *preview.box, PictureMode.TRUECOLOR)
            if shown is None or shown.pixels.shape != wanted.pixels.shape or (shown.pixels != wanted.pixels).any():
                return False
        return True

    return drawn


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_the_faces_of_a_job(tmp_path: Path, snapshot: SnapshotAssertion, size: tuple[int, int]) -> None:
    settings = write_world(tmp_path)
    jobs = settings.jobs_folder()
    other = msgspec.structs.replace(SPEC, seed=7, label="v2.2_customer_service_calm", adapters=("/srv/lora/v2.2",))
    older = write_job(jobs, "20260314-092500-bbbbbb", other, [*half_way(), FINISHED])
    draw_frame(older.last, mouth=36)
    running = write_job(jobs, "20260314-092600-aaaaaa", SPEC, half_way(), LOG)
    draw_frame(running.preview)
    app = LiveAvatarApp(settings, host="gpu-07")
    pictures = snapshot.use_extension(SVGImageExtension)

    async with app.run_test(size=size) as pilot:
        app.post_message(OpenJob(running.root))
        await until(pilot, lambda: LOG.splitlines()[-1][:20] in screen_text(app))
        await until(pilot, whole(pilot, running.preview))
        await pilot.press("slash", *"block 1")
        await until(pilot, lambda: " 4" in screen_text(app).splitlines()[-2])
        await pilot.pause(0.5)
        assert app.export_screenshot() == pictures(name="seeking")
        await pilot.press("escape", "z")
        await until(pilot, whole(pilot, running.preview))
        assert app.export_screenshot() == pictures(name="zoomed")
        await pilot.press("z", "c")
        await until(pilot, lambda: isinstance(app.screen, SideBySide) and "/srv/lora/v2.2" in screen_text(app))
        await until(pilot, whole(pilot, running.preview, older.last))
        assert app.export_screenshot() == pictures(name="two jobs")
        await pilot.press("escape", "s")
        await until(pilot, lambda: isinstance(app.screen, StillScreen))
        await until(pilot, whole(pilot, running.preview))
        await pilot.pause(0.2)
        assert app.export_screenshot() == pictures(name="still")
