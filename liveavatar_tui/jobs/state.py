"""The state of a job as a pure function of what its folder and its kernel say. Reads nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.identity import Identity
from engine.protocol import AnyEvent, Failed, Finished

STARTING_S: Final = 30.0
"""How long a folder without a process counts as starting: only a starter that died between two lines needs it."""


class State(StrEnum):
    """How a job stands. Only those that are `live` can change by themselves."""

    WAITING = "waiting"
    """In the queue, until its devices and their memory are free."""
    HELD = "held"
    """In the queue, passed over until somebody releases it."""
    STARTING = "starting"
    RUNNING = "running"
    SILENT = "not responding"
    """The engine lives and has told nothing for longer than it should, or somebody stopped it."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    """The engine is gone and left no end event: killed, crashed, or out of memory."""
    REBOOTED = "rebooted"
    """The host was restarted under it."""
    FOREIGN = "foreign"
    """It belongs to another host that shares the folder: not judged here."""

    @property
    def live(self) -> bool:
        """Whether it may still become something else."""
        return self.queued or self.active

    @property
    def queued(self) -> bool:
        """Whether it stands in the queue: nothing is lost when it is cancelled."""
        return self in (State.WAITING, State.HELD)

    @property
    def active(self) -> bool:
        """Whether it has an engine, or is about to."""
        return self in (State.STARTING, State.RUNNING, State.SILENT)


@dataclass(frozen=True, slots=True)
class Evidence:
    """`owner` is `lock_owner`'s answer; `alive` says whether exactly `identity` runs; `age_s` is the folder's age."""

    end: AnyEvent | None
    identity: Identity | None
    said_started: bool
    owner: int | None
    alive: bool
    host: str
    boot_id: str
    cancel_requested: bool
    age_s: float
    queued: bool = False
    held: bool = False
    silent: bool = False
    """Stopped, or quiet for longer than its phase explains."""


def judge(seen: Evidence) -> State:
    """The state. An end event outranks all; a process is never judged by its number alone."""
    if seen.end is not None:
        return _ended(seen.end)
    if seen.identity is not None and seen.identity.host != seen.host:
        return State.FOREIGN
    if seen.identity is not None and seen.identity.boot_id != seen.boot_id:
        return State.REBOOTED
    if seen.owner is not None or (seen.alive and seen.said_started):
        return State.SILENT if seen.silent else State.RUNNING
    if seen.identity is None:
        return _without_engine(seen)
    if seen.alive:
        return State.STARTING
    return State.CANCELLED if seen.cancel_requested else State.LOST


def _without_engine(seen: Evidence) -> State:
    if seen.cancel_requested:
        return State.CANCELLED
    if seen.queued:
        return State.HELD if seen.held else State.WAITING
    return State.STARTING if seen.age_s < STARTING_S else State.LOST


def _ended(end: AnyEvent) -> State:
    if isinstance(end, Finished):
        return State.DONE
    return State.FAILED if isinstance(end, Failed) else State.CANCELLED
