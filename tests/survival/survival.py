"""What must hold after every misfortune: no event lost, no process left, the state right, the video in its place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
from pty_harness import Terminal

from engine.job_folder import JobFolder, lock_owner
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.records import keeper_lock
from liveavatar_tui.jobs.watching import list_jobs, read_job

ROOT = Path(__file__).parents[2]
APP = (sys.executable, "-m", "liveavatar_tui.cli")
ENDS = ("done", "failed", "cancelled")
A_RUN_S = 180.0
"""A run of the embedded avatar takes 5 s on two idle cores, and minutes on a host that does something else."""


def until(condition: Callable[[], object], within_s: float = A_RUN_S) -> None:
    """Nothing is judged by time but a hang."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def app(root: Path, *before: str, columns: int = 100, **env: str) -> Terminal:
    """The full-screen app of a world in a real pseudo-terminal."""
    return Terminal([*before, *APP], columns=columns, rows=30, env=environment(root, **env))


def environment(root: Path, **more: str) -> dict[str, str]:
    """What a shell of an operator says."""
    config = {"LIVEAVATAR_CONFIG": str(root / "config.yaml"), "LIVEAVATAR_LANG": "en"}
    return {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(root / "state"), "OMP_NUM_THREADS": "1", **config, **more}


def command(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command line of the product."""
    env = {**os.environ, **environment(root)}
    return subprocess.run([*APP, *arguments], env=env, capture_output=True, text=True, check=False)


def launch_from_the_form(terminal: Terminal, root: Path) -> Job:
    """Press keys until the app has started a job, and wait until it generates."""
    terminal.wait(lambda: "Home" in terminal.text(), A_RUN_S)
    terminal.send("2")
    terminal.wait(lambda: "Ready" in terminal.text(), A_RUN_S)  # the checks of preflight, on a busy host
    terminal.send("\x12")  # ctrl+R
    until(lambda: list_jobs(root / "jobs"))
    (job,) = list_jobs(root / "jobs")
    until(lambda: read_job(job.folder).story.progress)
    return job


def events(folder: JobFolder) -> list[dict[str, Any]]:
    """Every line of the journal; a torn or foreign one fails here."""
    return [json.loads(line) for line in folder.events.read_bytes().splitlines()]


def nothing_lost(folder: JobFolder) -> None:
    """The events are numbered without a gap, in monotonic order, begin once and end once."""
    told = events(folder)
    assert [event.get("seq", 0) for event in told] == list(range(len(told)))
    assert [event["mono"] for event in told] == sorted(event["mono"] for event in told)
    kinds = [event["kind"] for event in told]
    assert kinds[0] == "started" and kinds.count("started") == 1
    assert [kind for kind in kinds if kind in ENDS] == kinds[-1:]


def nothing_left(folder: JobFolder) -> None:
    """No process of the job, under whatever name, and no lock."""
    locks = (folder.lock, keeper_lock(folder))
    until(lambda: not members(folder) and not any(lock_owner(lock) for lock in locks), 30)


def members(folder: JobFolder) -> list[int]:
    """Living processes that carry the job's name in their environment or arguments."""
    name = os.fsencode(folder.root.name)
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _names(entry, name)]


def _names(entry: Path, name: bytes) -> bool:
    try:
        living = (entry / "stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
        return living and (name in (entry / "environ").read_bytes() or name in (entry / "cmdline").read_bytes())
    except OSError:
        return False


def video_is_whole(folder: JobFolder, frames: int = 48) -> None:
    """At its place, nothing half beside it, with all frames and the sound."""
    with av.open(str(folder.output)) as video:
        assert [stream.type for stream in video.streams] == ["video", "audio"]
        assert sum(1 for _frame in video.decode(video=0)) == frames
    assert [path.name for path in folder.root.glob("*.mp4*")] == ["output.mp4"]
    assert not list(folder.root.glob(".*"))
