"""Everything that can be known wrong about a training before torch is imported. Reads headers and names of files."""

from __future__ import annotations

from pathlib import Path

from engine.checkpoint_layout import CheckpointLayout, find_layout
from engine.resolving import prove_stack
from engine.training import codes, places
from engine.training.material import Material, find_material
from engine.training.spec import TrainSpec
from lora_repository.i18n import _


def check(spec: TrainSpec, *, resume: bool) -> tuple[CheckpointLayout, Material]:
    """Everything that can be wrong before a weight is read; raises Problem."""
    check_values(spec)
    layout = find_layout(spec.base_model)
    if spec.base_adapter:
        prove_stack((Path(spec.base_adapter),), layout)
    if not resume and places.begun(spec):
        raise codes.OUTPUT_TAKEN.problem(exit_code=2, path=spec.output_dir)
    return layout, find_material(spec)


def check_values(spec: TrainSpec) -> None:
    """Numbers that no training can have; raises Problem TRAIN001, exit code 2."""
    positive = _("a number above 0")
    _require(bool(spec.output_dir), "output_dir", spec.output_dir, _("a folder"))
    for field in ("lora_rank", "lora_alpha", "learning_rate", "num_train_epochs", "batch_size", "blocks"):
        _require(getattr(spec, field) > 0, field, getattr(spec, field), positive)
    for field in ("t5_rank", "save_every"):
        _require(getattr(spec, field) >= 0, field, getattr(spec, field), _("0 or more"))
    for field in ("own_path", "held_out"):
        _require(0 <= getattr(spec, field) < 1, field, getattr(spec, field), _("a share from 0 to below 1"))
    _require(bool(spec.target_modules), "target_modules", "", "attn ffn")


def _require(good: bool, field: str, value: object, expected: str) -> None:
    if not good:
        raise codes.VALUE_WRONG.problem(exit_code=2, field=f"--{field}", value=value, expected=expected)
