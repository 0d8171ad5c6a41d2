"""The list of jobs with real folders, real keepers and stand-in engines: the queue by keys, notes, filter, pruning."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from pytest_textual_snapshot import SVGImageExtension
from standins import STANDIN, begin, enqueue, jobs_folder, running
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot
from textual.widgets import Input
from world import FINISHED, LOG, OUT_OF_MEMORY, SPEC, half_way, own_start, screen_text, until, write_job
from world import write_world as world_of

import liveavatar_tui.jobs.starting
from engine.job_folder import JobFolder
from engine.protocol import Phase, PhaseChanged
from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.jobs.queue import Waiting, change, read_line, turn
from liveavatar_tui.jobs.records import read_note, read_origin, write_note
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.watching import list_jobs, read_job
from liveavatar_tui.screens.dialogs import AskValue, Question
from liveavatar_tui.screens.generate import GenerateScreen
from liveavatar_tui.screens.jobs import JobsScreen
from liveavatar_tui.screens.pruning import PruneDialog
from liveavatar_tui.settings import Settings
from liveavatar_tui.widgets.job_table import JobTable
from lora_repository.i18n import set_language


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Zone, colours and language that do not depend on the machine."""
    for name, value in {"TZ": "UTC", "COLORTERM": "truecolor", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    time.tzset()
    set_language("en")
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Settings]:
    settings = world_of(tmp_path)
    with jobs_folder(settings.jobs_folder()):
        yield settings


@asynccontextmanager
async def opened(settings: Settings, sign: str, size: tuple[int, int] = (110, 30)) -> AsyncIterator[Pilot[int]]:
    """The app on the list of jobs, once `sign` stands there."""
    app = LiveAvatarApp(settings, host="gpu-07")
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.press("f4")
        await until(pilot, lambda: isinstance(app.screen, JobsScreen) and sign in screen_text(app))
        yield pilot


async def shows(pilot: Pilot[int], *words: str) -> None:
    await until(pilot, lambda: all(word in screen_text(pilot.app) for word in words))


async def choose(pilot: Pilot[int], job: JobFolder) -> None:
    """Put the cursor on a job."""
    table = pilot.app.screen.query_one(JobTable)
    table.move_cursor(row=table.row_names().index(job.root.name))
    await pilot.pause()


async def test_the_queue_by_keys(world: Settings) -> None:
    jobs_dir = world.jobs_folder()
    first = begin(jobs_dir, "steady")
    running(first)
    a, b, c = (enqueue(jobs_dir, "finishes") for _ in range(3))
    async with opened(world, "1 running, 3 waiting") as pilot:
        await shows(pilot, "waiting 1", "waiting 2", "waiting 3")
        await choose(pilot, c.folder)
        await pilot.press("K")
        await until(pilot, lambda: [one.id for one in read_line(jobs_dir)] == [a.id, c.id, b.id])
        await pilot.press("shift+up", "shift+down", "J")
        await until(pilot, lambda: [one.id for one in read_line(jobs_dir)] == [a.id, b.id, c.id])
        await choose(pilot, a.folder)
        await pilot.press("h")
        await shows(pilot, "held 1")
        await choose(pilot, b.folder)
        await pilot.press("x")  # nothing is lost: no question
        await shows(pilot, "cancelled", "left the queue")
        await choose(pilot, first.folder)
        await pilot.press("h")
        await shows(pilot, "Only a waiting job has a place")
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Question))
        await pilot.press("enter")
        await until(pilot, lambda: read_job(c.folder).state is State.DONE)
        await choose(pilot, a.folder)
        await pilot.press("h")
        await until(pilot, lambda: read_job(a.folder).state is State.DONE)
        await shows(pilot, "✓ done")


async def test_a_job_once_more(world: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveavatar_tui.jobs.starting.submit, "__kwdefaults__", {"command": STANDIN, "repeats": ""})
    stack = tuple(str(Path(world.lora.repository) / name) for name in ("v1.0_product_demo", "v2.1_customer_service"))
    spec = msgspec.structs.replace(
        SPEC,
        prompt="finishes",
        image=world.generate.image,
        audio=world.generate.audio,
        ckpt_dir=world.ckpt_dir,
        size="256*256",
        adapters=stack,
    )
    failed = write_job(world.jobs_folder(), "20260314-092500-bbbbbb", spec, [own_start(), OUT_OF_MEMORY])
    async with opened(world, "failed") as pilot:
        await pilot.press("r")
        await shows(pilot, "runs once more as", "✓ done")
        again = list_jobs(world.jobs_folder())[0]
        assert again.spec == spec and read_origin(again.folder) == failed.root.name
        await choose(pilot, failed)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, GenerateScreen))
        await shows(pilot, "v1.0_product_demo + v2.1_customer_service")


async def test_a_note(world: Settings) -> None:
    done = write_job(world.jobs_folder(), "20260314-092400-cccccc", SPEC, [*half_way(), FINISHED])
    async with opened(world, "✓ done") as pilot:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskValue))
        await pilot.press(*"[b]take", "enter")
        await shows(pilot, "“[b]take”")
        assert read_note(done) == "[b]take"
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskValue))
        assert pilot.app.screen.query_one(Input).value == "[b]take"
        await pilot.press("escape")
        assert read_note(done) == "[b]take"


async def test_filter_and_order(world: Settings) -> None:
    jobs = world.jobs_folder()
    write_job(jobs, "20260314-092400-cccccc", SPEC, [*half_way(), FINISHED])
    write_job(jobs, "20260314-092500-bbbbbb", SPEC, [own_start(), OUT_OF_MEMORY])
    async with opened(world, "✓ done") as pilot:
        await pilot.press("slash", *"state:failed")
        await shows(pilot, "1 of 2 fit state:failed")
        assert "✓ done" not in screen_text(pilot.app)
        await pilot.press("enter", "slash", *"[/x]", "enter")
        await shows(pilot, "No job fits")
        await pilot.press("escape")
        await shows(pilot, "✓ done", "failed")
        await pilot.press("s")
        await shows(pilot, "by state")
        text = screen_text(pilot.app)
        assert text.index("done") < text.index("failed")
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, JobsScreen))


async def test_pruning_shows_first_what_goes(world: Settings) -> None:
    jobs = world.jobs_folder()
    old = write_job(jobs, "20260310-000000-aaaaaa", SPEC, [*half_way(), FINISHED])
    kept = write_job(jobs, "20260311-000000-bbbbbb", SPEC, [*half_way(), FINISHED])
    fresh = write_job(jobs, "20260312-000000-cccccc", SPEC, [*half_way(), FINISHED])
    write_note(kept, "chosen")
    os.utime(fresh.spec, (time.time(),) * 2)
    async with opened(world, "✓ done") as pilot:
        await pilot.press("P")
        await until(pilot, lambda: isinstance(pilot.app.screen, PruneDialog))
        await shows(pilot, "1 job goes for good")
        await pilot.press("backspace", "x")
        await shows(pilot, "expected a time such as 30d")
        await pilot.press("enter", "escape")
        assert all(folder.root.exists() for folder in (old, kept, fresh))
        await pilot.press("P")
        await shows(pilot, "1 job goes for good")
        await pilot.press("enter")
        await until(pilot, lambda: not old.root.exists())
        await shows(pilot, "1 job is deleted")
        assert kept.root.exists() and fresh.root.exists()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_pictures(world: Settings, snapshot: SnapshotAssertion, size: tuple[int, int]) -> None:
    jobs = world.jobs_folder()
    write_job(jobs, "20260314-092500-bbbbbb", SPEC, [own_start(), PhaseChanged(phase=Phase.LOADING), OUT_OF_MEMORY])
    write_note(write_job(jobs, "20260314-092400-cccccc", SPEC, [*half_way(), FINISHED]), "the take that was chosen")
    write_job(jobs, "20260314-092600-aaaaaa", SPEC, half_way(), LOG)
    evening = msgspec.structs.replace(SPEC, prompt="the same in the evening, warm light")
    waiting = [f"20260314-09270{n}-dddddd" for n in range(3)]
    for name in waiting:
        write_job(jobs, name, evening, [])
    line = tuple(Waiting(id=one, host="gpu-08", devices=("cpu",), held=one == waiting[1]) for one in waiting)
    with turn(jobs):  # of another host: no keeper of this one is sent for them
        change(jobs, lambda _: line)
    pictures = snapshot.use_extension(SVGImageExtension)
    async with opened(world, "1 running, 3 waiting", size) as pilot:
        await shows(pilot, "held 2")
        assert pilot.app.export_screenshot() == pictures(name="queue")
        await pilot.press("P")
        await shows(pilot, "1 job goes for good")
        assert pilot.app.export_screenshot() == pictures(name="prune")
        await pilot.press("escape", "slash", *"state:ended")
        await shows(pilot, "2 of 6 fit")
        assert pilot.app.export_screenshot() == pictures(name="filter")
    with turn(jobs):
        change(jobs, lambda _: ())
