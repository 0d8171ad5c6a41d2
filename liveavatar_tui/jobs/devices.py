"""What a job must have alone: a lock for each device, handed on to the engine; and whether its memory is free yet.

The locks are `flock`s, which belong to an open file and not to a process: the engine inherits them, and so does every
worker that it forks. A device is free when the last process that could still hold its memory is gone, whoever was
killed first. Jobs of another jobs folder are met by the memory that they take. Knows no queue.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.memory import MemoryPlan
    from engine.probe import Machine

PROCESSOR: Final = "cpu"
"""`engine.memory.HOST`, without the 80 ms that importing it takes every command on jobs."""
_UNFIT: Final = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Claim:
    """What one run asks of this machine: `devices` by a name that a shell cannot renumber, `needs` in bytes."""

    devices: tuple[str, ...] = (PROCESSOR,)
    needs: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Shortage:
    """Bytes on a device, as the engine calls it."""

    device: str
    need: int
    free: int


def claim(plan: MemoryPlan | None, machine: Machine) -> Claim:
    """The cards of the plan, or the processor as the one device of a run that uses no card.

    Without a plan (the checks were overruled) it is the first device that there is, and no memory is waited for.
    """
    uuids = {card.device: card.uuid for card in machine.cards}
    if plan is None:
        return Claim((next(iter(uuids.values()), PROCESSOR),))
    cards = tuple(uuids.get(device, device) for device in plan.devices if device != PROCESSOR)
    return Claim(cards or (PROCESSOR,), {device: plan.need(device) for device in plan.devices})


def shortage(
    needs: Mapping[str, int], machine: Machine, spoken_for: Mapping[str, int] | None = None
) -> Shortage | None:
    """The first device with less free than is needed, None when all fits. A card that is gone has nothing free.

    `spoken_for` are bytes that are free and belong to jobs that are still loading.
    """
    free = {PROCESSOR: machine.host.available, **{card.device: card.free for card in machine.cards}}
    taken = spoken_for or {}
    found = (
        Shortage(device, need, max(0, free.get(device, 0) - taken.get(device, 0))) for device, need in needs.items()
    )
    return next((one for one in found if one.need > one.free), None)


def take_devices(jobs_dir: Path, devices: Sequence[str]) -> tuple[int, ...] | None:
    """Descriptors that hold all the devices, or None when one is taken; `release` them in the end."""
    held: list[int] = []
    for device in sorted(devices):
        descriptor = _open(jobs_dir, device)
        held.append(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            release(held)
            return None
    return tuple(held)


def release(descriptors: Sequence[int]) -> None:
    """Give the devices back, unless somebody else holds the same open files."""
    for descriptor in descriptors:
        os.close(descriptor)


def busy(jobs_dir: Path, devices: Sequence[str]) -> bool:
    """Whether a job has one of the devices."""
    held = take_devices(jobs_dir, devices)
    if held is None:
        return True
    release(held)
    return False


def _open(jobs_dir: Path, device: str) -> int:
    """On the lock file; the host's name is in it, since hosts may share the folder."""
    folder = jobs_dir / ".devices"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = _UNFIT.sub("-", f"{socket.gethostname()}.{device}")
    return os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
