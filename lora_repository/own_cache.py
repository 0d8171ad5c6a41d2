"""Files of a cache that only their owner may have written: checked when read, replaced whole, few of them kept.

What is broken, foreign or writable by others is as good as missing. Knows nothing of what they hold.
"""

from __future__ import annotations

import os
import stat
import time
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

from lora_repository.files import write_whole

_DIGEST: Final = 32
_LARGEST: Final = 64 << 20
_STALE_S: Final = 3600.0


def read_own(path: Path) -> bytes | None:
    """What `write_own` wrote to `path`; None for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:  # noqa: PTH123  # a descriptor
        status = os.fstat(file.fileno())
        foreign = status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if foreign or not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            return None
        try:
            digest, data = file.read(_DIGEST), file.read()
        except OSError:
            return None
    return data if blake2b(data, digest_size=_DIGEST).digest() == digest else None


def write_own(path: Path, data: bytes, keep: int) -> None:
    """Replace `path`, and take away all but the newest `keep` files of its kind (`<kind>-<name>`).

    A full disk or a folder that cannot be written to only forgets.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, blake2b(data, digest_size=_DIGEST).digest() + data, mode=0o600)
        kind = path.name.partition("-")[0]
        same_kind = sorted(path.parent.glob(f"{kind}-*"), key=lambda file: file.stat().st_mtime_ns)
        # What killed writers left: no write takes an hour.
        debris = [file for file in path.parent.glob(f".{kind}-*") if time.time() - file.stat().st_mtime > _STALE_S]
        for old in [*same_kind[:-keep], *debris]:
            old.unlink(missing_ok=True)
    except OSError:
        return


@cache
def code_digest() -> str | None:
    """Of this package's own code, None without it: other rules make other results, counted as a version or not."""
    digest = blake2b(digest_size=_DIGEST)
    files = sorted(Path(__file__).parent.glob("*.[pj]*"))
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest() if files else None
