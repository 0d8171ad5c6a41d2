"""A control group of its own for an engine, where the kernel lets us make one: nothing that it starts gets out of it.

A process can leave its session and its parent, not its control group. Version 2 only (`cgroup.kill` ends all members in
one step). On a plain login the groups belong to root and `enter` answers None: session and parent must do then. Knows
no job.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engine.identity import PROC

_EMPTY_WITHIN_S: Final = 2.0


def own_group(proc: Path = PROC) -> Path | None:
    """Folder of this process's group; None without version 2."""
    root = next((root for root in _roots(proc)), None)
    for line in _lines(proc / "self/cgroup"):
        number, _controllers, path = line.split(":", 2)
        if number == "0" and root is not None:
            return root / path.lstrip("/")
    return None


def _roots(proc: Path) -> Iterator[Path]:
    """Where version 2 is mounted."""
    for line in _lines(proc / "self/mountinfo"):
        front, _dash, back = line.partition(" - ")
        if back.startswith("cgroup2 "):
            yield Path(front.split()[4])


@contextmanager
def inside(name: str) -> Iterator[Path | None]:
    """This process in a fresh group beside its own while the block runs: what it starts there stays there.

    Yields the group's folder, None where the kernel does not let us. No other thread may start processes meanwhile.
    """
    home = own_group()
    group = _make(home, name) if home is not None else None
    if home is None or group is None:
        yield None
        return
    try:
        yield group
    except BaseException:
        _move(os.getpid(), home)
        group.rmdir()
        raise
    _move(os.getpid(), home)


def _make(home: Path, name: str) -> Path | None:
    group = home / name
    try:
        group.mkdir()
    except OSError:
        return None
    try:
        _move(os.getpid(), group)
    except OSError:
        group.rmdir()
        return None
    return group


def _move(pid: int, group: Path) -> None:
    (group / "cgroup.procs").write_text(str(pid))


def end(group: Path) -> int:
    """SIGKILL for all members, and the group taken away; how many there were. A group that is gone had none."""
    members = len(_lines(group / "cgroup.procs"))
    if members:
        with contextlib.suppress(OSError):
            (group / "cgroup.kill").write_text("1")
    until = time.monotonic() + _EMPTY_WITHIN_S
    while _lines(group / "cgroup.procs") and time.monotonic() < until:
        time.sleep(0.01)
    with contextlib.suppress(OSError):  # somebody else was faster, or a member cannot be killed yet
        group.rmdir()
    return members


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
