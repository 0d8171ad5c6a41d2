"""The engine dies, hangs or runs out of disk; the clock jumps; process numbers come again; systemd holds the job.

Where the engine itself is not the point it is the stand-in: a real process that keeps the folder as the engine does.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from standins import alive, begin, enqueue, keeper, kill, over, running, until
from survival import app, command, events, nothing_left, nothing_lost

from engine.identity import start_time
from engine.job_folder import Journal, read_journal
from engine.protocol import Failed, Progress
from liveavatar_tui.jobs import job as judging
from liveavatar_tui.jobs.cancelling import Outcome, cancel
from liveavatar_tui.jobs.ending import explain
from liveavatar_tui.jobs.records import read_launch
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.watching import list_jobs, read_job


def test_the_engine_killed_9(world: Path, jobs_dir: Path) -> None:
    job = enqueue(jobs_dir, "leaves a daemon")
    os.kill(running(job), signal.SIGKILL)
    until(lambda: over(job))
    nothing_left(job.folder)
    told = command(world, "jobs", "show", "last")
    assert told.returncode == 1 and "lost" in told.stdout and "SIGKILL" in told.stderr and "RUN044" in told.stderr
    numbers = [event.get("seq", 0) for event in events(job.folder)]
    assert numbers == list(range(len(numbers))), "what it had told is all there"
    assert not job.folder.output.exists()


def test_the_engine_stopped_in_front_of_the_user(world: Path, jobs_dir: Path) -> None:
    job = begin(jobs_dir, "steady")
    engine = running(job)
    with app(world) as terminal:
        terminal.wait_for("Home")
        terminal.send("3")
        terminal.wait_for("running")
        os.kill(engine, signal.SIGSTOP)
        terminal.wait_for("not responding")
        os.kill(engine, signal.SIGCONT)
        terminal.wait_for("● running")
        terminal.send("q")
    os.kill(engine, signal.SIGSTOP)
    until(lambda: read_job(job.folder).state is State.SILENT)
    assert cancel(job.folder, 20) is Outcome.ENDED, "asked to end it is woken first"
    assert read_job(job.folder).state is State.CANCELLED
    nothing_lost(job.folder)
    nothing_left(job.folder)


def test_an_engine_that_hangs_is_called_that_after_a_while(jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = begin(jobs_dir, "hangs")
    running(job)
    assert read_job(job.folder).state is State.RUNNING
    monkeypatch.setattr(judging, "_BLOCKS_MISSED", 0)
    monkeypatch.setattr(judging, "_QUIET_S", 0.2)
    until(lambda: read_job(job.folder).state is State.SILENT)
    finding = explain(read_job(job.folder))
    assert finding is not None and finding.code == "JOB008" and f"jobs cancel {job.id}" in finding.fix
    assert cancel(job.folder, 0.3) is Outcome.FORCED
    nothing_left(job.folder)


# --- the disk


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of its own; skips with the reason where none may be mounted."""
    place.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path) -> None:
    """Take the last byte."""
    with (place / "ballast").open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


def test_the_disk_full_while_the_engine_works(world: Path) -> None:
    """The real engine, and every byte taken once its first block is done."""
    with small_disk(world / "jobs", "4m") as disk:
        told = command(world, "run", "--num-clip", "3", "--force", "--json")
        assert told.returncode == 0, told.stderr
        (job,) = list_jobs(disk)
        until(lambda: read_job(job.folder).story.progress or over(job), 180)
        fill(disk)
        until(lambda: over(job), 180)
        ended = read_job(job.folder)
        assert ended.state is State.FAILED
        assert ended.story.end is not None and ended.story.end.code == "RUN042"
        nothing_lost(job.folder)
        nothing_left(job.folder)
        assert not job.folder.output.exists()
        shown = command(world, "jobs", "show", "last")
        assert shown.returncode == 1 and "RUN042" in shown.stderr
        (disk / "ballast").unlink()


def test_a_journal_that_fills_its_disk_loses_nothing_and_has_the_last_word(tmp_path: Path) -> None:
    """The engine's own journal, by itself, to the last byte of the last page."""
    with small_disk(tmp_path / "disk", "256k") as disk:
        path = disk / "events.jsonl"
        journal = Journal(path)
        told = 0
        with pytest.raises(OSError, match="No space left"):
            for told in range(10**6):
                journal.append(Progress(block=told, blocks=10**6, frame=1, frames=1, fps=1.0, eta_s=1.0))
        journal.append(Failed(code="RUN042", message="the disk is full"))
        journal.close()
        read = read_journal(path).events
        assert [event.seq for event in read] == list(range(told + 2))
        assert isinstance(read[-1], Failed)
        assert len(path.read_bytes().splitlines()) == told + 2, "no line is torn"


# --- the clock


@pytest.mark.parametrize("hours", [-3, 3])
def test_the_clock_set_while_it_runs(world: Path, jobs_dir: Path, hours: int) -> None:
    began = time.monotonic()
    job = begin(jobs_dir, f"sets the clock {hours}")
    until(lambda: over(job))
    took = time.monotonic() - began
    ended = read_job(job.folder)
    assert ended.state is State.DONE and 0 < ended.elapsed_s <= took
    walls = [event["time"] for event in events(job.folder)]
    assert (walls[-1] - walls[0]) / 3600 == pytest.approx(hours, abs=0.1), "the clock did jump"
    nothing_lost(job.folder)
    assert re.search(r"time +0:0\d", command(world, "jobs", "show", "last").stdout)


# --- process numbers


def with_number(pid: int) -> subprocess.Popen[bytes] | None:
    """A process that the kernel gives exactly this number, or None where it cannot be told to."""
    for _attempt in range(50):
        try:
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        except OSError:
            return None
        stranger = subprocess.Popen(["sleep", "600"])
        if stranger.pid == pid:
            return stranger
        stranger.kill()
        stranger.wait()
    return None


def test_a_process_number_that_came_again(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "steady")
    engine = running(job)
    for pid in (keeper(job.folder), engine):
        kill(pid)
    until(lambda: start_time(engine) is None)
    stranger = with_number(engine)
    if stranger is None:
        pytest.skip("the kernel does not let us choose process numbers (/proc/sys/kernel/ns_last_pid)")
    try:
        assert read_job(job.folder).state is State.LOST
        assert cancel(job.folder, 0.1) is Outcome.NOT_RUNNING
        assert alive(stranger.pid), "it is not ours to end"
    finally:
        stranger.kill()
        stranger.wait()


def test_two_who_cancel_at_once(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "deaf")
    running(job)
    outcomes: list[Outcome] = []
    both = [threading.Thread(target=lambda: outcomes.append(cancel(job.folder, 0.3))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(outcomes) == 2 and Outcome.FORCED in outcomes
    assert read_job(job.folder).state is State.CANCELLED
    nothing_left(job.folder)


# --- systemd

_IN_A_SCOPE = """
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system "/run/user/$(id -u)" && chmod 700 "/run/user/$(id -u)"
export XDG_RUNTIME_DIR="/run/user/$(id -u)"
"$1" --user --log-level=err & manager=$!
for _ in $(seq 100); do [ -S "$XDG_RUNTIME_DIR/systemd/private" ] && break; sleep 0.1; done
shift; "$@"; code=$?
kill "$manager"; wait "$manager"
exit $code
"""
_THERE = """
import sys, pathlib; sys.path.insert(0, sys.argv[2])
from standins import enqueue, running, keeper
from liveavatar_tui.jobs.cancelling import cancel
from liveavatar_tui.jobs.records import read_launch
job = enqueue(pathlib.Path(sys.argv[1]), "leaves a daemon")
pids = [running(job), keeper(job.folder)]
print(read_launch(job.folder).shelter)
for pid in pids:
    print(pathlib.Path(f"/proc/{pid}/cgroup").read_text().replace("\\n", " "))
print(cancel(job.folder, 10))
"""


def test_a_user_manager_of_systemd_holds_the_job(world: Path, jobs_dir: Path) -> None:
    """A real one, in a private mount namespace where /run says that systemd is there."""
    systemd = shutil.which("systemd", path="/lib/systemd:/usr/lib/systemd")
    if systemd is None or shutil.which("systemd-run") is None:
        pytest.skip("no systemd here (apt install systemd)")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace may be made here")
    there = [sys.executable, "-c", _THERE, str(jobs_dir), str(Path(__file__).parents[1] / "liveavatar_tui")]
    apart = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _IN_A_SCOPE, "sh", systemd]
    told = subprocess.run([*apart, *there], capture_output=True, text=True, check=False, timeout=120)
    if "liveavatar" not in told.stdout and "Failed" in told.stderr:
        pytest.skip(f"no user manager runs here: {told.stderr.strip().splitlines()[-1]}")
    shelter, engine, its_keeper, outcome = told.stdout.splitlines()
    (job,) = list_jobs(jobs_dir)
    scope = shelter.removeprefix("scope ")
    assert scope.startswith(f"liveavatar-{job.id}-") and scope.endswith(".scope")
    assert scope in engine and scope in its_keeper and outcome == "ended"
    launch = read_launch(job.folder)
    assert launch is not None and scope in launch.cgroup, "a group for the engine alone, inside the scope"
    nothing_left(job.folder)
