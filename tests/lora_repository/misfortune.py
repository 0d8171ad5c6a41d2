"""A process without rights, and one that is killed at a chosen change to the file system."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

CHANGES = {
    "open", "os.truncate", "os.rename", "os.remove", "os.symlink", "os.mkdir", "fcntl.flock", "os.link", "os.rmdir",
}  # fmt: skip
"""Audit events of everything that can change a file system here, plus each open and lock."""


def die_at(step: int, act: Callable[[], object]) -> bool:
    """Run `act` in a child that is killed just before its `step`-th change; True when it was."""
    child = os.fork()
    if child == 0:
        seen = [0]

        def watch(event: str, _arguments: object) -> None:
            if event in CHANGES:
                seen[0] += 1
                if seen[0] == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        original = os.fsync

        def fsync(descriptor: int) -> None:
            watch("open", ())
            original(descriptor)

        os.fsync = fsync
        sys.addaudithook(watch)
        act()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def as_an_ordinary_user(prove_it: Callable[[], str]) -> str:
    """The answer of `prove_it` in a child that is nobody: root may read everything, and would see no fault."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        answer = "crashed"
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            answer = prove_it()
        finally:
            os.write(writing, answer.encode())
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    answer = os.read(reading, 65536).decode()
    os.close(reading)
    return answer
