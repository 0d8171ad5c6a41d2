"""A training on the disk: one file from which it goes on bit by bit, and a version by the contract for each checkpoint.

Chance needs no place in it (`randomness`), so weights, the optimiser's moments and the step are all. Knows no data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from engine.training import codes
from engine.training.adapters import save_tensors
from engine.training.places import resume_file
from engine.training.spec import TrainSpec
from engine.training.watch import Memory

_MOMENTS: Final = ("exp_avg", "exp_avg_sq")


class Position(msgspec.Struct, frozen=True):
    """How far a training is: `step` counts finished steps; `memory` is what its watch has seen."""

    step: int
    spec: TrainSpec
    memory: Memory


@dataclass(frozen=True)
class Training:
    """What changes from step to step: parameters by name, and their optimiser."""

    parameters: dict[str, nn.Parameter]
    optimiser: torch.optim.AdamW

    def tensors(self) -> dict[str, Tensor]:
        """All of it, as it is kept."""
        found: dict[str, Tensor] = {}
        for name, parameter in self.parameters.items():
            found[f"weight/{name}"] = parameter
            for moment in _MOMENTS:
                found[f"{moment}/{name}"] = self.optimiser.state[parameter][moment]
        return found

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor], step: int) -> None:
        """Stand where `tensors` were kept, after `step` steps; raises KeyError, RuntimeError for those of another."""
        for name, parameter in self.parameters.items():
            parameter.copy_(tensors[f"weight/{name}"])
            moments = {moment: tensors[f"{moment}/{name}"].to(parameter) for moment in _MOMENTS}
            self.optimiser.state[parameter] = {"step": torch.tensor(float(step)), **moments}


def keep(spec: TrainSpec, training: Training, position: Position) -> None:
    """Write where the training stands, whole or not at all."""
    path = resume_file(spec)
    save_tensors(path, training.tensors(), {"position": msgspec.json.encode(position).decode()})


def go_on(spec: TrainSpec, training: Training) -> Position:
    """Stand where the training was left; raises Problem TRAIN005 for other flags, TRAIN006 for a damaged file."""
    path = resume_file(spec)
    try:
        with safe_open(path, framework="pt") as file:
            position = msgspec.json.decode(file.metadata()["position"], type=Position)
            require_same(spec, position.spec)
            training.restore({name: file.get_tensor(name) for name in file.keys()}, position.step)  # noqa: SIM118
    except (SafetensorError, msgspec.MsgspecError, KeyError, RuntimeError, OSError) as fault:
        raise codes.RESUME_DAMAGED.problem(path=spec.output_dir, reason=str(fault)) from fault
    return position


def require_same(spec: TrainSpec, before: TrainSpec) -> None:
    """Raises Problem TRAIN005, exit code 2, where `spec` would lead to other weights."""
    field = spec.differs(before)
    if field:
        found, expected = getattr(spec, field), getattr(before, field)
        raise codes.RESUME_DIFFERS.problem(
            exit_code=2, path=spec.output_dir, field=f"--{field}", found=found, expected=expected
        )
