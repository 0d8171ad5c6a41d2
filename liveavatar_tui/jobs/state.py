"""The state of a job as a pure function of what its folder and its kernel say. Reads nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.identity import Identity
from engine.protocol import AnyEvent, Cancelled, Failed, Finished

STARTING_S: Final = 30.0
"""How long a folder without a process counts as starting: only a starter that died between two lines needs it."""


class State(StrEnum):
    """How a job stands. Only the first two can change by themselves."""

    STARTING = "starting"
    RUNNING = "running"
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
        return self in (State.STARTING, State.RUNNING)


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


def judge(seen: Evidence) -> State:
    """The state. An end event outranks all; a process is never judged by its number alone."""
    if seen.end is not None:
        return _ended(seen.end)
    if seen.identity is not None and seen.identity.host != seen.host:
        return State.FOREIGN
    if seen.identity is not None and seen.identity.boot_id != seen.boot_id:
        return State.REBOOTED
    if seen.owner is not None or (seen.alive and seen.said_started):
        return State.RUNNING
    if seen.alive or (seen.identity is None and seen.age_s < STARTING_S):
        return State.STARTING
    return State.CANCELLED if seen.cancel_requested else State.LOST


def _ended(end: AnyEvent) -> State:
    if isinstance(end, Finished):
        return State.DONE
    return State.FAILED if isinstance(end, Failed) else State.CANCELLED


END_EVENTS: Final = (Finished, Failed, Cancelled)
