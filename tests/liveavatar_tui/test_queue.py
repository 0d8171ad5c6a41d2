"""The queue with real keepers and real stand-in engines: order, devices, memory, and the death of anybody in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins import STANDIN, alive, begin, enqueue, jobs_folder, keeper, kept, kill, over, running, spec, until

from engine.identity import own
from engine.job_folder import JobFolder
from engine.probe import probe_host
from liveavatar_tui.jobs import queue
from liveavatar_tui.jobs.cancelling import Outcome, cancel
from liveavatar_tui.jobs.devices import Claim, busy
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.queue import Line, Waiting, queue_path, read_line, rearrange, turn
from liveavatar_tui.jobs.records import keeper_lock, read_exit, read_launch
from liveavatar_tui.jobs.starting import attend, start, submit
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.watching import list_jobs, read_job
from lora_repository.finding import Problem

HERE = own().host


@pytest.fixture
def jobs_dir(tmp_path: Path) -> Iterator[Path]:
    with jobs_folder(tmp_path / "jobs") as folder:
        yield folder


def waits(job: Job) -> bool:
    return read_job(job.folder).state is State.WAITING


def began(job: Job) -> float:
    return read_job(job.folder).story.began_mono


# --- as a value


def line_of(*names: str, devices: tuple[str, ...] = ("cpu",)) -> Line:
    return tuple(Waiting(id=name, host=HERE, devices=devices) for name in names)


def names(line: Line) -> str:
    return "".join(one.id for one in line)


@pytest.mark.parametrize(
    ("place", "after"), [(1, "cabd"), (2, "acbd"), (3, "abcd"), (4, "abdc"), (99, "abdc"), (-5, "cabd")]
)
def test_a_place_is_counted_from_1_and_bounded(place: int, after: str) -> None:
    assert names(queue.moved(line_of(*"abcd"), "c", place)) == after


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.sampled_from("abcdefx"), st.integers(-9, 9))
def test_moving_loses_nobody(members: list[str], job: str, place: int) -> None:
    line = line_of(*members)
    after = queue.moved(line, job, place)
    assert sorted(names(after)) == sorted(members)
    assert names(queue.without(after, job)) == names(queue.without(line, job))


def test_only_who_wants_the_same_device_is_ahead() -> None:
    line = (
        *line_of("a", devices=("x", "y")),
        *line_of("b", devices=("z",)),
        *line_of("c", devices=("y",)),
        Waiting(id="d", host="elsewhere", devices=("y",)),
        *line_of("e", devices=("y", "z")),
    )
    ahead = {name: names(queue.ahead(line, name)) for name in "abcef"}
    assert ahead == {"a": "", "b": "", "c": "a", "e": "abc", "f": ""}
    assert names(queue.ahead(queue.holding(line, "a", held=True), "e")) == "bc"


def test_every_waiting_job_has_somebody_who_looks_after_it() -> None:
    for count in range(2, 6):
        line = line_of(*"abcdef"[:count])
        looked_at = {one.id for each in line for one in queue.neighbours(line, each.id)}
        assert looked_at == {one.id for one in line}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"waiting":[{"id":3}]}', b"\xff"])
def test_a_queue_that_cannot_be_read_is_empty(tmp_path: Path, content: bytes) -> None:
    queue_path(tmp_path).write_bytes(content)
    assert read_line(tmp_path) == ()


# --- with processes


def test_one_after_the_other_on_one_device(jobs_dir: Path) -> None:
    jobs = [enqueue(jobs_dir, "finishes") for _ in range(3)]
    until(lambda: all(over(job) for job in jobs))
    ended = [read_job(job.folder) for job in jobs]
    assert {job.state for job in ended} == {State.DONE}
    for before, after in pairwise(ended):
        assert before.story.mono < after.story.began_mono
    assert read_line(jobs_dir) == ()


def test_side_by_side_on_two_devices(jobs_dir: Path) -> None:
    one, two = enqueue(jobs_dir, "steady", "x"), enqueue(jobs_dir, "steady", "y")
    both = enqueue(jobs_dir, "steady", "x", "y")
    third = enqueue(jobs_dir, "finishes", "y")
    running(one), running(two)
    assert waits(both) and waits(third)
    assert [read_job(job.folder).place for job in (one, both, third)] == [None, 1, 2]
    cancel(two.folder, 10)
    time.sleep(1.2)  # the third could go now, and would starve the one that wants both
    assert waits(both) and waits(third)
    cancel(one.folder, 10)
    running(both)


def test_what_is_moved_goes_first_and_what_is_held_is_passed(jobs_dir: Path) -> None:
    first = enqueue(jobs_dir, "steady")
    a, b, c = (enqueue(jobs_dir, "finishes") for _ in range(3))
    rearrange(jobs_dir, c.id, lambda line, job: queue.moved(line, job, 1))
    rearrange(jobs_dir, a.id, lambda line, job: queue.holding(line, job, held=True))
    assert read_job(a.folder).state is State.HELD
    running(first)
    cancel(first.folder, 10)
    until(lambda: over(b) and over(c))
    assert began(c) < began(b)
    assert read_job(a.folder).state is State.HELD
    rearrange(jobs_dir, a.id, lambda line, job: queue.holding(line, job, held=False))
    until(lambda: read_job(a.folder).state is State.DONE)


def test_cancelled_while_it_waits(jobs_dir: Path) -> None:
    first, second = enqueue(jobs_dir, "steady"), enqueue(jobs_dir, "finishes")
    assert cancel(second.folder, 10) is Outcome.WITHDRAWN
    assert read_job(second.folder).state is State.CANCELLED
    assert cancel(second.folder, 10) is Outcome.NOT_RUNNING
    until(lambda: not kept(second.folder))
    cancel(first.folder, 10)
    assert read_job(second.folder).story.seq == -1, "its engine never ran"


def test_it_waits_until_its_memory_is_free(jobs_dir: Path) -> None:
    greedy = enqueue(jobs_dir, "finishes", "x", cpu=1 << 60)
    other = enqueue(jobs_dir, "finishes", "y", cpu=1)
    until(lambda: read_job(other.folder).state is State.DONE)
    assert waits(greedy) and not busy(jobs_dir, ("x",)), "it holds nothing while it waits for memory"


def test_memory_that_was_promised_is_not_promised_twice(jobs_dir: Path) -> None:
    """Two devices, one host memory: the stand-in never takes what it was let in for."""
    most = probe_host().available * 6 // 10
    one, two = enqueue(jobs_dir, "steady", "x", cpu=most), enqueue(jobs_dir, "finishes", "y", cpu=most)
    little = enqueue(jobs_dir, "finishes", "z", cpu=1)
    running(one)
    until(lambda: over(little))
    assert waits(two)
    cancel(one.folder, 10)
    until(lambda: read_job(two.folder).state is State.DONE)
    enqueue(jobs_dir, "finishes", "x")
    until(lambda: not read_line(jobs_dir))
    assert len(queue.read_promises(jobs_dir)) <= 2, "what has ended is forgotten"


def test_who_does_not_wait_cannot_be_moved(jobs_dir: Path) -> None:
    job = enqueue(jobs_dir, "steady")
    with pytest.raises(Problem) as refusal:
        rearrange(jobs_dir, job.id, lambda line, name: queue.moved(line, name, 1))
    assert refusal.value.finding.code == "JOB007"


def test_the_queue_goes_on_when_nobody_is_there(jobs_dir: Path) -> None:
    """The shell that asked for both jobs is killed with everything in its session."""
    script = (
        "import sys, time, pathlib; sys.path.insert(0, sys.argv[2])\n"
        "from standins import enqueue\nfolder = pathlib.Path(sys.argv[1])\n"
        "for _ in range(3): enqueue(folder, 'finishes')\n"
        "print('up', flush=True); time.sleep(60)"
    )
    shell = subprocess.Popen(
        [sys.executable, "-c", script, str(jobs_dir), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert shell.stdout is not None and shell.stdout.readline() == b"up\n"
    os.killpg(shell.pid, signal.SIGKILL)
    shell.communicate()
    until(lambda: [job.state for job in list_jobs(jobs_dir)] == [State.DONE] * 3)


def test_a_killed_keeper_is_replaced_by_its_neighbour(jobs_dir: Path) -> None:
    first = enqueue(jobs_dir, "steady")
    second, third = enqueue(jobs_dir, "finishes"), enqueue(jobs_dir, "finishes")
    dead = keeper(second.folder)
    kill(keeper(first.folder))  # so that only the third is left to look
    kill(dead)
    until(lambda: keeper(second.folder) != dead)
    assert waits(second) and waits(third)
    cancel(first.folder, 10)
    until(lambda: over(second) and over(third))
    assert began(second) < began(third)


def test_a_killed_keeper_is_replaced_by_that_of_the_running_job(jobs_dir: Path) -> None:
    first, second = enqueue(jobs_dir, "steady"), enqueue(jobs_dir, "finishes")
    running(first)
    kill(keeper(second.folder))
    until(lambda: kept(second.folder))
    cancel(first.folder, 10)
    until(lambda: read_job(second.folder).state is State.DONE)


def test_after_a_restart_whoever_looks_wakes_the_queue(jobs_dir: Path) -> None:
    """All keepers at once: as after a reboot."""
    first = enqueue(jobs_dir, "steady")
    second = enqueue(jobs_dir, "finishes")
    pids = [keeper(job.folder) for job in (first, second)]
    engine = running(first)
    for pid in (*pids, engine):
        kill(pid)
    assert read_job(first.folder).state is State.LOST and waits(second)
    assert attend(jobs_dir) == 1
    until(lambda: read_job(second.folder).state is State.DONE)
    assert attend(jobs_dir) == 0


def test_the_keeper_of_a_running_job_killed_does_not_touch_it_nor_free_its_device(jobs_dir: Path) -> None:
    first, second = enqueue(jobs_dir, "steady"), enqueue(jobs_dir, "finishes")
    running(first)
    kill(keeper(first.folder))
    assert read_job(first.folder).state is State.RUNNING and waits(second)
    cancel(first.folder, 10)
    until(lambda: read_job(second.folder).state is State.DONE)


def test_a_worker_that_outlives_its_engine_is_ended_before_the_next_job(jobs_dir: Path) -> None:
    """The engine is killed; its worker has left the session and ignores SIGTERM, as a hung rank would."""
    first, second = enqueue(jobs_dir, "leaves a daemon"), enqueue(jobs_dir, "finishes")
    engine = running(first)
    until(lambda: (first.folder.root / "daemon.pid").exists())
    daemon = int((first.folder.root / "daemon.pid").read_text())
    assert os.getsid(daemon) != engine
    kill(engine)
    until(lambda: read_job(second.folder).state is State.DONE)
    assert not alive(daemon)
    left = read_exit(first.folder)
    assert left is not None and left.status == -signal.SIGKILL


def test_without_the_queue_two_run_beside_each_other(jobs_dir: Path) -> None:
    one, two = begin(jobs_dir, "steady"), begin(jobs_dir, "steady")
    running(one), running(two)
    assert read_line(jobs_dir) == ()


def test_a_command_that_does_not_exist_fails_in_its_turn(jobs_dir: Path) -> None:
    job = submit(spec("x"), jobs_dir, Claim(), command=("/nowhere/python",))
    until(lambda: over(job))
    told = read_job(job.folder)
    assert told.state is State.FAILED and told.story.end is not None and told.story.end.code == "JOB003"
    assert read_line(jobs_dir) == ()


def test_a_deleted_folder_leaves_the_queue(jobs_dir: Path) -> None:
    first, second = enqueue(jobs_dir, "steady"), enqueue(jobs_dir, "finishes")
    kill(keeper(second.folder))
    for path in second.folder.root.iterdir():
        path.unlink()
    second.folder.root.rmdir()
    attend(jobs_dir)
    assert read_line(jobs_dir) == ()
    cancel(first.folder, 10)


def test_two_who_are_asked_to_keep_one_job_are_one(jobs_dir: Path) -> None:
    first, second = enqueue(jobs_dir, "steady"), enqueue(jobs_dir, "finishes")
    kill(keeper(second.folder))
    askers = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys, pathlib; from liveavatar_tui.jobs.starting import attend\n"
                "attend(pathlib.Path(sys.argv[1]))",
                str(jobs_dir),
            ]
        )
        for _ in range(2)
    ]
    assert [asker.wait() for asker in askers] == [0, 0]
    assert kept(second.folder)
    cancel(first.folder, 10)
    until(lambda: read_job(second.folder).state is State.DONE)
    assert read_job(second.folder).story.seq == 7, "it ran once"


def test_a_lock_that_somebody_sits_on_is_named(jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_PATIENCE_S", 0.1)
    with turn(jobs_dir), pytest.raises(Problem) as refusal, turn(jobs_dir):
        pass
    assert refusal.value.finding.code == "JOB005" and "fuser -v" in refusal.value.finding.fix


def test_keeper_and_engine_have_no_terminal_and_lead_their_sessions(jobs_dir: Path) -> None:
    job = enqueue(jobs_dir, "steady")
    for pid in (running(job), keeper(job.folder)):
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        assert (int(fields[2]), int(fields[3]), int(fields[4])) == (pid, pid, 0), "group, session, terminal"
    launch = read_launch(job.folder)
    assert launch is not None and launch.shelter.partition(" ")[0] in ("cgroup", "session", "scope")


def test_the_keepers_lock_file_is_private(jobs_dir: Path) -> None:
    job = enqueue(jobs_dir, "finishes")
    assert keeper_lock(JobFolder(job.folder.root)).stat().st_mode & 0o777 == 0o600


def test_a_keeper_of_another_kind_of_engine_replaces_one_with_the_right_engine(jobs_dir: Path) -> None:
    """A training runs, an inference waits and loses its keeper: what runs in its turn is an inference."""
    other = start(spec("steady"), jobs_dir, command=(*STANDIN, "--another-kind"))
    running(other)
    waiting = enqueue(jobs_dir, "finishes")
    kill(keeper(waiting.folder))
    until(lambda: kept(waiting.folder))
    cancel(other.folder, 10)
    until(lambda: read_job(waiting.folder).state is State.DONE)
    assert "--another-kind" not in waiting.folder.log.read_text()
