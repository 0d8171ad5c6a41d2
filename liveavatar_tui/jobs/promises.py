"""Memory that running jobs were let in for and have not taken yet: free to look at, and spoken for.

Without it two jobs on two cards, started in one second, would each find the host's memory free for itself. Knows no
queue but its promises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from engine.job_folder import JobFolder, lock_owner
from liveavatar_tui.jobs.queue import read_promises
from liveavatar_tui.jobs.records import keeper_lock
from liveavatar_tui.jobs.watching import read_job


def is_there(folder: JobFolder) -> bool:
    """Whether a started job may still hold memory: its engine lives, or its keeper clears up."""
    return lock_owner(folder.lock) is not None or lock_owner(keeper_lock(folder)) is not None


def spoken_for(jobs_dir: Path, besides: str = "") -> Mapping[str, int]:
    """Bytes by device: of each job that runs, `besides` one, its need without what it says that it uses.

    A keeper leaves out its own job: asking for a lock of one's own would drop it.
    """
    total: Counter[str] = Counter()
    for promise in read_promises(jobs_dir):
        folder = JobFolder(jobs_dir / promise.id)
        if promise.id != besides and is_there(folder):
            used = {memory.device: memory.used for memory in read_job(folder).story.memory}
            total.update({device: max(0, need - used.get(device, 0)) for device, need in promise.needs.items()})
    return total
