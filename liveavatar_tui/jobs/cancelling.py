"""Ending a job: out of the queue in one step; or a word, a grace, then force on everything that belongs to it."""

from __future__ import annotations

import contextlib
import time
from enum import StrEnum
from pathlib import Path

from engine.identity import PROC
from engine.job_folder import JobFolder
from liveavatar_tui import codes
from liveavatar_tui.jobs.job import Job, engine_identity
from liveavatar_tui.jobs.queue import change, entry, read_line, turn, without
from liveavatar_tui.jobs.records import write_cancel
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.sweeping import ask, sweep
from liveavatar_tui.jobs.watching import read_job

_KNOWN_WITHIN_S = 5.0


class Outcome(StrEnum):
    """How the end came."""

    NOT_RUNNING = "not running"
    WITHDRAWN = "withdrawn"
    """It waited, and left the queue."""
    ENDED = "ended"
    """It obeyed the signal."""
    FORCED = "forced"
    """It did not, and was killed."""


def cancel(folder: JobFolder, grace_s: float, *, proc: Path = PROC) -> Outcome:
    """End the job; blocks for at most `grace_s` and a moment.

    Raises `Problem` JOB004 for another host's job, JOB005 for one that waits in a queue that cannot be changed.
    """
    if withdraw(folder):
        return Outcome.WITHDRAWN
    job = _identified(folder, proc)
    identity = engine_identity(folder, job.story)
    if job.state is State.FOREIGN and identity is not None:
        raise codes.JOB_ELSEWHERE.problem(name=job.id, host=identity.host)
    if not job.state.live or identity is None:
        return Outcome.NOT_RUNNING
    with contextlib.suppress(OSError):  # a full disk must not keep anybody from ending what fills it
        write_cancel(folder)
    ended = ask(identity, grace_s, proc)
    sweep(folder, identity, proc)
    return Outcome.ENDED if ended else Outcome.FORCED


def withdraw(folder: JobFolder) -> bool:
    """Take the job out of the queue if it waits there; its keeper sees that and goes. Raises `Problem` JOB005."""
    jobs_dir, name = folder.root.parent, folder.root.name
    if entry(read_line(jobs_dir), name) is None:
        return False
    with turn(jobs_dir):
        if entry(read_line(jobs_dir), name) is None:
            return False  # its turn came a moment ago
        write_cancel(folder)
        change(jobs_dir, lambda line: without(line, name))
    return True


def _identified(folder: JobFolder, proc: Path) -> Job:
    """The job once it is known who runs it: a folder says so a moment after it is made."""
    until = time.monotonic() + _KNOWN_WITHIN_S
    while True:
        job = read_job(folder, proc=proc)
        if not job.state.live or engine_identity(folder, job.story) is not None or time.monotonic() > until:
            return job
        time.sleep(0.05)
