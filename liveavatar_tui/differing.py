"""The difference of two LoRAs against the base model of the settings, or its known table where it is not here.

A use-case between `lora_repository` and whoever asks. Slow: it reads both adapters, and once the base model.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.checkpoint_layout import find_layout
from lora_repository.base import BaseTable
from lora_repository.base_norms import BaseNorms
from lora_repository.difference import Compared, Difference, Progress, differ
from lora_repository.finding import Problem
from lora_repository.proof import prove

if TYPE_CHECKING:
    from lora_repository.part import Target


def difference_of(ckpt_dir: str, a: tuple[str, Path], b: tuple[str, Path], progress: Progress | None) -> Difference:
    """Compare two LoRAs, each a name and the place that it stands for.

    Where the base model is not on this host, both are held against the known table of Wan2.2-S2V-14B, and strengths are
    absolute. Raises as `differ`.
    """
    dit, t5, norms = _base(ckpt_dir)
    one, two = (Compared(name, prove(path, dit, t5)) for name, path in (a, b))
    return differ(one, two, norms, progress)


def _base(ckpt_dir: str) -> tuple[BaseTable, BaseTable, dict[Target, BaseNorms]]:
    from engine.resolving import base_tables

    try:
        layout = find_layout(ckpt_dir)
        dit, t5 = base_tables(layout)
    except Problem:
        return BaseTable.known_14b(), BaseTable.known_umt5_xxl(), {}
    norms: dict[Target, BaseNorms] = {"dit": BaseNorms(layout.dit_files)}
    # A pickled text encoder is never opened for its numbers.
    if layout.t5.suffix == ".safetensors":
        norms["t5"] = BaseNorms([layout.t5])
    return dit, t5, norms
