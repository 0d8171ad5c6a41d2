"""When a file's times can be trusted to change with its bytes. Knows no cache.

A write within the clock's step of the last one leaves the times as they are, so what was read of a file that young may
be older than what its times stand for (git calls it racily clean).
"""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import Final

from lora_repository.file_system import is_remote, kind_of

# FAT counts in steps of 2 s; every other local file system is finer.
_LOCAL_NS: Final = 2_000_000_000
# Times come from the server, whose clock may be behind ours.
_REMOTE_NS: Final = 600_000_000_000


def is_settled(newest_ns: int, near: Path) -> bool:
    """Whether a file in the folder `near`, last changed at `newest_ns`, shows any change from here on in its times.

    Asked before the file is read.
    """
    return time.time_ns() - newest_ns > _patience_ns(near)


@lru_cache(maxsize=256)
def _patience_ns(folder: Path) -> int:
    return _REMOTE_NS if is_remote(kind_of(folder)) else _LOCAL_NS
