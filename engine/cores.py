"""How many processor cores this process may use: by affinity and by the container's quota, not by the machine."""

from __future__ import annotations

import math
import os
from pathlib import Path

from engine.memory_use import CGROUP


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Cores of the affinity mask, or the container's quota rounded up where that is less; at least 1."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, math.ceil(int(quota) / int(period))))
