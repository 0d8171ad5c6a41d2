"""Faults of cards that the kernel's log holds (Xid). A log that is closed to this user tells nothing."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Final

KERNEL_LOG: Final = Path("/dev/kmsg")
_RECORD: Final = 8192
_XID: Final = re.compile(r"NVRM: Xid \(PCI:([0-9a-fA-F:.]+)\): (\d+)")
_HARMLESS: Final = frozenset({13, 31, 43, 45})
"""Faults of a program, not of a card: bad addresses, stopped channels."""


def xids(bus: str, log: Path = KERNEL_LOG) -> tuple[int, ...]:
    """Numbers of the faults of the card at `bus` (such as `0000:3b:00.0`), each once, that point at the card itself."""
    at = bus.lower()[:10]
    return tuple(sorted({number for where, number in faults(log) if at and where[:10] == at}))


@cache
def faults(log: Path = KERNEL_LOG) -> tuple[tuple[str, int], ...]:
    """(bus, number) of every fault in the log, read once a process."""
    found = ((match[1].lower(), int(match[2])) for match in _XID.finditer(_text(log)))
    return tuple((bus, number) for bus, number in found if number not in _HARMLESS)


def _text(log: Path) -> str:
    """Everything in the log; the kernel's own device gives one record a read and would wait at its end."""
    try:
        descriptor = os.open(log, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    pieces = []
    try:
        while piece := os.read(descriptor, _RECORD):
            pieces.append(piece)
    except OSError:  # the end of the kernel's log, or a record that was overwritten
        pass
    finally:
        os.close(descriptor)
    return b"".join(pieces).decode("utf-8", "replace")
