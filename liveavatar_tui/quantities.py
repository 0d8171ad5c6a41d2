"""Numbers as people read them: bytes, spans and moments. Knows no screen and no language: units are international."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path


def bytes_text(count: int) -> str:
    """`812 B`, `4.2 MB`, `31 GB`: powers of 1000, two figures at least."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.1f} {unit}" if size < 9.95 and unit != "B" else f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def span_text(seconds: float) -> str:
    """`0:07`, `12:30`, `3:05:00`."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def moment_text(seconds: float) -> str:
    """A wall time in this host's zone: month, day and minute."""
    return time.strftime("%m-%d %H:%M", time.localtime(seconds)) if seconds else ""


def day_text(moment: datetime | None) -> str:
    """A day."""
    return f"{moment:%Y-%m-%d}" if moment else ""


def path_text(path: Path) -> str:
    """A path with the home folder written `~`: shorter, and a shell still understands it."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path != home and path.is_relative_to(home) else str(path)
