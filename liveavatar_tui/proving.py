"""Who proves a LoRA: the linears of the base model in use, read from its headers, held against an adapter's folder.

Knows no torch and no screen. The engine proves against the same table, so what is proved here loads there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.checkpoint_layout import CheckpointLayout, find_layout
from engine.pth_header import read_shapes
from lora_repository.base import BaseTable
from lora_repository.header import read_header
from lora_repository.proof import Proof, prove

Prover = Callable[[Path], Proof]


def prover_for(ckpt_dir: str) -> Prover:
    """A function that proves a LoRA against the base model in `ckpt_dir`; the model is read when it is first asked.

    The function raises `Problem` (RUN010 to RUN016) where the base model itself is not whole.
    """
    tables: list[tuple[BaseTable, BaseTable]] = []

    def prover(path: Path) -> Proof:
        if not tables:
            tables.append(base_tables(find_layout(ckpt_dir)))
        dit, t5 = tables[0]
        return prove(path, dit, t5)

    return prover


def base_tables(layout: CheckpointLayout) -> tuple[BaseTable, BaseTable]:
    """The linears of the video model and of the text encoder of one base model."""
    name = "embedded" if layout.embedded else layout.root.name
    dit = BaseTable.from_safetensors(layout.dit_files, name)
    return dit, BaseTable.from_shapes(f"{name} T5", tensor_shapes(layout.t5))


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor in a `.safetensors` or `.pth` file; raises `Problem`."""
    if path.suffix == ".pth":
        return read_shapes(path)
    return {name: tensor.shape for name, tensor in read_header(path).tensors.items()}
