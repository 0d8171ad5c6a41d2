"""Why a job ended without its video, or says nothing, as a finding: told by the engine, or read from what it left."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Final

from engine import codes as engine_codes
from engine.identity import is_stopped
from engine.memory_use import readable
from engine.protocol import Failed
from liveavatar_tui import codes
from liveavatar_tui.jobs.job import Job, engine_identity
from liveavatar_tui.jobs.records import read_exit
from liveavatar_tui.jobs.state import State
from liveavatar_tui.quantities import span_text
from lora_repository.finding import Finding, Severity

_TAIL: Final = 64 << 10
_NO_ROOM: Final = 16 << 10
"""With less than this free an engine cannot even write down why it ended."""


def explain(job: Job) -> Finding | None:
    """The finding behind a job that failed, was lost, ended by a reboot or does not respond; None for every other."""
    if isinstance(job.story.end, Failed):
        end = job.story.end
        return Finding(end.code, Severity.ERROR, end.message, end.fix, str(job.folder.log))
    if job.state is State.SILENT:
        return _silence(job)
    if job.state not in (State.LOST, State.REBOOTED):
        return None
    if job.state is State.LOST and (free := shutil.disk_usage(job.folder.root).free) < _NO_ROOM:
        return engine_codes.DISK_FULL.finding(path=str(job.folder.root), free=readable(free))
    return _examined(job)


def _examined(job: Job) -> Finding:
    """What the dead one left: the engine's autopsy is imported for it alone, it takes 0.1 s."""
    from engine.failure import Scene, post_mortem

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


def _silence(job: Job) -> Finding:
    identity = engine_identity(job.folder, job.story)
    if identity is not None and is_stopped(identity.pid):
        return codes.warning(codes.STOPPED, pid=identity.pid, name=job.id)
    span = span_text(time.monotonic() - job.story.mono)
    return codes.warning(codes.NOT_RESPONDING, span=span, log=str(job.folder.log), name=job.id)


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
