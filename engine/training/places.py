"""Where the parts of a training lie below its output folder. Knows no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engine.training.spec import TrainSpec

_RESUME: Final = "resume.safetensors"
_CHECKPOINTS: Final = "checkpoints"


def resume_file(spec: TrainSpec) -> Path:
    """What a training goes on from."""
    return Path(spec.output_dir) / _CHECKPOINTS / _RESUME


def begun(spec: TrainSpec) -> bool:
    """Whether there is a training to go on with."""
    return resume_file(spec).exists()


def checkpoint(spec: TrainSpec, step: int) -> Path:
    """The folder of a checkpoint, a version by the contract."""
    return Path(spec.output_dir) / _CHECKPOINTS / f"step-{step:06d}"


def checkpoints(output_dir: Path) -> list[Path]:
    """All checkpoints of a training, the oldest first."""
    return sorted((output_dir / _CHECKPOINTS).glob("step-*"))


def cache(spec: TrainSpec) -> Path:
    """What was computed of the files."""
    return Path(spec.output_dir) / "cache"
