"""Hashes that are remembered between runs, so that an unchanged file is not read again.

A file counts as unchanged while its device, inode, size, and both its times are the same. Losing the memory costs time
only: it lives in the user's cache folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from lora_repository.files import write_whole
from lora_repository.hashes import sha256_of
from lora_repository.place import explain
from lora_repository.remote_copies import cache_home
from lora_repository.settled import is_settled

_AT_MOST: Final = 20_000
_decoder: Final = msgspec.json.Decoder(dict[str, str])


class HashMemory:
    """SHA-256 by identity of the file, up to 20,000 of them, the oldest forgotten first. Any number of processes."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or cache_home() / "liveavatar-tui" / "hashes.json"
        self._known = _read(self._path)
        self._added: dict[str, str] = {}

    def sha256(self, path: Path, progress: Callable[[int], None] | None = None) -> str:
        """As `sha256_of`, at once for a file that was read before and is unchanged since."""
        key, newest = _identity(path)
        if key in self._known:
            return self._known[key]
        # Asked before the file is read: a change while it is read must show.
        settled = is_settled(newest, path.parent)
        found = sha256_of(path, progress)
        if settled and _identity(path)[0] == key:
            self._known[key] = self._added[key] = found
        return found

    def known(self, path: Path) -> str | None:
        """The file's SHA-256 if it was read before and is unchanged since; raises Problem for a missing file."""
        return self._known.get(_identity(path)[0])

    def save(self) -> None:
        """Keep what was learnt for the next time; other processes' lessons are kept too. A full disk only forgets."""
        if not self._added:
            return
        merged = _read(self._path) | self._added
        newest = dict(list(merged.items())[-_AT_MOST:])
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, msgspec.json.encode(newest))
        except OSError:
            return
        self._added.clear()


def _read(path: Path) -> dict[str, str]:
    try:
        return _decoder.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return {}


def _identity(path: Path) -> tuple[str, int]:
    """The key of the file as it is, and when it was changed last, in ns."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise explain(path, error) from None
    key = f"{os.major(status.st_dev)}.{os.minor(status.st_dev)}.{status.st_ino}.{status.st_size}"
    return f"{key}.{status.st_mtime_ns}.{status.st_ctime_ns}", max(status.st_mtime_ns, status.st_ctime_ns)
