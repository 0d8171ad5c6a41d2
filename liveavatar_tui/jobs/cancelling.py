"""Ending a job: a word, a grace, then force on everything that its session still runs.

A signal goes through a pidfd to a process whose identity was checked after the pidfd was opened: a number that was
given to a stranger meanwhile cannot be hit.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from engine.identity import PROC, Identity, is_alive, start_time
from engine.job_folder import JobFolder
from liveavatar_tui import codes
from liveavatar_tui.jobs.job import Job, engine_identity
from liveavatar_tui.jobs.records import write_cancel
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.watching import read_job

_SESSION_FIELD = 3
"""Session id is field 6 of /proc/PID/stat; 3 fields stand between the command's closing bracket and it."""
_SWEEPS = 5
_KNOWN_WITHIN_S = 5.0


class Outcome(StrEnum):
    """How the end came."""

    NOT_RUNNING = "not running"
    ENDED = "ended"
    """It obeyed the signal."""
    FORCED = "forced"
    """It did not, and was killed."""


def cancel(folder: JobFolder, grace_s: float, *, proc: Path = PROC) -> Outcome:
    """End the job; blocks for at most `grace_s` and a moment. Raises `Problem` JOB004 for another host's job."""
    job = _identified(folder, proc)
    identity = engine_identity(folder, job.story)
    if job.state is State.FOREIGN and identity is not None:
        raise codes.JOB_ELSEWHERE.problem(name=job.id, host=identity.host)
    if not job.state.live or identity is None:
        return Outcome.NOT_RUNNING
    write_cancel(folder)
    ended = _ask(identity, grace_s, proc)
    survivors = kill_session(identity, proc)
    return Outcome.ENDED if ended and not survivors else Outcome.FORCED


def _identified(folder: JobFolder, proc: Path) -> Job:
    """The job once it is known who runs it: a folder says so a moment after it is made."""
    until = time.monotonic() + _KNOWN_WITHIN_S
    while True:
        job = read_job(folder, proc=proc)
        if not job.state.live or engine_identity(folder, job.story) is not None or time.monotonic() > until:
            return job
        time.sleep(0.05)


def _ask(who: Identity, grace_s: float, proc: Path) -> bool:
    """SIGTERM, and whether it was gone within the grace."""
    handle = _open(who, proc)
    if handle is None:
        return True
    try:
        _send(handle, signal.SIGTERM)
        return _gone(handle, grace_s)
    finally:
        os.close(handle)


def kill_session(leader: Identity, proc: Path = PROC) -> int:
    """SIGKILL for the leader and for whatever runs in the session that it leads; how many it hit.

    A leader that does not lead its session (an engine run by hand from a shell) goes alone.
    """
    hit = 0
    for _sweep in range(_SWEEPS):  # a process may be forked while the list is read
        members = list(_session(leader, proc))
        for member in members:
            hit += _kill(member, proc)
        if not members:
            break
    return hit


def _session(leader: Identity, proc: Path) -> Iterator[Identity]:
    """Living members of the session, the leader first.

    While any member lives the kernel gives the session's number to no new process; so where the number belongs to a
    process that is not the leader, the session is over.
    """
    if is_alive(leader, proc):
        yield leader
    holder = start_time(leader.pid, proc)
    if holder is not None and holder != leader.start_time:
        return
    for entry in proc.iterdir():
        if entry.name.isdigit() and int(entry.name) != leader.pid and _session_of(entry) == leader.pid:
            began = start_time(int(entry.name), proc)
            member = Identity(int(entry.name), began or 0, leader.boot_id, leader.host)
            if is_alive(member, proc):
                yield member


def _session_of(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_bytes().rpartition(b")")[2].split()[_SESSION_FIELD])
    except (OSError, IndexError):
        return None


def _kill(who: Identity, proc: Path) -> int:
    handle = _open(who, proc)
    if handle is None:
        return 0
    try:
        _send(handle, signal.SIGKILL)
        _gone(handle, 2.0)
    finally:
        os.close(handle)
    return 1


def _open(who: Identity, proc: Path) -> int | None:
    """A handle on exactly that process, or None when it is gone."""
    try:
        handle = os.pidfd_open(who.pid)
    except ProcessLookupError:
        return None
    if not is_alive(who, proc):
        os.close(handle)
        return None
    return handle


def _send(handle: int, which: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(handle, which)
    except ProcessLookupError:
        return


def _gone(handle: int, within_s: float) -> bool:
    """Whether the process ended within the time."""
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    return bool(poller.poll(within_s * 1000))
