"""SHA-256 of files, read in pieces, safe against a file that changes while it is read. Knows no version."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lora_repository.codes import CHANGED_WHILE_READ
from lora_repository.finding import Problem, problem
from lora_repository.i18n import _
from lora_repository.place import explain, open_regular
from lora_repository.wording import shown

_PIECE: Final = 1 << 20


def sha256_of(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """The file's SHA-256 in hex; `progress` is told the bytes of each piece.

    Raises Problem LORA006 to LORA010 for the place, LORA030 when the file changed while it was read.
    """
    digest = hashlib.sha256()
    piece = bytearray(_PIECE)
    view = memoryview(piece)
    try:
        with open_regular(path) as file:
            before = os.fstat(file.fileno())
            while count := file.raw.readinto(view):
                digest.update(view[:count])
                if progress is not None:
                    progress(count)
            after = os.fstat(file.fileno())
    except OSError as error:
        raise explain(path, error) from None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise changed_meanwhile(path)
    return digest.hexdigest()


def changed_meanwhile(path: Path) -> Problem:
    """The Problem of a file whose size or time changed between the first and the last byte read."""
    return problem(
        CHANGED_WHILE_READ,
        _("{file} changed while it was read.").format(file=shown(path.name)),
        _("Wait until whoever writes it has ended, then try again."),
        path=shown(path),
    )
