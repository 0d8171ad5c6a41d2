"""How much memory this process holds and what is left of the host's: measured, never predicted. Linux only (/proc).

Knows no card and no torch: those are `engine.card_use`'s, so that the face may ask about the host.
"""

from __future__ import annotations

from pathlib import Path

from engine.identity import PROC
from engine.protocol import Memory

CGROUP = Path("/sys/fs/cgroup")
_KIB = 1024


def host_use(proc: Path = PROC) -> Memory:
    """Resident memory of this process and its peak since the start, in bytes."""
    status = _table(proc / "self/status")
    return Memory(device="cpu", used=status["VmRSS"], peak=status["VmHWM"])


def host_available(proc: Path = PROC, cgroup: Path = CGROUP) -> int:
    """Bytes that can still be had without swapping: the host's, or the container's where that is less."""
    available = _table(proc / "meminfo")["MemAvailable"]
    limit, used = _number(cgroup / "memory.max"), _number(cgroup / "memory.current")
    return available if limit is None or used is None else max(0, min(available, limit - used))


def readable(size: float) -> str:
    """Bytes for people, binary units: `3.2 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _table(path: Path) -> dict[str, int]:
    """Lines `Name:  123 kB` as bytes; others are left out."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0].rstrip(":"): int(row[1]) * _KIB for row in rows if len(row) == 3 and row[2] == "kB"}


def _number(path: Path) -> int | None:
    """The number in a control file; None without the file, or where it says `max`."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
