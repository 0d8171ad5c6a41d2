"""Compilation by regions: one block of a model is compiled and serves all its blocks; results are kept on disk.

Knows no card: what compiles here runs anywhere. One number: compiling a block and an injector takes some 20 s the first
time on a machine, and 3 s from the disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import torch

from engine.model.dit import DiT

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_CACHE: Final = "TORCHINDUCTOR_CACHE_DIR"
_FORMS: Final = 64
"""Shapes that one function is compiled for before torch refuses another: a resident engine sees several sizes."""


def keep_compiled(folder: Path) -> None:
    """Keep what is compiled under `folder`, unless the user has named another place."""
    os.environ.setdefault(_CACHE, str(folder))


def be_deterministic() -> None:
    """Same inputs, same bits, run after run: nothing is chosen by how fast it happened to be.

    Call before anything is compiled or convolved.
    """
    import torch._inductor.config

    torch._inductor.config.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def compile_blocks(dit: DiT) -> None:
    """Compile the model's blocks and injectors at their first call; shapes are fixed, one set for each that comes."""
    _allow_forms()
    for module in (*dit.blocks, *dit.audio_injector.injector):
        module.compile(fullgraph=True, dynamic=False)


@cache
def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A function compiled for the shapes that it is called with."""
    _allow_forms()
    return torch.compile(function, fullgraph=True, dynamic=False)


def _allow_forms() -> None:
    import torch._dynamo.config

    torch._dynamo.config.recompile_limit = _FORMS
