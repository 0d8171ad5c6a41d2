"""Jobs whose engine is the stand-in: real processes that keep a folder as the engine does, ready at once."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.job_folder import JobFolder, lock_owner
from engine.spec import RunSpec
from liveavatar_tui.jobs.cancelling import cancel
from liveavatar_tui.jobs.devices import Claim
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.queue import read_line
from liveavatar_tui.jobs.records import keeper_lock, read_launch
from liveavatar_tui.jobs.starting import start, submit
from liveavatar_tui.jobs.watching import list_jobs, read_job

STANDIN = (sys.executable, str(Path(__file__).with_name("standin_engine.py")))


def spec(mood: str, **values: object) -> RunSpec:
    """A run of the stand-in, which behaves as the prompt says."""
    return RunSpec(prompt=mood, image="/i.png", audio="/a.wav", **values)  # type: ignore[arg-type]


def begin(jobs_dir: Path, mood: str) -> Job:
    """At once."""
    return start(spec(mood), jobs_dir, command=STANDIN)


def enqueue(jobs_dir: Path, mood: str, *devices: str, **needs: int) -> Job:
    """In the queue, for the processor unless devices are named."""
    return submit(spec(mood), jobs_dir, Claim(devices or ("cpu",), needs), command=STANDIN)


def until(condition: Callable[[], object], within_s: float = 30.0) -> None:
    """Nothing is judged by time but a hang."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def running(job: Job) -> int:
    """Wait until it works; its process number."""
    until(lambda: read_job(job.folder).story.progress)
    owner = lock_owner(job.folder.lock)
    assert owner
    return owner


def keeper(folder: JobFolder) -> int:
    """Wait until somebody keeps it; the process number."""
    until(lambda: lock_owner(keeper_lock(folder)))
    return lock_owner(keeper_lock(folder)) or 0


def kept(folder: JobFolder) -> bool:
    """Whether somebody keeps it."""
    return lock_owner(keeper_lock(folder)) is not None


def over(job: Job) -> bool:
    """Whether it has ended."""
    return not read_job(job.folder).state.live


def kill(pid: int) -> None:
    """Without a word, and gone with all its threads and locks when this returns."""
    handle = os.pidfd_open(pid)
    signal.pidfd_send_signal(handle, signal.SIGKILL)
    gone = select.poll()
    gone.register(handle, select.POLLIN)
    assert gone.poll(30_000), "it cannot be killed"
    os.close(handle)


def exists(pid: int) -> bool:
    """Whether there is such a process, zombies too."""
    return Path(f"/proc/{pid}").exists()


def alive(pid: int) -> bool:
    """Whether it runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def jobs_folder(path: Path) -> Iterator[Path]:
    """A jobs folder in which nothing runs in the end."""
    yield path
    for waiting in read_line(path):
        cancel(JobFolder(path / waiting.id), 0.1)
    for job in list_jobs(path):
        if read_launch(job.folder) is not None:
            cancel(job.folder, 0.1)
    until(lambda: not any(kept(job.folder) for job in list_jobs(path)))
