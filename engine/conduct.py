"""A piece of work in a process of its own: the job folder held, who works told, every end an event, a sentence, a code.

0 it is done, 1 it failed or was cancelled, 2 misuse. Knows nothing of what the work is.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress

from engine import __version__, codes
from engine.failure import Scene, classify
from engine.identity import own
from engine.job_folder import JobFolder, Journal, RecordLock, lock_owner, reason
from engine.log import LOG, Terminal
from engine.protocol import PROTOCOL, Cancelled, Failed, Finished, Phase, Started
from engine.resolving import Refused
from engine.stage import Stage, Stopped
from lora_repository.finding import Problem

Work = Callable[[Stage], Finished]
"""What is done between the first event and the last; raises Problem, Stopped, or whatever a library raises."""


def take(folder: JobFolder) -> RecordLock:
    """Make the folder and hold it; raises Problem RUN003, RUN004, RUN005."""
    folder.create()
    path = str(folder.root)
    try:
        lock = RecordLock(folder.lock)
        if not lock.take():
            owner = lock_owner(folder.lock)
            lock.release()
            raise codes.FOLDER_LOCKED.problem(path=path, pid=owner or "?")
        if folder.holds_a_run():
            lock.release()
            raise codes.FOLDER_TAKEN.problem(path=path, suggestion=f"{path}-2")
    except OSError as fault:
        raise codes.FOLDER_UNWRITABLE.problem(path=path, reason=reason(fault)) from fault
    return lock


def conduct(folder: JobFolder, terminal: Terminal, work: Work) -> int:
    """From the first event to the last; what came of it is printed for a script."""
    stage = Stage(Journal(folder.events))
    stage.listen()
    try:
        who = own()
        stage.tell(
            Started(
                v=PROTOCOL,
                pid=who.pid,
                start_time=who.start_time,
                boot_id=who.boot_id,
                host=who.host,
                engine=__version__,
            )
        )
        stage.enter(Phase.RESOLVING)
        done = work(stage)
        stage.tell(done)
        terminal.result(done.output)
    except Stopped as stop:
        last_word(stage, Cancelled(reason=str(stop)))
        LOG.info("Cancelled by %s", stop)
        return 1
    except Exception as fault:  # noqa: BLE001  # the one place where nothing may pass: every end is told
        return _fail(fault, folder, stage, terminal)
    return 0


def _fail(fault: Exception, folder: JobFolder, stage: Stage, terminal: Terminal) -> int:
    finding = classify(fault, Scene(stage.phase, folder.root, folder.log))
    if not isinstance(fault, Problem):
        with suppress(OSError):  # standard error is the log, which may lie on the disk that is full
            traceback.print_exception(fault)
    for further in fault.findings[1:] if isinstance(fault, Refused) else ():
        LOG.error("%s: %s", further.code, further.message)
    last_word(stage, Failed(code=finding.code, message=finding.message, fix=finding.fix))
    terminal.tell(finding)
    return fault.exit_code if isinstance(fault, Problem) else 1


def last_word(stage: Stage, event: Failed | Cancelled) -> None:
    """Write the end down, if that can be done at all."""
    try:
        stage.tell(event)
    except OSError as fault:
        LOG.error("The journal cannot be written: %s", reason(fault))
