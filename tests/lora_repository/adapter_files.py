"""Adapters and bases for the tests: real safetensors files written with `struct` and `json`, no tensor library."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lora_repository.base import BaseTable
from lora_repository.header import BITS

DIT = BaseTable(
    "small-dit",
    {
        f"{block}.{leaf}": shape
        for block in ("blocks.0", "blocks.1")
        for leaf, shape in {
            **{f"{attention}.{side}": (16, 16) for attention in ("self_attn", "cross_attn") for side in "qkvo"},
            "ffn.0": (32, 16),
            "ffn.2": (16, 32),
        }.items()
    }
    | {f"audio_injector.injector.0.{side}": (16, 16) for side in "qkvo"}
    | {"text_embedding.0": (16, 12), "head.head": (8, 16)},
)
T5 = BaseTable(
    "small-t5",
    {f"blocks.0.attn.{side}": (12, 12) for side in "qkvo"}
    | {"blocks.0.ffn.gate.0": (24, 12), "blocks.0.ffn.fc1": (24, 12), "blocks.0.ffn.fc2": (12, 24)},
)
CONFIG = {"r": 3, "lora_alpha": 8, "target_modules": ["attn", "ffn"], "dmd_rank": 4}
Shapes = dict[str, tuple[int, ...]]


def targets(base: BaseTable) -> list[str]:
    """Every linear that `attn` and `ffn` stand for."""
    return [*base.covered_by("attn"), *base.covered_by("ffn")]


def adapter_shapes(base: BaseTable, rank: int, form: str = "{module}.lora_{side}.weight") -> Shapes:
    """The tensors of an adapter of `rank` on every target of `base`; `form` is how their names are made."""
    shapes: Shapes = {}
    for module in targets(base):
        rows, columns = base.modules[module]
        shapes[form.format(module=module, side="A")] = (rank, columns)
        shapes[form.format(module=module, side="B")] = (rows, rank)
    return shapes


def header_of(shapes: Mapping[str, tuple[int, ...]], dtype: str = "BF16") -> tuple[dict[str, Any], int]:
    """The header's document and the bytes of data that it speaks of."""
    at = 0
    document: dict[str, Any] = {}
    for name, shape in shapes.items():
        size = math.prod(shape) * BITS[dtype] // 8
        document[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    return document, at


def write_document(path: Path, document: object, data: int) -> Path:
    """A file with this header and `data` bytes of zeros, which take no room on disk."""
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        file.truncate(8 + len(raw) + data)
    return path


def write_adapter(
    path: Path, shapes: Mapping[str, tuple[int, ...]], dtype: str = "BF16", metadata: dict[str, str] | None = None
) -> Path:
    document, size = header_of(shapes, dtype)
    return write_document(path, ({"__metadata__": metadata} if metadata else {}) | document, size)


def write_version(folder: Path, *, t5: bool = True, **changes: object) -> Path:
    """A version that holds to the contract; `changes` are made to its config.json."""
    folder.mkdir(parents=True)
    write_adapter(folder / "dmd_lora.safetensors", adapter_shapes(DIT, 4))
    if t5:
        write_adapter(folder / "t5_lora.safetensors", adapter_shapes(T5, 3))
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    return folder
