"""SIGKILL for everything that belongs to a job: its session, its control group, and whatever carries its brand.

Each net has a hole that another closes: a process may leave the session (`setsid`), there may be no control group, and
a program may clear its environment. A signal goes through a pidfd to a process whose identity was checked after the
pidfd was opened: a number that was given to a stranger meanwhile cannot be hit. Knows no state.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from engine.identity import PROC, Identity, is_alive, own, start_time
from engine.job_folder import JobFolder
from liveavatar_tui.jobs import control_group
from liveavatar_tui.jobs.records import read_launch

BRAND: Final = "LIVEAVATAR_JOB"
"""Variable that every process of a job inherits, with the job's folder: found by it wherever it has gone."""
_SESSION_FIELD: Final = 3
"""Session id is field 6 of /proc/PID/stat; 3 fields stand between the command's closing bracket and it."""
_SWEEPS: Final = 5
_GONE_WITHIN_S: Final = 2.0


def sweep(folder: JobFolder, leader: Identity | None, proc: Path = PROC) -> int:
    """End what is left of the job; how many processes it hit. `leader` is the engine, dead or alive, if it is known."""
    hit = 0
    if leader is not None:
        hit += _kill_all(lambda: _session(leader, proc), proc)
    launch = read_launch(folder)
    if launch is not None and launch.cgroup and Path(launch.cgroup).name.endswith(folder.root.name):
        hit += control_group.end(Path(launch.cgroup))
    return hit + _kill_all(lambda: _branded(folder, proc), proc)


def _kill_all(members: Callable[[], Iterator[Identity]], proc: Path) -> int:
    """As often as there are any: a process may be forked while the list is read."""
    hit = 0
    for _sweep in range(_SWEEPS):
        found = [_kill(member, proc) for member in members()]
        hit += sum(found)
        if not any(found):
            break
    return hit


def _session(leader: Identity, proc: Path) -> Iterator[Identity]:
    """Living members of the session, the leader first.

    While any member lives the kernel gives the session's number to no new process; so where the number belongs to a
    process that is not the leader, the session is over. A leader that does not lead its session (an engine run by hand
    from a shell) goes alone.
    """
    if is_alive(leader, proc):
        yield leader
    holder = start_time(leader.pid, proc)
    if holder is not None and holder != leader.start_time:
        return
    for entry in proc.iterdir():
        if entry.name.isdigit() and int(entry.name) != leader.pid and _session_of(entry) == leader.pid:
            yield from _living(entry, leader, proc)


def _session_of(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_bytes().rpartition(b")")[2].split()[_SESSION_FIELD])
    except (OSError, IndexError):
        return None


def _branded(folder: JobFolder, proc: Path) -> Iterator[Identity]:
    """Living processes, of this user or all for root, whose environment names this job."""
    mark = os.fsencode(f"{BRAND}={folder.root}")
    me = own()
    for entry in proc.iterdir():
        if entry.name.isdigit() and int(entry.name) != me.pid and mark in _environment(entry):
            yield from _living(entry, me, proc)


def _environment(entry: Path) -> list[bytes]:
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _living(entry: Path, like: Identity, proc: Path) -> Iterator[Identity]:
    """The process behind an entry, on the host of another one."""
    began = start_time(int(entry.name), proc)
    member = Identity(int(entry.name), began or 0, like.boot_id, like.host)
    if is_alive(member, proc):
        yield member


def ask(who: Identity, grace_s: float, proc: Path = PROC) -> bool:
    """SIGTERM, and whether it was gone within the grace. A stopped process is woken: it cannot obey asleep."""
    handle = _open(who, proc)
    if handle is None:
        return True
    try:
        for number in (signal.SIGTERM, signal.SIGCONT):
            _send(handle, number)
        return _gone(handle, grace_s)
    finally:
        os.close(handle)


def _kill(who: Identity, proc: Path) -> bool:
    handle = _open(who, proc)
    if handle is None:
        return False
    try:
        _send(handle, signal.SIGKILL)
        _gone(handle, _GONE_WITHIN_S)
    finally:
        os.close(handle)
    return True


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
