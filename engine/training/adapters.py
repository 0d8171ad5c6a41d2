"""Trainable layers into a model and out of it again, as files that hold to the contract of a version.

PEFT makes the layers, always in float32, whatever the model's own numbers are. Knows no data and no loss.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.training import codes
from lora_repository.base import BaseTable
from lora_repository.config import CONFIG_NAME, ContractConfig
from lora_repository.files import replaced, write_whole
from lora_repository.folder import DMD_NAME, T5_NAME

if TYPE_CHECKING:
    from engine.training.spec import TrainSpec

_UNUSED_RANK: Final = 8
"""What `r` says where there is no adapter of the text encoder."""


@dataclass(frozen=True)
class Adapted:
    """The models that carry trainable layers; `text` is None where the text encoder stays as it is."""

    dit: nn.Module
    text: nn.Module | None

    def parameters(self) -> dict[str, nn.Parameter]:
        """What is trained, by a name that is unique over both models."""
        parts = (("dit", self.dit), ("t5", self.text))
        return {
            f"{part}.{name}": parameter
            for part, model in parts
            if model is not None
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }


def inject(model: nn.Module, table: BaseTable, targets: Sequence[str], rank: int, alpha: float) -> None:
    """Put a trainable layer on every linear that `targets` stand for; all else is frozen. Raises Problem TRAIN020."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as fault:
        raise codes.LIBRARY_MISSING.problem() from fault
    modules = sorted({module for target in targets for module in table.covered_by(target)})
    model.requires_grad_(False)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=modules, lora_dropout=0.0, bias="none")
    inject_adapter_in_model(config, model)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()
            parameter.requires_grad_(True)


def write_version(folder: Path, adapted: Adapted, spec: TrainSpec) -> None:
    """The contract's files in `folder`, config.json last: what is read as a version is whole."""
    from peft import get_peft_model_state_dict

    folder.mkdir(parents=True, exist_ok=True)
    for name, model in ((DMD_NAME, adapted.dit), (T5_NAME, adapted.text)):
        if model is not None:
            state = get_peft_model_state_dict(model)
            save_tensors(folder / name, {key: value.to(torch.float16) for key, value in state.items()})
    config = ContractConfig(
        spec.t5_rank or _UNUSED_RANK, spec.lora_alpha, spec.target_modules, spec.lora_rank, spec.base_adapter or None
    )
    write_whole(folder / CONFIG_NAME, json.dumps(config.as_dict(), indent=2).encode() + b"\n", 0o644)


def save_tensors(path: Path, tensors: dict[str, Tensor], told: dict[str, str] | None = None) -> None:
    """Replace the file at `path`: written beside, synced, renamed; `told` becomes its metadata."""
    with replaced(path) as beside:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, beside, told)
        with beside.open("rb") as file:
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
