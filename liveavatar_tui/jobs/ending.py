"""Why a job ended without its video, as a finding: told by the engine, or read from what it left behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from engine.failure import Scene, post_mortem
from engine.protocol import Failed
from liveavatar_tui.jobs.job import Job, engine_identity
from liveavatar_tui.jobs.records import read_exit
from liveavatar_tui.jobs.state import State
from lora_repository.finding import Finding, Severity

_TAIL: Final = 64 << 10


def explain(job: Job) -> Finding | None:
    """The finding behind a job that failed, was lost or ended by a reboot; None for every other."""
    if isinstance(job.story.end, Failed):
        end = job.story.end
        return Finding(end.code, Severity.ERROR, end.message, end.fix, str(job.folder.log))
    if job.state not in (State.LOST, State.REBOOTED):
        return None
    left = read_exit(job.folder)
    identity = engine_identity(job.folder, job.story)
    return post_mortem(
        Scene(job.story.phase, job.folder.root, job.folder.log),
        log_tail=_tail(job.folder.log),
        used=max((memory.used for memory in job.story.memory if memory.device == "cpu"), default=0),
        total=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        exit_status=left.status if left is not None else None,
        restarted=identity.host if job.state is State.REBOOTED and identity is not None else "",
    )


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
