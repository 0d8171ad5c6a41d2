"""Limits of the system that a run would meet after minutes: open files, the cache's place, shared memory, the network.

Each is silent where it is well. Knows no model.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Final
from urllib.parse import urlsplit

from engine.job_folder import APP, reason
from liveavatar_tui.codes import warning
from liveavatar_tui.preflight import codes
from liveavatar_tui.preflight.place import refusal_of
from liveavatar_tui.preflight.report import Examined, examined
from liveavatar_tui.quantities import bytes_text
from lora_repository.finding import Finding
from lora_repository.i18n import _

OPEN_FILES: Final = 256
"""Files of an engine: libraries and weights 120, videos and logs 20, and room for what a library opens."""
SHARED_MEMORY: Final = 1 << 30
"""What the exchange of tensors between cards asks of /dev/shm; docker gives 64 MiB unless told otherwise."""
SHM: Final = Path("/dev/shm")  # noqa: S108  # the mount that POSIX shared memory lives in
HUB: Final = "https://huggingface.co"
_PATIENCE_S: Final = 1.0


def check_system(
    *, on_card: bool, cards: int = 1, shm: Path = SHM, environ: Mapping[str, str] = os.environ
) -> Examined:
    """Open files always; the cache and /dev/shm where cards are at work."""
    findings = _files()
    if on_card:
        findings += _cache(environ)
    if cards > 1:
        findings += _shared_memory(shm)
    return examined("system", _("system"), _("limits"), findings=findings) if findings else Examined(())


def check_network(environ: Mapping[str, str] = os.environ) -> Examined:
    """For a run that lacks something: may it be downloaded, and can the hub be reached. Takes a second at most."""
    variable = next((name for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if _on(environ.get(name))), None)
    host = urlsplit(environ.get("HF_ENDPOINT") or HUB)
    if variable is not None:
        found = [warning(codes.HUB_OFFLINE, variable=variable)]
    else:
        found = _unreachable(host.hostname or "", host.port or (80 if host.scheme == "http" else 443))
    return examined("network", _("network"), host.hostname or "", findings=found)


def _unreachable(host: str, port: int) -> list[Finding]:
    """The name service has no time limit of its own, so it is asked in a thread that nobody waits for longer."""
    faults: list[OSError] = [TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))]

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=_PATIENCE_S).close()
            faults.clear()
        except OSError as fault:
            faults.append(fault)

    asking = Thread(target=connect, daemon=True, name="is the hub there")
    asking.start()
    asking.join(_PATIENCE_S)
    return [warning(codes.HUB_UNREACHABLE, host=host, reason=reason(faults[-1]))] if faults else []


def _on(value: str | None) -> bool:
    return (value or "").upper() in ("1", "ON", "YES", "TRUE")


def _files() -> list[Finding]:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY or limit >= OPEN_FILES:
        return []
    return [warning(codes.FILES_FEW, limit=limit, need=OPEN_FILES)]


def _cache(environ: Mapping[str, str]) -> list[Finding]:
    """The folder that compiled code is kept in, as the engine chooses it."""
    from platformdirs import user_cache_path

    variable = "TORCHINDUCTOR_CACHE_DIR"
    folder = Path(environ.get(variable) or user_cache_path(APP))
    refused = refusal_of(folder)
    return (
        []
        if refused is None
        else [warning(codes.CACHE_UNWRITABLE, path=str(folder), reason=refused, variable=variable)]
    )


def _shared_memory(shm: Path) -> list[Finding]:
    free = shutil.disk_usage(shm).free
    if free >= SHARED_MEMORY:
        return []
    return [warning(codes.SHM_SMALL, free=bytes_text(free), need=bytes_text(SHARED_MEMORY))]
