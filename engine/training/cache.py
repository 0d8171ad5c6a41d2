"""What was computed of a file once is read again: tensors on the disk by what they were made of.

Knows no model. A file that cannot be read is made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from engine.training.adapters import save_tensors

_ONE = "tensor"


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp(paths: list[Path]) -> str:
    """Of large files: names, sizes and times instead of their bytes."""
    seen = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(repr(seen).encode()).hexdigest()


class Cache:
    """A folder of tensors; `base` says what made them all. Mutable on the disk only."""

    def __init__(self, folder: Path, base: str) -> None:
        self._folder = folder
        self._base = base
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, make: Callable[[], Tensor], *parts: object) -> Tensor:
        """The tensor that `make` gives for `parts`, on the host."""
        key = hashlib.sha256(repr((self._base, *parts)).encode()).hexdigest()
        path = self._folder / f"{key}.safetensors"
        if path.exists():
            try:
                return load_file(path)[_ONE]
            except (SafetensorError, KeyError, OSError):
                path.unlink(missing_ok=True)
        made = make().detach().cpu().contiguous()
        save_tensors(path, {_ONE: made})
        return made
