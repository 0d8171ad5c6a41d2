"""Starting an engine that outlives whoever started it: own session, output to files, nothing shared, no shell."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from engine.identity import Identity, boot_id, start_time
from engine.job_folder import JobFolder, fresh_job_id, reason
from engine.spec import RunSpec, encode
from liveavatar_tui import codes
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.records import write_exit, write_launch
from liveavatar_tui.jobs.watching import read_job
from lora_repository.files import write_whole

ENGINE: Final = (sys.executable, "-m", "engine.inference")
_NAMES: Final = frozenset(
    {"HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LOGNAME", "NO_COLOR", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "USER"}
    | {"VIRTUAL_ENV", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
)
_PREFIXES: Final = (
    *("CUBLAS_", "CUDA_", "CUDNN_", "NCCL_", "NVIDIA_"),  # the cards
    *("GOMP_", "KMP_", "MKL_", "OMP_", "PYTORCH_", "TORCH", "TRITON_"),  # torch and its threads
    *("HF_", "LC_", "LIVEAVATAR_", "SSL_CERT_", "XDG_"),
)


def start(spec: RunSpec, jobs_dir: Path, *, command: Sequence[str] = ENGINE) -> Job:
    """A new job in `jobs_dir`, running `command --spec FILE`; paths in `spec` must be absolute.

    The spec is on the disk before the engine is spawned. Raises `Problem` RUN004 or JOB003; then no folder is left.
    """
    folder = JobFolder(jobs_dir / fresh_job_id())
    folder.create()
    try:
        write_whole(folder.spec, encode(spec))
        engine = _spawn([*command, "--spec", str(folder.spec)], folder, engine_environment(os.environ, spec.language))
        write_launch(folder, engine)
    except OSError as fault:
        _discard(folder)
        raise codes.NOT_STARTED.problem(path=str(folder.root), reason=reason(fault)) from fault
    return read_job(folder)


def engine_environment(inherited: Mapping[str, str], language: str) -> dict[str, str]:
    """What the engine sees: the named variables only. Secrets of the shell and of the terminal stay out."""
    kept = {name: value for name, value in inherited.items() if name in _NAMES or name.startswith(_PREFIXES)}
    told = {
        "LIVEAVATAR_LANG": language,
        "PYTHONFAULTHANDLER": "1",  # a crash of a native library leaves its stack in the log
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "TERM": "dumb",
    }
    return {**kept, **told}


def _spawn(arguments: Sequence[str], folder: JobFolder, environment: Mapping[str, str]) -> Identity:
    log = os.open(folder.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder.root,
            env=dict(environment),
            start_new_session=True,
            close_fds=True,
        )
    finally:
        os.close(log)
    # Not reaped before this line, so the number cannot have been given to another process.
    began = start_time(process.pid)
    threading.Thread(target=_reap, args=(process, folder), name=f"reap-{process.pid}", daemon=True).start()
    assert began is not None, "a process that is not reaped keeps its entry"
    return Identity(process.pid, began, boot_id(), socket.gethostname())


def _reap(process: subprocess.Popen[bytes], folder: JobFolder) -> None:
    """Wait for the engine, so that no zombie stays, and note how it ended."""
    status = process.wait()
    with contextlib.suppress(OSError):  # a folder deleted meanwhile needs no note
        write_exit(folder, status)


def _discard(folder: JobFolder) -> None:
    """Take away what a failed start left: only files that it made itself."""
    for path in (folder.spec, folder.log):
        path.unlink(missing_ok=True)
    if not any(folder.root.iterdir()):
        folder.root.rmdir()
