"""Old job folders taken away for good: first which ones and why, as a value to look at, then the deed.

What runs or waits stays, what another host may run stays, and what somebody wrote a note on stays. Knows no screen.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.watching import read_job
from lora_repository.files import sync_folder

_GOING: Final = ".pruned-"
"""Before a folder that is being deleted: whoever lists the jobs does not see it any more."""
_BLOCK: Final = 512


@dataclass(frozen=True, slots=True)
class Weighed:
    """A job and the bytes of disk that its folder takes."""

    job: Job
    size: int


@dataclass(frozen=True, slots=True)
class Doomed:
    """One job to delete; `too_old` or else in the way of the limit."""

    job: Job
    size: int
    too_old: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go and what it frees, in bytes; `total` is what all jobs take before."""

    doomed: tuple[Doomed, ...]
    total: int

    @property
    def freed(self) -> int:
        """Bytes."""
        return sum(one.size for one in self.doomed)


def weigh(jobs: Iterable[Job]) -> tuple[Weighed, ...]:
    """Each job with its size; some 20 us a file."""
    return tuple(Weighed(job, _size(job.folder.root)) for job in jobs)


def _size(folder: Path) -> int:
    return sum(_blocks(f"{place}/{name}") for place, _folders, names in os.walk(folder) for name in names)


def _blocks(path: str) -> int:
    try:
        return os.lstat(path).st_blocks * _BLOCK
    except OSError:
        return 0


def keeps(job: Job) -> bool:
    """Whether it must not be pruned."""
    return job.state.live or job.state is State.FOREIGN or bool(job.note)


def plan(jobs: Sequence[Weighed], *, older_than_s: float | None, limit: int | None, now: float | None = None) -> Plan:
    """What goes: what is older than so many seconds, then the oldest until all together take at most `limit` bytes.

    A limit that only jobs which stay are in the way of is not met. `now` is wall seconds, this moment when not given.
    """
    moment = time.time() if now is None else now
    total = left = sum(one.size for one in jobs)
    doomed = []
    for one in sorted((one for one in jobs if not keeps(one.job)), key=lambda one: one.job.id):
        too_old = older_than_s is not None and moment - one.job.created > older_than_s
        if too_old or (limit is not None and left > limit):
            doomed.append(Doomed(one.job, one.size, too_old))
            left -= one.size
    return Plan(tuple(doomed), total)


def carry_out(chosen: Plan) -> tuple[str, ...]:
    """Delete; the ids that went. A job that was given a note meanwhile stays."""
    gone = tuple(_delete(chosen))
    if chosen.doomed:
        clear_remains(chosen.doomed[0].job.folder.root.parent)
    return gone


def _delete(chosen: Plan) -> Iterator[str]:
    """Each in one step for whoever looks, so a kill half-way leaves no half job behind."""
    for one in chosen.doomed:
        root = one.job.folder.root
        if not one.job.folder.spec.exists() or keeps(read_job(one.job.folder)):
            continue
        root.rename(root.with_name(_GOING + root.name))
        sync_folder(root.parent)
        yield root.name


def clear_remains(jobs_dir: Path) -> None:
    """Finish deletions, also those that were interrupted."""
    for remains in jobs_dir.glob(f"{_GOING}*"):
        shutil.rmtree(remains, ignore_errors=True)
