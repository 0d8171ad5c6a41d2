"""Who proves a LoRA: the linears of the base model in use, read from its headers, held against an adapter's folder.

Knows no torch and no screen. The engine proves against the same table, so what is proved here loads there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from engine.checkpoint_layout import find_layout
from lora_repository.base import BaseTable
from lora_repository.finding import Problem
from lora_repository.proof import Proof, prove
from lora_repository.settled import is_settled

Prover = Callable[[Path], Proof]
_MAKERS: Final = ("checkpoint_layout.py", "resolving.py", "pth_header.py")


def prover_for(ckpt_dir: str) -> Prover:
    """A function that proves a LoRA against the base model in `ckpt_dir`; the model is read when it is first asked.

    The function raises `Problem` (RUN010 to RUN016) where the base model itself is not whole.
    """

    @cache
    def tables() -> tuple[BaseTable, BaseTable]:
        from engine.resolving import base_tables  # reads media as well: 0.1 s that only a proof has to wait for

        return base_tables(find_layout(ckpt_dir))

    return lambda path: prove(path, *tables())


def base_identity(ckpt_dir: str) -> str | None:
    """What changes whenever the linears of the base model in `ckpt_dir` may have; None where that is not sure.

    Looks at names, inodes, sizes and times, and reads no weights; the code that makes linears of them counts as well.
    """
    try:
        layout = find_layout(ckpt_dir)
        code = Path(find_layout.__code__.co_filename).parent
        told = [ckpt_dir, *((code / name).read_text(encoding="utf-8") for name in _MAKERS)]
        for path in (layout.dit_config, *layout.dit_files, layout.t5):
            status = path.stat()
            newest = max(status.st_mtime_ns, status.st_ctime_ns)
            if not is_settled(newest, path.parent):
                return None
            told.append(
                f"{path} {status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
            )
    except (OSError, Problem):
        return None
    return "\n".join(told)
