"""One operator at a time: the turn in which a repository is changed. Knows where the lock lies, not what is changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lora_repository.files import exclusive, writing
from lora_repository.history import this_user

_LOCK: Final = "lock"
_PATIENCE_S: Final = 10.0


@contextmanager
def turn(root: Path, state: Path) -> Iterator[None]:
    """This operator's turn at the repository `root`, whose `state` folder holds the lock.

    Whatever a killed operator left half written is swept away first. Raises Problem LORA045 when another operator does
    not end, LORA049 when the repository cannot be written to.
    """
    with writing(root):
        state.mkdir(exist_ok=True)
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        holder = f"{this_user()}@{os.uname().nodename} (process {os.getpid()}, since {stamp})"
        with exclusive(state / _LOCK, holder, _PATIENCE_S):
            for debris in state.glob(".*.json.*"):
                debris.unlink(missing_ok=True)
            yield
