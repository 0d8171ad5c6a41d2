"""Writing so that a crash leaves the old state or the new one, and taking turns between operators. Knows no version.

Every function that changes something returns only once the change would survive a loss of power.
"""

from __future__ import annotations

import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lora_repository.codes import NOT_WRITABLE, REPOSITORY_BUSY
from lora_repository.finding import Problem, problem
from lora_repository.i18n import _
from lora_repository.wording import command, shown

_POLL_S = 0.02


def sync_folder(path: Path) -> None:
    """Make the names in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes, mode: int | None = None) -> None:
    """Replace the file at `path` by `data`: written beside with `mode` or that of the old one, fsynced, renamed."""
    with replaced(path) as beside, beside.open("wb") as file:
        if mode is None and path.exists():
            mode = stat.S_IMODE(path.stat().st_mode)
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A name beside `path` for a new file that the body writes and fsyncs; it takes the place of `path` behind it.

    Nothing is left of it when the body raises.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_native_id()}")
    try:
        yield beside
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def append_line(path: Path, line: bytes) -> None:
    """Add one line (without its newline) to `path`; a line torn by an earlier crash is closed off first."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        data = (b"\n" if torn else b"") + line + b"\n"
        if os.write(descriptor, data) != len(data):
            os.ftruncate(descriptor, size)
            raise OSError(28, os.strerror(28))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if size == 0:
        sync_folder(path.parent)


def replace_link(link: Path, target: str, scratch: Path) -> None:
    """Make `link` a symbolic link to `target` in one step; `scratch` is a name on the same file system."""
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(target)
    scratch.replace(link)
    sync_folder(link.parent)


@contextmanager
def exclusive(lock: Path, holder: str, timeout_s: float) -> Iterator[None]:
    """Hold `lock` against other processes, on NFS too; `holder` is what they are told while they wait in vain.

    Raises Problem LORA045 after `timeout_s` seconds, naming who holds it. The kernel frees it when the holder dies.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)
    try:
        _take(descriptor, lock, timeout_s)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode("utf-8", "backslashreplace"), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, lock: Path, timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                raise _busy(descriptor, lock) from None
        time.sleep(_POLL_S)


def _busy(descriptor: int, lock: Path) -> Problem:
    holder = os.pread(descriptor, 500, 0).decode("utf-8", "replace")
    return problem(
        REPOSITORY_BUSY,
        _("The repository is being changed by {holder}.").format(holder=shown(holder) or "?"),
        _("Wait for that to end, then try again; see who holds it: {command}").format(
            command=command("fuser", "-v", lock)
        ),
        path=shown(lock),
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write under `path` into Problem LORA049."""
    try:
        yield
    except OSError as error:
        raise problem(
            NOT_WRITABLE,
            _("{path} cannot be changed: {reason}.").format(path=shown(path), reason=error.strerror or str(error)),
            _("Look at its rights and at the free space: {command}").format(
                command=f"{command('ls', '-ld', path)}; {command('df', '-h', path)}"
            ),
            path=shown(path),
        ) from None
