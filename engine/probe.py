"""What this machine has: cards and their free memory through NVML, host memory within its limits. Only looks.

Never creates a CUDA context (that alone would take 430 MiB of a card) and imports no torch. Linux only (/proc).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from engine.identity import PROC

CGROUP: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Tenant:
    """A process that holds memory of a card; `size` in bytes, 0 where the driver does not say."""

    pid: int
    size: int


@dataclass(frozen=True, slots=True)
class Card:
    """One card as the engine will number it; bytes. `capability` such as (9, 0)."""

    index: int
    name: str
    uuid: str
    total: int
    free: int
    capability: tuple[int, int]
    tenants: tuple[Tenant, ...] = ()

    @property
    def device(self) -> str:
        """What torch calls it."""
        return f"cuda:{self.index}"


@dataclass(frozen=True, slots=True)
class Host:
    """Bytes; `available` is what can be had without swapping, within `limit`, the container's (None: there is none)."""

    name: str
    total: int
    available: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class Machine:
    """Cards in the order in which the engine sees them; `note` says why there are none."""

    host: Host
    cards: tuple[Card, ...]
    driver: str = ""
    note: str = ""


def probe(environ: Mapping[str, str] = os.environ) -> Machine:
    """This machine, at this moment. Takes some 10 ms with cards, 1 ms without."""
    host = probe_host()
    try:
        import pynvml
    except ImportError:
        return Machine(host, (), note="nvidia-ml-py is not installed")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as fault:
        return Machine(host, (), note=str(fault))
    try:
        seen = _visible(_cards(pynvml), environ.get("CUDA_VISIBLE_DEVICES"))
        return Machine(host, seen, _text(pynvml.nvmlSystemGetDriverVersion()))
    except pynvml.NVMLError as fault:
        return Machine(host, (), note=str(fault))
    finally:
        pynvml.nvmlShutdown()


def probe_host(proc: Path = PROC, cgroup: Path = CGROUP) -> Host:
    """The host's memory, or the container's where that is less."""
    table = _table(proc / "meminfo")
    total, available = table["MemTotal"], table["MemAvailable"]
    limits = [found for folder in _own_cgroups(proc, cgroup) if (found := _limit(folder)) is not None]
    for limit, used in limits:
        available = min(available, max(0, limit - used))
    tightest = min((limit for limit, _used in limits if limit < total), default=None)
    return Host(socket.gethostname(), total, available, tightest)


def _cards(nvml: ModuleType) -> list[Card]:
    cards = []
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
        tenants = tuple(Tenant(one.pid, one.usedGpuMemory or 0) for one in _processes(nvml, handle))
        name, uuid = _text(nvml.nvmlDeviceGetName(handle)), _text(nvml.nvmlDeviceGetUUID(handle))
        cards.append(Card(index, name, uuid, memory.total, memory.free, (major, minor), tenants))
    return cards


def _processes(nvml: ModuleType, handle: Any) -> list[Any]:
    """Compute processes; a driver that does not list them (inside some containers) lists none."""
    try:
        return list(nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    except nvml.NVMLError:
        return []


def _visible(cards: list[Card], wanted: str | None) -> tuple[Card, ...]:
    """The cards that `CUDA_VISIBLE_DEVICES` leaves, renumbered as CUDA does; the first unknown name ends the list."""
    if wanted is None:
        return tuple(cards)
    chosen: list[Card] = []
    for name in (part.strip() for part in wanted.split(",")):
        found = [card for card in cards if name and (name == str(card.index) or card.uuid.startswith(name))]
        if len(found) != 1:
            break
        card = found[0]
        chosen.append(Card(len(chosen), card.name, card.uuid, card.total, card.free, card.capability, card.tenants))
    return tuple(chosen)


def _own_cgroups(proc: Path, cgroup: Path) -> list[Path]:
    """The control groups that bound this process's memory, innermost first, of both versions."""
    folders: list[Path] = []
    for line in _lines(proc / "self/cgroup"):
        _number, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root = cgroup / controllers if controllers else cgroup
        own = root / path.strip("/")
        # Inside a container the path may be the host's: then its own root is what binds it.
        folders += [own, *own.parents[: len(own.relative_to(root).parts)]] if own != root else [root]
    return folders


def _limit(folder: Path) -> tuple[int, int] | None:
    """(limit, used) in bytes of one control group; None where it sets none. Page cache that can go is not used."""
    for limit_file, used_file, spare in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit, used = _integer(folder / limit_file), _integer(folder / used_file)
        if limit is not None and used is not None:
            return limit, max(0, used - _statistic(folder / "memory.stat", spare))
    return None


def _statistic(path: Path, name: str) -> int:
    return next((int(line.split()[1]) for line in _lines(path) if line.startswith(f"{name} ")), 0)


def _integer(path: Path) -> int | None:
    """The number in a control file; None without the file, or where it says `max`."""
    text = next(iter(_lines(path)), "")
    return int(text) if text.isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _table(path: Path) -> dict[str, int]:
    """Lines `Name:  123 kB` as bytes."""
    rows = (line.split() for line in _lines(path))
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) == 3 and row[2] == "kB"}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
