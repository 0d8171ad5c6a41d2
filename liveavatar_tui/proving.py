"""Who proves a LoRA: the linears of the base model in use, read from its headers, held against an adapter's folder.

Knows no torch and no screen. The engine proves against the same table, so what is proved here loads there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from engine.checkpoint_layout import find_layout
from lora_repository.base import BaseTable
from lora_repository.proof import Proof, prove

Prover = Callable[[Path], Proof]


def prover_for(ckpt_dir: str) -> Prover:
    """A function that proves a LoRA against the base model in `ckpt_dir`; the model is read when it is first asked.

    The function raises `Problem` (RUN010 to RUN016) where the base model itself is not whole.
    """

    @cache
    def tables() -> tuple[BaseTable, BaseTable]:
        from engine.resolving import base_tables  # reads media as well: 0.1 s that only a proof has to wait for

        return base_tables(find_layout(ckpt_dir))

    return lambda path: prove(path, *tables())
