"""Constants that were measured here: kept for each card, driver, torch, cuDNN and engine, and only used for those.

Imports no torch: versions are read from the installed packages' own records. `engine.calibrate` writes what this reads.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

from engine import __version__
from engine.job_folder import jobs_root
from engine.memory.constants import PRIOR, Constants
from engine.memory.plan import HOST
from engine.probe import Machine
from lora_repository.files import write_whole

_CUDNN: Final = ("nvidia-cudnn-cu13", "nvidia-cudnn-cu12")


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """What calibration found for one key; None where it says nothing. `error` is its largest miss, a share."""

    context: int | None = None
    libraries: int | None = None
    scale: float | None = None
    extra: int | None = None
    host_process: int | None = None
    host_cuda: int | None = None
    error: float = 0.0
    when: float = 0.0

    def constants(self) -> Constants:
        """The table with these in place of the priors."""
        values = msgspec.structs.asdict(self)
        found = {name: values[name] for name in _FIELDS if values[name] is not None}
        return replace(PRIOR, **found, calibrated=True)


_FIELDS: Final = ("context", "libraries", "scale", "extra", "host_process", "host_cuda")


def calibration_file() -> Path:
    """Where the constants of this user's machines are."""
    return jobs_root().parent / "calibration.json"


def key_of(machine: Machine, device: str) -> str:
    """What constants belong to: card (or the host's name), driver, torch, cuDNN, engine."""
    card = next((card for card in machine.cards if card.device == device), None)
    where = (machine.host.name, HOST) if card is None else (card.name, f"driver {machine.driver}")
    return " | ".join((*where, f"torch {package('torch')}", f"cudnn {_cudnn()}", f"engine {__version__}"))


def constants_for(machine: Machine, device: str, file: Path | None = None) -> Constants:
    """The constants of this card or host, else the priors. A file that cannot be read counts as none."""
    fitted = stored(file or calibration_file()).get(key_of(machine, device))
    return PRIOR if fitted is None else fitted.constants()


def stored(file: Path) -> dict[str, Fitted]:
    """Every calibration in the file."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Fitted])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}


def store(file: Path, key: str, fitted: Fitted) -> None:
    """Keep a calibration, in place of an older one of the same key; raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, msgspec.json.format(msgspec.json.encode(stored(file) | {key: fitted})) + b"\n")


@cache
def package(name: str) -> str:
    """The installed version of a package, empty without it; looked up once a process."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _cudnn() -> str:
    """cuDNN comes with torch as a package of its own, named after CUDA's version."""
    return next((version for name in _CUDNN if (version := package(name))), "")
