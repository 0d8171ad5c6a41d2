"""What runs were predicted to take and took: a line for each, kept beside the jobs. How far off the last one was.

Appended by the engine when a run ends, read by the app. Knows no model and imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from engine.job_folder import jobs_root
from engine.memory.ours import Case
from engine.memory.speed import Pace, expected_pace
from lora_repository.files import append_line

_READ: Final = 1 << 20
"""Bytes from the file's end that are read: some 2,000 runs."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One run on one device, sizes in bytes by stage; `key` as `calibration.key_of`, `case` as `case_name`."""

    key: str
    case: str
    device: str
    predicted: dict[str, int]
    measured: dict[str, int]
    fps: float = 0.0
    frames: int = 0
    when: float = 0.0
    job: str = ""

    @property
    def error(self) -> float:
        """Share by which the peak was predicted too high (above 0) or too low."""
        peak = max(self.measured.values(), default=0)
        return max(self.predicted.values(), default=0) / peak - 1 if peak else 0.0

    def differences(self) -> dict[str, int]:
        """Predicted less measured, in bytes, by stage."""
        return {stage: self.predicted[stage] - size for stage, size in self.measured.items() if stage in self.predicted}


def records_file() -> Path:
    """Where this user's runs are noted."""
    return jobs_root().parent / "measured.jsonl"


def case_name(case: Case) -> str:
    """What two runs have in common that take the same time and memory."""
    mode = case.mode
    sizes = f"{case.config.num_layers}x{case.config.dim} {case.width}x{case.height} {case.passes} passes"
    held = f"{'fp8' if mode.fp8 else 8 * mode.width} cache {8 * mode.cache_width} pristine {mode.pristine}"
    return f"{sizes} {held}{' offload' if mode.offload else ''}"


def note(run: Measured, file: Path | None = None) -> None:
    """Add a line; raises OSError."""
    place = file or records_file()
    place.parent.mkdir(parents=True, exist_ok=True)
    append_line(place, msgspec.json.encode(run))


def recent(file: Path | None = None) -> list[Measured]:
    """The newest runs, oldest first; lines that cannot be read are left out, as a run cut off while it wrote."""
    try:
        with (file or records_file()).open("rb") as opened:
            opened.seek(max(0, opened.seek(0, 2) - _READ))
            lines = opened.read().split(b"\n")
    except OSError:
        return []
    found = (_decoded(line) for line in lines)
    return [run for run in found if run is not None]


def _decoded(line: bytes) -> Measured | None:
    try:
        return msgspec.json.decode(line, type=Measured)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def last(runs: list[Measured], key: str, case: str) -> Measured | None:
    """The newest run of that card or host that was the same."""
    return next((run for run in reversed(runs) if (run.key, run.case) == (key, case)), None)


def pace_of(case: Case, name: str, runs: list[Measured], key: str) -> Pace | None:
    """Frames a second: of the newest run that was the same, else from the card's table, else None."""
    same = last([run for run in runs if run.fps], key, case_name(case))
    return Pace(same.fps, measured=True) if same is not None else expected_pace(case, name)


def difference_rows(run: Measured) -> list[tuple[str, int, int, int]]:
    """Stage, predicted, measured, predicted less measured: bytes."""
    apart: Mapping[str, int] = run.differences()
    return [(stage, run.predicted[stage], run.measured[stage], gap) for stage, gap in apart.items()]
