"""Who a process is: process number, start time, boot and host. Numbers alone are reused, the four together are not.

Linux only (/proc). Knows no job and no lock.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_FIELDS_BEFORE_START_TIME = 19
"""Start time is field 22 of /proc/PID/stat; 19 fields stand between the command's closing bracket and it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """`start_time` is in clock ticks since boot."""

    pid: int
    start_time: int
    boot_id: str
    host: str


def own() -> Identity:
    """This process."""
    pid = os.getpid()
    start = start_time(pid)
    assert start is not None, "a running process has a start time"
    return Identity(pid, start, boot_id(), socket.gethostname())


def start_time(pid: int, proc: Path = PROC) -> int | None:
    """Clock ticks since boot at which process `pid` started; None when there is no such process."""
    try:
        stat = (proc / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name may hold spaces and brackets: everything after the last bracket is plain.
    fields = stat.rpartition(b")")[2].split()
    return int(fields[_FIELDS_BEFORE_START_TIME])


def boot_id(proc: Path = PROC) -> str:
    """A random name that the kernel draws at every boot."""
    return (proc / "sys/kernel/random/boot_id").read_text().strip()


def is_alive(who: Identity, proc: Path = PROC) -> bool:
    """Whether that very process still runs; False on any host but its own, about which nothing is known here."""
    return (
        who.host == socket.gethostname()
        and who.boot_id == boot_id(proc)
        and start_time(who.pid, proc) == who.start_time
        and not _is_zombie(who.pid, proc)
    )


def is_stopped(pid: int, proc: Path = PROC) -> bool:
    """Whether the process sleeps until somebody wakes it: SIGSTOP, ctrl+Z, a debugger."""
    return _run_state(pid, proc) in (b"T", b"t")


def _is_zombie(pid: int, proc: Path) -> bool:
    return _run_state(pid, proc) in (b"Z", b"X", None)


def _run_state(pid: int, proc: Path) -> bytes | None:
    """Field 3 of /proc/PID/stat; None when there is no such process."""
    try:
        return (proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None
