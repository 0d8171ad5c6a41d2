"""Starting jobs that outlive whoever started them: at once or in the queue, each with a keeper of its own (`keeping`).

The keeper gets a session of its own, no terminal, files for output, named variables only; no shell is involved. Knows
no screen.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from engine.job_folder import JobFolder, fresh_job_id, lock_owner, reason
from engine.spec import RunSpec, encode
from engine.training.spec import TrainSpec
from engine.training.spec import encode as encode_training
from liveavatar_tui import codes
from liveavatar_tui.jobs.devices import Claim
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.queue import Line, Waiting, change, joined, neighbours, read_line, turn, without
from liveavatar_tui.jobs.records import (
    command_path,
    keeper_lock,
    origin_path,
    read_command,
    read_launch,
    write_command,
    write_origin,
)
from liveavatar_tui.jobs.sheltering import look, scope_command
from liveavatar_tui.jobs.sweeping import BRAND
from liveavatar_tui.jobs.watching import read_job
from lora_repository.files import write_whole
from lora_repository.finding import Problem
from lora_repository.i18n import _, language

ENGINE: Final = (sys.executable, "-m", "engine.inference")
_ANSWER_S: Final = 30.0
"""A keeper answers within 0.2 s; a host that swaps may take this long."""
_NAMES: Final = frozenset(
    {"HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LOGNAME", "NO_COLOR", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "USER"}
    | {"DBUS_SESSION_BUS_ADDRESS", "VIRTUAL_ENV"}
    | {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
)
_PREFIXES: Final = (
    *("CUBLAS_", "CUDA_", "CUDNN_", "NCCL_", "NVIDIA_"),  # the cards
    *("GOMP_", "KMP_", "MKL_", "OMP_", "PYTORCH_", "TORCH", "TRITON_"),  # torch and its threads
    *("HF_", "LC_", "LIVEAVATAR_", "SSL_CERT_", "XDG_"),
)


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What a keeper is told. `ready` is a descriptor for its answer, `devices` those of a job that does not queue."""

    command: tuple[str, ...]
    queued: bool
    devices: tuple[str, ...] = ()
    scope: str = ""
    ready: int | None = None


def start(
    spec: RunSpec | TrainSpec,
    jobs_dir: Path,
    *,
    claim: Claim | None = None,
    command: Sequence[str] = ENGINE,
    repeats: str = "",
) -> Job:
    """A new job in `jobs_dir`, running `command --spec FILE` at once; paths in `spec` must be absolute.

    The spec is on the disk before the engine is spawned. Raises `Problem` RUN004 or JOB003; then no folder is left.
    """
    devices = (claim or Claim()).devices
    return _begin(spec, jobs_dir, Orders(command=tuple(command), queued=False, devices=devices), None, repeats)


def submit(spec: RunSpec, jobs_dir: Path, claim: Claim, *, command: Sequence[str] = ENGINE, repeats: str = "") -> Job:
    """A new job at the end of the queue; it runs when this returns if it need not wait.

    Raises `Problem` RUN004, JOB003 or JOB005; then no folder is left.
    """
    return _begin(spec, jobs_dir, Orders(command=tuple(command), queued=True), claim, repeats)


def attend(jobs_dir: Path, *, near: str | None = None) -> int:
    """Give a keeper to waiting jobs of this user and host that lost theirs, to a kill or a reboot; how many there were.

    `near` a job, for its keeper: its neighbours only, never itself. What waits no more leaves the queue. Raises
    `Problem` JOB005.
    """
    line = read_line(jobs_dir)
    own: Line = tuple(one for one in line if one.host == socket.gethostname())
    looked_at = own if near is None else neighbours(line, near)
    alone = [one for one in looked_at if lock_owner(keeper_lock(JobFolder(jobs_dir / one.id))) is None]
    return sum(_keep_again(JobFolder(jobs_dir / one.id)) for one in alone)


def _keep_again(folder: JobFolder) -> bool:
    """A keeper for a waiting job without one, or it out of the queue; False where that is another user's to do.

    The command is read from the job's own folder, which only its owner can write: never from the queue's file.
    """
    command = read_command(folder)
    if folder.spec.exists() and folder.root.stat().st_uid != os.geteuid():
        return False
    if command is not None and not folder.holds_a_run() and read_launch(folder) is None:
        _summon(folder, Orders(command=command, queued=True), _inherited(language()))
    else:
        with turn(folder.root.parent):
            change(folder.root.parent, lambda line: without(line, folder.root.name))
    return True


def _begin(spec: RunSpec | TrainSpec, jobs_dir: Path, orders: Orders, claim: Claim | None, repeats: str) -> Job:
    folder = JobFolder(jobs_dir / fresh_job_id())
    folder.create()
    try:
        write_whole(folder.spec, encode(spec) if isinstance(spec, RunSpec) else encode_training(spec))
        write_command(folder, orders.command)
        if repeats:
            write_origin(folder, repeats)
        if claim is not None:
            _queue(folder, claim)
        fault = _summon(folder, orders, _inherited(spec.language))
    except OSError as error:
        fault = reason(error)
    except Problem:
        _discard(folder)
        raise
    if fault:
        _discard(folder)
        raise codes.NOT_STARTED.problem(path=str(folder.root), reason=fault)
    return read_job(folder)


def _queue(folder: JobFolder, claim: Claim) -> None:
    waiting = Waiting(
        id=folder.root.name,
        host=socket.gethostname(),
        devices=claim.devices,
        needs=claim.needs or {},
        since=time.time(),
    )
    with turn(folder.root.parent):
        change(folder.root.parent, lambda line: joined(line, waiting))


def _inherited(language: str) -> dict[str, str]:
    return engine_environment(os.environ, language)


def engine_environment(inherited: Mapping[str, str], language: str) -> dict[str, str]:
    """What keeper and engine see: the named variables only. Secrets of the shell and of the terminal stay out."""
    kept = {name: value for name, value in inherited.items() if name in _NAMES or name.startswith(_PREFIXES)}
    told = {
        "LIVEAVATAR_LANG": language,
        "PYTHONFAULTHANDLER": "1",  # a crash of a native library leaves its stack in the log
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "TERM": "dumb",
    }
    kept.pop(BRAND, None)  # a keeper started from inside a job belongs to its own
    return {**kept, **told}


def _summon(folder: JobFolder, orders: Orders, environment: Mapping[str, str]) -> str:
    """A keeper for the job, in a scope of its own where one is of use; what came in the way, empty for nothing."""
    if look().scope:
        scope = f"liveavatar-{folder.root.name}-{os.urandom(2).hex()}.scope"
        sheltered = msgspec.structs.replace(orders, scope=f"scope {scope}")
        if not _spawn(folder, sheltered, environment, scope_command(scope)):
            return ""
    return _spawn(folder, orders, environment, [])


def _spawn(folder: JobFolder, orders: Orders, environment: Mapping[str, str], before: Sequence[str]) -> str:
    """The keeper as a process; returns when it has answered, with what came in its way."""
    answer, ready = os.pipe()
    told = msgspec.json.encode(msgspec.structs.replace(orders, ready=ready)).decode()
    log = os.open(folder.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        keeper = subprocess.Popen(
            [*before, sys.executable, "-m", "liveavatar_tui.jobs.keeping", str(folder.root), told],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder.root,
            env=dict(environment),
            start_new_session=True,
            pass_fds=(ready,),
        )
    except OSError as fault:
        os.close(answer)
        return reason(fault)
    finally:
        os.close(ready)
        os.close(log)
    threading.Thread(target=keeper.wait, name=f"reap-{keeper.pid}", daemon=True).start()  # no zombie stays
    return _fault(answer)


def _fault(answer: int) -> str:
    """What the keeper says came in its way; empty when nothing did."""
    try:
        if not select.select([answer], [], [], _ANSWER_S)[0]:
            return _("the keeper does not answer")
        word = os.read(answer, 4096).decode("utf-8", "replace")
    finally:
        os.close(answer)
    if not word:
        return _("the keeper ended before it answered")
    return word.removeprefix("fault ") if word.startswith("fault ") else ""


def _discard(folder: JobFolder) -> None:
    """Take away what a failed start left: only what it made itself."""
    if any(one.id == folder.root.name for one in read_line(folder.root.parent)):
        with turn(folder.root.parent):
            change(folder.root.parent, lambda line: without(line, folder.root.name))
    for path in (folder.spec, folder.log, command_path(folder), origin_path(folder), keeper_lock(folder)):
        path.unlink(missing_ok=True)
    if not any(folder.root.iterdir()):
        folder.root.rmdir()
