"""Cards as the program `nvidia-smi` tells them, for a host where the driver's library cannot be asked.

Knows no slices beyond that a card has them, and no links. Some 50 ms to 2 s, as long as the program takes.
"""

from __future__ import annotations

import csv
import io
import subprocess
from typing import Final

from engine.cards import Card, Cards, Health, Tenant, owned
from engine.kernel_log import xids

PROGRAM: Final = "nvidia-smi"
_PATIENCE_S: Final = 10
_MIB: Final = 1 << 20
_FIELDS: Final = (
    "index,name,uuid,memory.total,memory.free,compute_cap,driver_version,pci.bus_id,mig.mode.current,"
    "ecc.errors.uncorrected.volatile.total,pcie.link.gen.current,pcie.link.width.current"
)


class Unusable(Exception):
    """The program is not there, fails, or says something else than cards; the text says which."""


def read() -> Cards:
    """All cards; raises Unusable."""
    tenants = _tenants()
    rows = [[cell.strip() for cell in row] for row in _rows(f"--query-gpu={_FIELDS}")]
    if not rows:
        raise Unusable(f"{PROGRAM}: no cards")
    try:
        cards = tuple(_card(row, tenants) for row in rows)
    except (ValueError, IndexError) as fault:
        raise Unusable(f"{PROGRAM}: {fault}") from fault
    return Cards(cards, rows[0][6])


def _card(row: list[str], tenants: dict[str, tuple[Tenant, ...]]) -> Card:
    index, name, uuid, total, free, capability, _driver, bus, sliced, errors, generation, lanes = row
    major, _dot, minor = capability.partition(".")
    bus = bus.lower()[-12:]
    return Card(
        int(index),
        name,
        uuid,
        int(total) * _MIB,
        int(free) * _MIB,
        (int(major), int(minor)),
        tenants=tenants.get(uuid, ()),
        bus=bus,
        sliced=sliced == "Enabled",
        pcie=(_number(generation), _number(lanes)),
        health=Health(uncorrected=_number(errors), xids=xids(bus)),
    )


def _tenants() -> dict[str, tuple[Tenant, ...]]:
    found: dict[str, tuple[Tenant, ...]] = {}
    for row in _rows("--query-compute-apps=gpu_uuid,pid,used_memory"):
        uuid, pid, used = (cell.strip() for cell in row)
        found[uuid] = (*found.get(uuid, ()), owned(_number(pid), _number(used) * _MIB))
    return found


def _rows(question: str) -> list[list[str]]:
    try:
        told = subprocess.run(
            [PROGRAM, question, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise Unusable(str(fault)) from fault
    if told.returncode:
        raise Unusable((told.stdout + told.stderr).strip().partition("\n")[0])
    rows = [row for row in csv.reader(io.StringIO(told.stdout)) if row]
    if any(len(row) != len(question.split(",")) for row in rows):
        raise Unusable(told.stdout.partition("\n")[0])
    return rows


def _number(text: str) -> int:
    """A whole number; 0 for what the driver does not tell ([N/A])."""
    return int(text) if text.isdigit() else 0
