"""Where am I: what each channel stands for and since when, what this machine has left, and whose it is. Plain values.

A use-case of the home screen and of the plain mode. Reads links, one history and the process table; writes nothing and
knows no widget. Proofs and jobs are asked elsewhere: they take longer.
"""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from liveavatar_tui.launch import resolve
from liveavatar_tui.settings import Settings
from lora_repository.finding import Finding, Problem
from lora_repository.pointers import LATEST
from lora_repository.repository import LoraRepository

if TYPE_CHECKING:
    from engine.probe import Machine
    from lora_repository.history import Generation

PRODUCTION: Final = "production"
SHOWN: Final = (PRODUCTION, "staging", "default", LATEST)
"""The channels in the order of their weight."""


@dataclass(frozen=True, slots=True)
class ChannelFact:
    """`target` is what the settings say, None for a channel that is not set; `place` where it leads on this host.

    `switch` is the last recorded switch of it; `finding` says why it leads nowhere.
    """

    name: str
    target: str | None
    place: Path | None = None
    switch: Generation | None = None
    finding: Finding | None = None

    @property
    def follows(self) -> bool:
        """Whether it names the link, and so moves with it."""
        return self.name != LATEST and self.target == LATEST


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds memory of a card: `program` and `user` are empty where the process table does not say."""

    pid: int
    size: int
    program: str
    user: str


@dataclass(frozen=True, slots=True)
class DiskFact:
    """Bytes of the disk that `path` lies on; `path` is what is kept there."""

    path: Path
    total: int
    free: int


def channels(settings: Settings) -> tuple[ChannelFact, ...]:
    """Every channel at this moment; one that leads nowhere carries its finding."""
    repository = LoraRepository(Path(settings.lora.repository))
    try:
        last = {switch.channel: switch for switch in repository.history()}
    except Problem:
        last = {}  # what is wrong with the history is told where it is shown; where channels lead is not in it
    targets = {**settings.channels(), LATEST: LATEST}
    return tuple(_channel(settings, name, targets.get(name), last.get(name)) for name in SHOWN)


def _channel(settings: Settings, name: str, target: str | None, switch: Generation | None) -> ChannelFact:
    if target is None:
        return ChannelFact(name, None)
    try:
        return ChannelFact(name, target, resolve(settings, name), switch)
    except Problem as problem:
        return ChannelFact(name, target, switch=switch, finding=problem.finding)


def machine() -> Machine:
    """Cards and memory; imported with the first look, since the driver's library is."""
    from engine.probe import probe

    return probe()


def owners(found: Machine, index: int, proc: Path = Path("/proc")) -> tuple[Owner, ...]:
    """Who holds memory of one card, most first."""
    tenants = sorted(found.cards[index].tenants, key=lambda tenant: -tenant.size)
    return tuple(Owner(one.pid, one.size, _program(one.pid, proc), _user(one.pid, proc)) for one in tenants)


def _program(pid: int, proc: Path) -> str:
    try:
        return (proc / str(pid) / "comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def _user(pid: int, proc: Path) -> str:
    try:
        number = (proc / str(pid)).stat().st_uid
        return pwd.getpwuid(number).pw_name
    except (OSError, KeyError):
        return ""


def disks(settings: Settings) -> tuple[DiskFact, ...]:
    """The disks of the jobs and of the versions; one entry where both lie on one."""
    found: dict[int, DiskFact] = {}
    for folder in (settings.jobs_folder(), Path(settings.lora.repository)):
        there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
        usage = shutil.disk_usage(there)
        found.setdefault(there.stat().st_dev, DiskFact(folder, usage.total, usage.free))
    return tuple(found.values())


def user() -> str:
    """Who asks; a number where the host has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
