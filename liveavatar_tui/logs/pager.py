"""A log in the user's own pager. Knows no screen: whoever calls gives the terminal away first and takes it back.

The pager is an argument list, never a shell's line.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

_USUAL: Final = (("less", "-n", "+G"), ("more",))
"""`-n`: counting the lines of 10 GB takes `less` a minute."""


def pager_command(path: Path, environ: Mapping[str, str] = os.environ) -> list[str] | None:
    """The arguments that show `path`: `$PAGER`, else less at the end, else more; None where there is none."""
    own = environ.get("PAGER", "")
    try:
        asked: Sequence[str] = shlex.split(own)
    except ValueError:  # an open quotation mark
        asked = (own,)
    for command in (asked, *_USUAL):
        if command and shutil.which(command[0]):
            return [*command, str(path)]
    return None


def show(command: Sequence[str]) -> int:
    """Run a pager on this terminal until it ends; its exit code. Whoever ends this process ends the pager first."""
    process = subprocess.Popen(command)
    with _signals_to(process):
        return process.wait()


@contextmanager
def _signals_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ctrl+C is the pager's own affair; SIGTERM and SIGHUP end it. The event loop hears of them afterwards: what it
    listens on is written by the interpreter whichever handler is set."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGINT:
            process.terminate()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, pass_on) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
