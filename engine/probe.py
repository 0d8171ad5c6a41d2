"""What this machine has: cards and their free memory from the driver, host memory within its limits. Only looks.

Never creates a CUDA context (that alone would take 430 MiB of a card) and imports no torch. Linux only (/proc).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from engine import nvidia_smi, nvml
from engine.cards import Card, Cards, Health, Link, Route, Tenant, typed_cards, visible
from engine.identity import PROC

__all__ = ["Card", "Health", "Host", "Link", "Machine", "Route", "Source", "Tenant", "probe", "probe_host", "typed"]

CGROUP: Final = Path("/sys/fs/cgroup")


class Source(StrEnum):
    """Who told of the cards."""

    NVML = "nvml"
    NVIDIA_SMI = "nvidia-smi"
    TYPED = "typed"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Host:
    """Bytes; `available` is what can be had without swapping, within `limit`, the container's (None: there is none)."""

    name: str
    total: int
    available: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class Machine:
    """Cards in the order in which the engine sees them; `note` says why there are none, or why `source` is no better.

    `cuda` is the newest version that the driver runs, (0, 0) where it does not say; `hidden` counts cards that
    `CUDA_VISIBLE_DEVICES` leaves out.
    """

    host: Host
    cards: tuple[Card, ...]
    driver: str = ""
    note: str = ""
    source: Source = Source.NONE
    cuda: tuple[int, int] = (0, 0)
    links: tuple[Link, ...] = ()
    hidden: int = 0


def probe(environ: Mapping[str, str] = os.environ) -> Machine:
    """This machine, at this moment. Takes some 10 ms with cards, 1 ms without.

    Where the driver's library cannot be asked, the program `nvidia-smi` is; `note` then says why.
    """
    try:
        return _machine(_from_library(), Source.NVML, environ)
    except _Silent as fault:
        note = str(fault)
    try:
        found = nvidia_smi.read()
    except nvidia_smi.Unusable:
        return Machine(probe_host(), (), note=note)
    return _machine(found, Source.NVIDIA_SMI, environ, note)


def typed(text: str) -> Machine:
    """This host with cards as they are typed in (`24GB x5`); raises Problem RUN002."""
    return Machine(probe_host(), typed_cards(text), source=Source.TYPED)


class _Silent(Exception):
    """The driver's library cannot be asked; the text says why."""


def _from_library() -> Cards:
    try:
        import pynvml
    except ImportError:
        raise _Silent("nvidia-ml-py is not installed") from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as fault:
        raise _Silent(str(fault)) from fault
    try:
        return nvml.read(pynvml)
    except pynvml.NVMLError as fault:
        raise _Silent(str(fault)) from fault
    finally:
        pynvml.nvmlShutdown()


def _machine(found: Cards, source: Source, environ: Mapping[str, str], note: str = "") -> Machine:
    wanted = environ.get("CUDA_VISIBLE_DEVICES")
    seen = visible(found.cards, wanted)
    whole = len([card for card in found.cards if not card.sliced])
    return Machine(probe_host(), seen, found.driver, note, source, found.cuda, found.links, whole - len(seen))


def probe_host(proc: Path = PROC, cgroup: Path = CGROUP) -> Host:
    """The host's memory, or the container's where that is less."""
    table = _table(proc / "meminfo")
    total, available = table["MemTotal"], table["MemAvailable"]
    limits = [found for folder in _own_cgroups(proc, cgroup) if (found := _limit(folder)) is not None]
    for limit, used in limits:
        available = min(available, max(0, limit - used))
    tightest = min((limit for limit, _used in limits if limit < total), default=None)
    return Host(socket.gethostname(), total, available, tightest)


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
