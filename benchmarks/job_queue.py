"""What keeping jobs costs: memory and processor of waiting keepers, the time from one job to the next, a look at many.

    python benchmarks/job_queue.py [--waiting 20] [--jobs 1000]

Engines are the tests' stand-in; figures are this machine's. Not a test: it judges nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "liveavatar_tui"))

from standins import begin, enqueue, jobs_folder, keeper, over, running, until
from world import FINISHED, SPEC, half_way, write_job

from liveavatar_tui.jobs.cancelling import cancel
from liveavatar_tui.jobs.watching import Overview, list_jobs, read_job

_TICK_S = 0.01
_WATCHED_S = 10.0


def main() -> None:
    """Print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        _starting(Path(place) / "a")
        _waiting(Path(place) / "b", given.waiting)
        _passing(Path(place) / "c")
        _looking(Path(place) / "d", given.jobs)


def _starting(place: Path) -> None:
    with jobs_folder(place) as jobs_dir:
        took = []
        for _ in range(5):
            began = time.perf_counter()
            job = begin(jobs_dir, "finishes")
            took.append(time.perf_counter() - began)
            until(lambda job=job: over(job))
        print(f"start, until the engine is spawned: {statistics.median(took) * 1000:.0f} ms")


def _waiting(place: Path, count: int) -> None:
    with jobs_folder(place) as jobs_dir:
        running(begin(jobs_dir, "steady"))
        pids = [keeper(enqueue(jobs_dir, "finishes").folder) for _ in range(count)]
        private = [_private(pid) for pid in pids]
        before = [_ticks(pid) for pid in pids]
        time.sleep(_WATCHED_S)
        spent = sum(_ticks(pid) - first for pid, first in zip(pids, before, strict=True)) * _TICK_S
        print(f"a waiting keeper: {statistics.median(private) / 1e6:.1f} MB of its own")
        print(f"{count} waiting keepers: {spent / _WATCHED_S:.2%} of one core")


def _passing(place: Path) -> None:
    with jobs_folder(place) as jobs_dir:
        jobs = [enqueue(jobs_dir, "finishes") for _ in range(8)]
        until(lambda: over(jobs[-1]))
        told = [read_job(job.folder).story for job in jobs]
        gaps = [after.began_mono - before.mono for before, after in pairwise(told)]
        print(f"from the end of one job to the first word of the next: {statistics.median(gaps):.2f} s")
        job = begin(jobs_dir, "steady")
        running(job)
        began = time.perf_counter()
        cancel(job.folder, 10)
        print(f"cancel of an engine that obeys: {(time.perf_counter() - began) * 1000:.0f} ms")


def _looking(place: Path, count: int) -> None:
    for number in range(count):
        write_job(place, f"20260314-{number:06d}-aaaaaa", SPEC, [*half_way(), FINISHED])
    overview = Overview(place)
    for name, look in (("first", overview.look), ("next", overview.look), ("command's", lambda: list_jobs(place))):
        began = time.perf_counter()
        look()
        print(f"{name} look at {count} ended jobs: {(time.perf_counter() - began) * 1000:.0f} ms")


def _private(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    main()
