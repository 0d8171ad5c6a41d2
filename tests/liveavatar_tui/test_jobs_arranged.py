"""Jobs filtered, ordered, pruned and repeated: as values, and with folders on a disk."""

from __future__ import annotations

import os
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins import begin, jobs_folder, running
from world import FINISHED, OUT_OF_MEMORY, SPEC, half_way, own_start, write_base, write_job

from engine.job_folder import JobFolder
from engine.memory import HOST
from engine.memory.fits import fits
from engine.probe import Host, Machine
from engine.spec import RunSpec
from liveavatar_tui.commands import amounts
from liveavatar_tui.commands.jobs import ORDERS as NAMES
from liveavatar_tui.jobs import pruning
from liveavatar_tui.jobs.devices import PROCESSOR, Claim, claim, shortage
from liveavatar_tui.jobs.filtering import ORDERS, arranged, order, read_filter
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.queue import Waiting, change, turn
from liveavatar_tui.jobs.records import note_path, write_note
from liveavatar_tui.jobs.repeating import cheaper, spec_of
from liveavatar_tui.jobs.watching import Overview, list_jobs, read_job
from liveavatar_tui.paths import sample_audio, sample_image
from lora_repository.finding import Problem

DAY = 86400.0


@pytest.fixture
def jobs_dir(tmp_path: Path) -> Path:
    """One of each: done, failed, running, waiting, held."""
    folder = tmp_path / "jobs"
    winter = msgspec.structs.replace(SPEC, prompt="winter light", label="v1.0_product_demo")
    write_job(folder, "20260310-000000-aaaaaa", SPEC, [*half_way(), FINISHED])
    write_job(folder, "20260311-000000-bbbbbb", winter, [own_start(), OUT_OF_MEMORY])
    write_job(folder, "20260312-000000-cccccc", SPEC, half_way())
    waiting = ("20260313-000000-dddddd", "20260314-000000-eeeeee")
    for name in waiting:
        write_job(folder, name, winter, [])
    with turn(folder):
        change(
            folder,
            lambda _: tuple(Waiting(id=one, host="h", devices=("cpu",), held=one == waiting[1]) for one in waiting),
        )
    return folder


def letters(jobs: Iterator[Job] | object) -> str:
    return "".join(job.id[-1] for job in jobs)  # type: ignore[attr-defined]


# --- filter and order


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("", "cdeba"),
        ("state:failed", "b"),
        ("state:fai", "b"),
        ("STATE:Done", "a"),
        ("state:live", "cde"),
        ("state:queued", "de"),
        ("state:held state:done", "ea"),
        ("state:held,running", "ce"),
        ("state:", "cdeba"),
        ("version:v2.1", "ca"),
        ("version:v1 winter", "deb"),
        ("winter state:ended", "b"),
        ("20260312", "c"),
        ("chosen", "a"),
        ("nothing", ""),
        ("[/foo]", ""),
    ],
)
def test_what_is_typed_is_what_is_shown(jobs_dir: Path, typed: str, shown: str) -> None:
    write_note(JobFolder(jobs_dir / "20260310-000000-aaaaaa"), "the chosen take")
    assert letters(arranged(list_jobs(jobs_dir), read_filter(typed))) == shown


@given(st.text(max_size=40))
def test_nothing_that_can_be_typed_is_wrong(text: str) -> None:
    assert bool(read_filter(text)) or not read_filter(text).words


def test_every_order_has_every_job(jobs_dir: Path) -> None:
    assert tuple(one.name for one in ORDERS) == NAMES
    for name in NAMES:
        assert sorted(letters(arranged(list_jobs(jobs_dir), read_filter(""), order(name)))) == list("abcde")
    assert letters(arranged(list_jobs(jobs_dir), read_filter("state:ended"), order("state"))) == "ab"


# --- notes


def test_a_note_is_seen_by_who_watches_and_goes_when_it_is_empty(jobs_dir: Path) -> None:
    done = JobFolder(jobs_dir / "20260310-000000-aaaaaa")
    overview = Overview(jobs_dir)
    assert {job.note for job in overview.look()} == {""}
    write_note(done, "  chosen\u202e  ")
    assert [job.note for job in overview.look()][-1] == "chosen\u202e"
    assert note_path(done).stat().st_mode & 0o077 == 0 or (jobs_dir / done.root).stat().st_mode & 0o077 == 0
    write_note(done, " ")
    assert [job.note for job in overview.look()][-1] == "" and not note_path(done).exists()


# --- pruning


def weighed(jobs_dir: Path, **ages: float) -> tuple[pruning.Weighed, ...]:
    """All jobs, a million bytes each, dated so many days ago by their last letter."""
    for job in list_jobs(jobs_dir):
        days = ages.get(job.id[-1], 0.0)
        os.utime(job.folder.spec, (time.time() - days * DAY,) * 2)
    return tuple(pruning.Weighed(job, 10**6) for job in list_jobs(jobs_dir))


def test_what_is_old_goes_but_not_what_lives(jobs_dir: Path) -> None:
    jobs = weighed(jobs_dir, a=40, b=40, c=40, d=40, e=40)
    assert letters(one.job for one in pruning.plan(jobs, older_than_s=30 * DAY, limit=None).doomed) == "ab"
    jobs = weighed(jobs_dir, a=40, b=10)
    assert letters(one.job for one in pruning.plan(jobs, older_than_s=30 * DAY, limit=None).doomed) == "a"


def test_the_oldest_go_until_the_rest_is_small_enough(jobs_dir: Path) -> None:
    jobs = weighed(jobs_dir)
    plan = pruning.plan(jobs, older_than_s=None, limit=4 * 10**6)
    assert letters(one.job for one in plan.doomed) == "a" and (plan.total, plan.freed) == (5 * 10**6, 10**6)
    assert letters(one.job for one in pruning.plan(jobs, older_than_s=None, limit=0).doomed) == "ab"


def test_a_note_keeps_a_job_also_when_it_comes_at_the_last_moment(jobs_dir: Path) -> None:
    folders = {name: JobFolder(jobs_dir / name) for name in ("20260310-000000-aaaaaa", "20260311-000000-bbbbbb")}
    one, other = folders.values()
    write_note(one, "chosen")
    plan = pruning.plan(weighed(jobs_dir), older_than_s=None, limit=0)
    assert letters(one.job for one in plan.doomed) == "b"
    write_note(other, "this one too")
    assert pruning.carry_out(plan) == ()
    write_note(other, "")
    assert pruning.carry_out(plan) == (other.root.name,)
    assert not other.root.exists() and one.root.exists()
    assert pruning.carry_out(plan) == (), "it is gone already"


def test_a_deletion_that_was_interrupted_is_finished_by_the_next(jobs_dir: Path) -> None:
    root = jobs_dir / "20260310-000000-aaaaaa"
    root.rename(jobs_dir / f".pruned-{root.name}")
    assert letters(arranged(list_jobs(jobs_dir), read_filter(""))) == "cdeb"
    pruning.clear_remains(jobs_dir)
    assert not list(jobs_dir.glob(".pruned-*"))


def test_a_running_job_is_kept_whatever_its_age(tmp_path: Path) -> None:
    with jobs_folder(tmp_path / "jobs") as folder:
        job = begin(folder, "steady")
        running(job)
        os.utime(job.folder.spec, (0, 0))
        assert pruning.plan(pruning.weigh(list_jobs(folder)), older_than_s=1, limit=0).doomed == ()


# --- amounts


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 30 * DAY), ("12h", 43200), ("1.5 W", 10.5 * DAY), ("90m", 5400), ("7", 7 * DAY)]
)
def test_spans_are_read_as_people_type_them(text: str, seconds: float) -> None:
    assert amounts.span(text) == seconds


@pytest.mark.parametrize(
    ("text", "count"), [("20GB", 20 * 10**9), ("500 mb", 5 * 10**8), ("1.5tb", 15 * 10**11), ("7", 7)]
)
def test_sizes_are_read_as_people_type_them(text: str, count: int) -> None:
    assert amounts.size(text) == count


@given(st.text(max_size=20))
def test_any_other_amount_is_refused_in_words(text: str) -> None:
    for read in (amounts.span, amounts.size):
        try:
            assert read(text) >= 0
        except ArgumentTypeError as fault:
            assert "expected" in str(fault)


# --- once more, and room for it


def machine(free: int) -> Machine:
    return Machine(Host("here", 1 << 40, free, None), ())


def test_what_cannot_be_read_cannot_be_repeated(jobs_dir: Path) -> None:
    folder = JobFolder(jobs_dir / "20260310-000000-aaaaaa")
    assert spec_of(read_job(folder)) == SPEC
    folder.spec.write_text("{")
    with pytest.raises(Problem) as refusal:
        spec_of(read_job(folder))
    assert refusal.value.finding.code == "JOB010"


def test_a_cheaper_run_keeps_its_stack_and_needs_less(tmp_path: Path) -> None:
    spec = RunSpec(
        prompt="p",
        image=str(sample_image()),
        audio=str(sample_audio()),
        adapters=("/one", "/two"),
        ckpt_dir=str(write_base(tmp_path / "base")),
    )
    there = machine(1 << 40)
    changed, changes = cheaper(spec, there)
    assert changes and changed != spec and changed.adapters == spec.adapters
    assert fits(changed, there).devices[0].need < fits(spec, there).devices[0].need
    smallest = msgspec.structs.replace(spec, size="192*128", offload_model=True)
    with pytest.raises(Problem) as refusal:
        cheaper(smallest, there)
    assert refusal.value.finding.code == "JOB011"


def test_a_run_without_a_plan_waits_for_the_device_alone() -> None:
    assert claim(None, machine(1)) == Claim((HOST,), None) and PROCESSOR == HOST
    assert shortage({"cpu": 5}, machine(5)) is None
    short = shortage({"cpu": 5, "cuda:0": 1}, machine(5))
    assert short is not None and (short.device, short.free) == ("cuda:0", 0)
