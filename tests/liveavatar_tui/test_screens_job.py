"""The job screens on real job folders: what they tell while it runs, how it ended, that nothing is held or stopped."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from textual.pilot import Pilot
from world import FINISHED, LOG, OUT_OF_MEMORY, SPEC, draw_frame, half_way, own_start, screen_text, until, write_job
from world import write_world as world_of

from engine.job_folder import JobFolder, Journal
from engine.protocol import AnyEvent, Failed, Phase, PhaseChanged, Progress, Warned, encode_line
from engine.spec import RunSpec
from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.jobs.starting import start
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.watching import read_job
from liveavatar_tui.messages import OpenJob
from liveavatar_tui.screens.dialogs import Question
from liveavatar_tui.screens.generate import GenerateScreen
from liveavatar_tui.screens.job import JobScreen
from liveavatar_tui.screens.jobs import JobsScreen
from liveavatar_tui.widgets.log_view import LogView
from liveavatar_tui.widgets.preview import FramePreview

STANDIN = (sys.executable, str(Path(__file__).with_name("standin_engine.py")))


@asynccontextmanager
async def opened(root: Path, folder: JobFolder, size: tuple[int, int] = (100, 30)) -> AsyncIterator[Pilot[int]]:
    """The app on the screen of one job."""
    app = LiveAvatarApp(world_of(root), host="gpu-07")
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        app.post_message(OpenJob(folder.root))
        await until(pilot, lambda: isinstance(app.screen, JobScreen) and app.screen._job is not None)
        yield pilot


def job_in(root: Path, events: Sequence[AnyEvent], log: str = LOG, spec: RunSpec = SPEC) -> JobFolder:
    return write_job(root / "jobs", "20260314-092600-aaaaaa", spec, events, log)


async def shows(pilot: Pilot[int], *words: str) -> None:
    await until(pilot, lambda: all(word in screen_text(pilot.app) for word in words))


async def test_a_running_job_tells_how_far_it_is(tmp_path: Path) -> None:
    folder = job_in(tmp_path, half_way())
    async with opened(tmp_path, folder) as pilot:
        await shows(
            pilot, "✓ Load", "● Generate", "○ Write", "43%", "block 12 of 28", "24.8 frames/s", "0:08", "running"
        )
        await shows(pilot, "412 MB", "peak 530 MB", "predicted 600 MB", "rank 4, strength 4, 24/24", "5.33, 10/10")
        await shows(pilot, "block 12 of 28: 12 frames", "v2.1_customer_service (latest)")


async def test_it_follows_journal_and_log(tmp_path: Path) -> None:
    folder = job_in(tmp_path, half_way())
    async with opened(tmp_path, folder) as pilot:
        await shows(pilot, "43%")
        with folder.events.open("ab") as file:
            file.write(encode_line(Progress(seq=10, block=21, blocks=28, frame=252, frames=336, fps=25.0, eta_s=3.4)))
        with folder.log.open("a") as file:
            file.write("a line that came later\n")
        await shows(pilot, "75%", "block 21 of 28", "a line that came later")


async def test_a_failure_shows_code_cause_fix_and_the_step(tmp_path: Path) -> None:
    folder = job_in(tmp_path, [own_start(), PhaseChanged(phase=Phase.LOADING), OUT_OF_MEMORY])
    async with opened(tmp_path, folder) as pilot:
        await shows(pilot, "✗ error RUN040", "Out of memory on cuda:0", "→ Choose a smaller --size", "✗ Load", "failed")


async def test_an_engine_that_vanished_is_called_lost(tmp_path: Path) -> None:
    gone = [event for event in half_way() if event.__class__.__name__ != "Started"]
    folder = job_in(tmp_path, [own_start().__class__(**{**_fields(own_start()), "start_time": 1}), *gone])
    async with opened(tmp_path, folder) as pilot:
        await shows(pilot, "lost", "✗ Generate", "RUN04")


def _fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


async def test_a_finished_job_names_its_video(tmp_path: Path) -> None:
    folder = job_in(tmp_path, [*half_way(), FINISHED])
    folder.output.write_bytes(b"mp4")
    async with opened(tmp_path, folder, (140, 30)) as pilot:
        await shows(pilot, "✓ Done", "output.mp4", "336 frames in 0:14", "100%", "done")
        await pilot.press("o")
        await shows(pilot, "Copied:")
        assert pilot.app.clipboard == str(folder.output)


def drawn(pilot: Pilot[int], name: str = "preview") -> bytes:
    picture = pilot.app.screen.query_one(f"#{name}", FramePreview).picture
    return b"" if picture.shown is None or not picture.size else picture.shown.pixels.tobytes()


async def test_frames_are_drawn_and_replaced(tmp_path: Path) -> None:
    folder = job_in(tmp_path, half_way())
    async with opened(tmp_path, folder) as pilot:
        assert not drawn(pilot)
        draw_frame(folder.preview)
        await until(pilot, lambda: drawn(pilot))
        preview = pilot.app.screen.query_one("#preview", FramePreview)
        assert preview.picture.size.width <= preview.box[0] and preview.picture.size.height <= preview.box[1]
        before = drawn(pilot)
        draw_frame(folder.preview, mouth=40)
        await until(pilot, lambda: drawn(pilot) != before)
        assert not drawn(pilot, "first")


async def test_a_torn_frame_is_no_frame(tmp_path: Path) -> None:
    folder = job_in(tmp_path, half_way())
    folder.preview.write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    async with opened(tmp_path, folder) as pilot:
        await shows(pilot, "43%")
        assert not drawn(pilot)


async def test_an_ended_job_shows_its_first_and_its_last_frame(tmp_path: Path) -> None:
    folder = job_in(tmp_path, [*half_way(), FINISHED])
    for path, mouth in ((folder.first, 5), (folder.last, 40)):
        draw_frame(path, mouth=mouth)
    async with opened(tmp_path, folder, (120, 40)) as pilot:
        await until(pilot, lambda: drawn(pilot) and drawn(pilot, "first"))
        await shows(pilot, "First frame", "Last frame")
        assert drawn(pilot) != drawn(pilot, "first")


async def test_the_frame_alone(tmp_path: Path) -> None:
    folder = job_in(tmp_path, half_way())
    async with opened(tmp_path, folder) as pilot:
        await pilot.press("z")
        await shows(pilot, "no frame yet")
        draw_frame(folder.preview)
        await until(pilot, lambda: drawn(pilot))
        width = pilot.app.screen.query_one("#preview", FramePreview).picture.size.width
        await pilot.press("z")
        await until(
            pilot, lambda: pilot.app.screen.query_one("#preview", FramePreview).picture.size.width > 1.4 * width
        )
        assert "block 12 of 28: 12 frames" not in screen_text(pilot.app)
        await pilot.press("z")
        await shows(pilot, "block 12 of 28: 12 frames")


async def test_two_jobs_side_by_side(tmp_path: Path) -> None:
    other = msgspec.structs.replace(SPEC, seed=7, prompt="[b]a man[/b]", adapters=("/srv/v1",))
    older = write_job(tmp_path / "jobs", "20260314-092500-bbbbbb", other, [*half_way(), FINISHED])
    write_job(tmp_path / "jobs", "20260314-092400-cccccc", SPEC, [*half_way(), FINISHED])
    folder = job_in(tmp_path, half_way())
    draw_frame(folder.preview)
    draw_frame(older.last, mouth=40)
    async with opened(tmp_path, folder, (120, 40)) as pilot:
        await pilot.press("c")
        await shows(
            pilot, "Differences", "seed: 420 → 7", "[b]a man[/b]", "adapters: none → /srv/v1", "running", "done"
        )
        await until(pilot, lambda: drawn(pilot, "left") and drawn(pilot, "right"))
        assert drawn(pilot, "left") != drawn(pilot, "right")
        assert "size" not in screen_text(pilot.app)
        await pilot.press("n")
        await shows(pilot, "None: the same was asked of both.", "cccccc")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, JobScreen))


async def test_a_job_alone_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    async with opened(tmp_path, job_in(tmp_path, half_way())) as pilot:
        await pilot.press("c")
        await shows(pilot, "no other job")


async def test_scrolling_up_stops_following_and_f_follows_again(tmp_path: Path) -> None:
    folder = job_in(tmp_path, half_way(), "".join(f"line {n}\n" for n in range(500)))
    async with opened(tmp_path, folder) as pilot:
        await shows(pilot, "line 499")
        await pilot.press("k", "k")
        log = pilot.app.screen.query_one(LogView)
        assert not log.follow
        with folder.log.open("a") as file:
            file.write("line 500\nline 501\n")
        await shows(pilot, "2 new lines")
        assert "line 501" not in screen_text(pilot.app)
        await pilot.press("f")
        await shows(pilot, "line 501")
        assert log.follow
        await pilot.press("g")
        await shows(pilot, "line 0 ")


async def test_leaving_leaves_the_job_running_and_x_stops_it(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    job = start(RunSpec(prompt="runs", image="/i.png", audio="/a.wav"), world.jobs_folder(), command=STANDIN)
    app = LiveAvatarApp(world, host="gpu-07")
    async with app.run_test() as pilot:
        app.post_message(OpenJob(job.folder.root))
        await until(pilot, lambda: isinstance(app.screen, JobScreen) and "running" in screen_text(app))
    assert read_job(job.folder).state is State.RUNNING
    async with opened(tmp_path / "again", job.folder) as pilot:
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Question))
        await pilot.press("escape", "x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Question))
        assert read_job(job.folder).state is State.RUNNING
        await pilot.press("enter")
        await shows(pilot, "cancelled")
    assert read_job(job.folder).state is State.CANCELLED


async def test_again_fills_the_form(tmp_path: Path) -> None:
    folder = job_in(tmp_path, half_way())
    async with opened(tmp_path, folder) as pilot:
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, GenerateScreen))
        await shows(pilot, SPEC.prompt[:30], "/srv/portrait.png")


HOSTILE = ["a[/foo]b", "[@click=app.quit]q[/]", "x\x1b[31mRED\x1b]0;pwned\x07", "\u202egnp", "\x9b31m\ufffd", "[bold"]
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")


async def test_hostile_text_from_a_job_is_only_text(tmp_path: Path) -> None:
    warnings = [Warned(code=text, message=text, fix=text) for text in HOSTILE]
    whole = " ".join(HOSTILE)
    spec = RunSpec(prompt=whole, image=f"/{whole}.png", audio="/a.wav", label=whole)
    folder = job_in(tmp_path, [own_start(), *warnings, Failed(code=whole, message=whole, fix=whole)], "", spec)
    folder.log.write_bytes("\n".join(HOSTILE).encode() + b"\n\xff\x9b31mraw\n")
    async with opened(tmp_path, folder, (150, 60)) as pilot:
        await shows(pilot, "✗ error", "a[/foo]b", "[@click=app.quit]q[/]", "xRED", "[bold", "raw")
        assert not UNSAFE.search(screen_text(pilot.app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, JobsScreen))
        await shows(pilot, "failed", "a[/foo]b")
        assert not UNSAFE.search(screen_text(pilot.app))


async def test_the_list_shows_all_and_enter_opens_one(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    write_job(world.jobs_folder(), "20260314-092400-cccccc", SPEC, [*half_way(), FINISHED])
    write_job(world.jobs_folder(), "20260314-092500-bbbbbb", SPEC, [own_start(), OUT_OF_MEMORY])
    running = write_job(world.jobs_folder(), "20260314-092600-aaaaaa", SPEC, half_way())
    app = LiveAvatarApp(world, host="gpu-07")
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, JobsScreen) and "● running" in screen_text(app))
        text = screen_text(app)
        assert text.index("running") < text.index("failed") < text.index("✓ done"), "newest first"
        assert "43%" in text and "a woman speaking" in text and "1 running" in text
        journal = Journal(running.events)
        journal._seq = 10
        journal.append(FINISHED)
        journal.close()
        await until(pilot, lambda: "running" not in screen_text(app))
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(app.screen, JobScreen) and "RUN040" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, JobsScreen))


async def test_no_job_yet_says_how_to_start_one(tmp_path: Path) -> None:
    app = LiveAvatarApp(world_of(tmp_path), host="gpu-07")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "No job yet" in screen_text(app))


async def test_a_spec_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    folder = write_job(world.jobs_folder(), "20260314-092400-cccccc", SPEC, half_way())
    folder.spec.write_text("{")
    os.utime(folder.spec, (1, 1))
    app = LiveAvatarApp(world, host="gpu-07")
    async with app.run_test(size=(120, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "cannot be read" in screen_text(app))
