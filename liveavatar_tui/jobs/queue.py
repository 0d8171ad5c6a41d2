"""The line of jobs that wait for a device: one small file in the jobs folder, changed under a lock, read by anybody.

Whose turn it is follows from the file alone, so there is no daemon to ask: every waiting job has a keeper, a small
process of its own (`keeping`), which reads the file and goes when it is its turn. A single usher for the whole line
would cost less memory; but whoever kills it stops everybody, while the death of a keeper stops nobody: its neighbours
replace it, and so does the next look of an app or a command, after a reboot too. The finishing job could start the next
one, and would need a second mechanism for a job that waits until somebody else's memory is free.

Knows no process and no device but by name.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from liveavatar_tui import codes
from lora_repository.files import exclusive, write_whole
from lora_repository.finding import Problem

_PATIENCE_S: Final = 10.0
"""The lock is held for a few milliseconds: whoever holds it longer is stopped or hangs."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One job in the line. `devices` are what it must have alone, `needs` bytes by the engine's name of a device."""

    id: str
    host: str
    devices: tuple[str, ...]
    needs: Mapping[str, int] = {}
    held: bool = False
    """Passed over until somebody releases it."""
    since: float = 0.0
    """Wall seconds."""


Line = tuple[Waiting, ...]


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """Memory that a job was let in for, in bytes by device: taken only bit by bit, as its model is loaded."""

    id: str
    needs: Mapping[str, int] = {}


class _Document(msgspec.Struct, frozen=True):
    waiting: Line = ()
    promised: tuple[Promise, ...] = ()
    """Of jobs that have started; those that ended meanwhile are among them until the next one starts."""


def queue_path(jobs_dir: Path) -> Path:
    """The file that is the line."""
    return jobs_dir / "queue.json"


def read_line(jobs_dir: Path) -> Line:
    """Who waits, first the next one; a missing file, and one that cannot be read, is an empty line."""
    return _read(jobs_dir).waiting


def read_promises(jobs_dir: Path) -> tuple[Promise, ...]:
    """What was promised to jobs that have started, ended ones too."""
    return _read(jobs_dir).promised


def _read(jobs_dir: Path) -> _Document:
    try:
        return msgspec.json.decode(queue_path(jobs_dir).read_bytes(), type=_Document)
    except (OSError, msgspec.DecodeError):
        return _Document()


@contextmanager
def turn(jobs_dir: Path) -> Iterator[None]:
    """While nobody else changes the line; raises `Problem` JOB005 when somebody does for too long."""
    jobs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _exclusive(jobs_dir / "queue.lock"):
        yield


@contextmanager
def _exclusive(lock: Path) -> Iterator[None]:
    guard = exclusive(lock, f"{socket.gethostname()} {time.strftime('%H:%M:%S')}", _PATIENCE_S)
    try:
        guard.__enter__()
    except Problem as busy:
        raise codes.QUEUE_BUSY.problem(path=str(lock)) from busy
    try:
        yield
    finally:
        guard.__exit__(None, None, None)


def change(jobs_dir: Path, edit: Callable[[Line], Line]) -> Line:
    """Replace the line by what `edit` makes of it; the caller has its `turn`. Durable when this returns."""
    before = _read(jobs_dir)
    after = edit(before.waiting)
    if after != before.waiting:
        _write(jobs_dir, _Document(after, before.promised))
    return after


def let_in(jobs_dir: Path, job: Waiting, still: Callable[[str], bool]) -> None:
    """Out of the line, its memory promised; promises of jobs that are not `still` there are forgotten. As `change`."""
    before = _read(jobs_dir)
    kept = tuple(one for one in before.promised if still(one.id))
    _write(jobs_dir, _Document(without(before.waiting, job.id), (*kept, Promise(id=job.id, needs=job.needs))))


def _write(jobs_dir: Path, document: _Document) -> None:
    write_whole(queue_path(jobs_dir), msgspec.json.format(msgspec.json.encode(document), indent=1))


def rearrange(jobs_dir: Path, job: str, edit: Callable[[Line, str], Line]) -> Line:
    """The line with a waiting job moved, held or released; raises `Problem` JOB005, or JOB007 when it does not wait."""
    with turn(jobs_dir):
        if entry(read_line(jobs_dir), job) is None:
            raise codes.NOT_WAITING.problem(name=job)
        return change(jobs_dir, lambda line: edit(line, job))


def wake(jobs_dir: Path) -> None:
    """Give a keeper to every waiting job of this host that lost its own; an empty line costs one look at a file.

    Raises `Problem` JOB005.
    """
    if read_line(jobs_dir):
        from liveavatar_tui.jobs.starting import attend  # what starts processes: 30 ms that a look does not need

        attend(jobs_dir)


def entry(line: Line, job: str) -> Waiting | None:
    """The place of a job, None when it does not wait."""
    return next((one for one in line if one.id == job), None)


def joined(line: Line, new: Waiting) -> Line:
    """With one more at the end."""
    return (*without(line, new.id), new)


def without(line: Line, job: str) -> Line:
    """With one less."""
    return tuple(one for one in line if one.id != job)


def moved(line: Line, job: str, place: int) -> Line:
    """With a job at `place`, counted from 1; beyond the ends is at the ends."""
    found = entry(line, job)
    if found is None:
        return line
    others = without(line, job)
    at = min(max(place, 1), len(line)) - 1
    return (*others[:at], found, *others[at:])


def holding(line: Line, job: str, *, held: bool) -> Line:
    """With a job passed over, or not any more."""
    return tuple(msgspec.structs.replace(one, held=held) if one.id == job else one for one in line)


def ahead(line: Line, job: str) -> Line:
    """Those that go before a job: in front of it, on its host, not held, and after a device that it wants too."""
    found = entry(line, job)
    if found is None:
        return ()
    before = line[: line.index(found)]
    return tuple(one for one in before if not one.held and one.host == found.host and {*one.devices} & {*found.devices})


def neighbours(line: Line, job: str) -> Line:
    """Whom the keeper of a job looks after: the one before and the one behind on the same host, around the ends.

    One that runs is not in the line; it looks after the first.
    """
    same = [one for one in line if one.host == socket.gethostname()]
    at = next((index for index, one in enumerate(same) if one.id == job), None)
    if at is None:
        return tuple(same[:1])
    others = {one.id: one for one in (same[at - 1], same[(at + 1) % len(same)])}
    return tuple(one for one in others.values() if one.id != job)
