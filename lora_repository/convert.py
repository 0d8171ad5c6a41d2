"""Adapters of any readable format, alone or several with strengths, written as one file of our contract.

Several are joined by rank: [A1; A2] below each other, [s1*B1, s2*B2] beside each other, so that one B @ A is the sum of
all. Exact but for one rounding of scaled B; a scale that is a power of two is exact.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lora_repository.base import BaseTable
from lora_repository.config import CONFIG_NAME, ContractConfig
from lora_repository.files import sync_folder, write_whole, writing
from lora_repository.folder import DMD_NAME
from lora_repository.foreign import ForeignPair, read_foreign
from lora_repository.header import TensorInfo
from lora_repository.matrices import ITEM, below, beside, converted, scaled


@dataclass(frozen=True, slots=True)
class Ingredient:
    """One adapter of a stack: its file, how strongly it takes part, and its alpha where the file does not say it."""

    path: Path
    strength: float = 1.0
    alpha: float | None = None


@dataclass(frozen=True, slots=True)
class _Share:
    """What one adapter gives to one module."""

    path: Path
    pair: ForeignPair
    scale: float


def convert(ingredients: Sequence[Ingredient], base: BaseTable, folder: Path) -> ContractConfig:
    """Make the new folder with `dmd_lora.safetensors` and `config.json`, whole or not; returns what config.json says.

    Every module gets the rank of the widest; narrower ones are filled up with zeros. An ingredient of strength 0 takes
    no part. Raises Problem as `read_foreign` does, LORA049 when the folder cannot be made, and ValueError when no
    ingredient takes part.
    """
    shares = _shares(ingredients, base)
    rank = max(sum(share.pair.a.shape[0] for share in each) for each in shares.values())
    dtypes = {tensor.dtype for each in shares.values() for share in each for tensor in (share.pair.a, share.pair.b)}
    dtype = dtypes.pop() if len(dtypes) == 1 else "F32"
    # The commonest case, one scale everywhere, must copy its bytes unchanged: the scale goes to config.json.
    common = max(abs(share.scale) for each in shares.values() for share in each)
    config = ContractConfig(rank, common * rank, _targets(base, shares), rank)
    with writing(folder), _made_beside(folder) as beside:
        with (beside / DMD_NAME).open("xb") as file:
            file.write(_header(base, shares, rank, dtype))
            for module, each in shares.items():
                file.write(_joined_a(each, rank, base.modules[module][1], dtype))
                file.write(_joined_b(each, rank, base.modules[module][0], dtype, common))
            file.flush()
            os.fsync(file.fileno())
        write_whole(beside / CONFIG_NAME, (json.dumps(config.as_dict()) + "\n").encode())
    return config


@contextmanager
def _made_beside(folder: Path) -> Iterator[Path]:
    """A folder to fill that takes the place of `folder`, which must not be there, once it is whole."""
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    folder.mkdir(parents=True)
    try:
        beside.mkdir()
        yield beside
        # Over the empty folder that keeps the name.
        beside.rename(folder)
        sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()
        raise


def _shares(ingredients: Sequence[Ingredient], base: BaseTable) -> dict[str, list[_Share]]:
    """By module, in the base's order: what each adapter gives to it."""
    found: dict[str, list[_Share]] = {}
    for one in (one for one in ingredients if one.strength != 0):
        for pair in read_foreign(one.path, base, one.alpha):
            found.setdefault(pair.module, []).append(_Share(one.path, pair, pair.scale * one.strength))
    return {module: found[module] for module in base.modules if module in found}


def _targets(base: BaseTable, shares: dict[str, list[_Share]]) -> tuple[str, ...]:
    """`attn` and `ffn` where they cover just the adapted modules, else the modules themselves."""
    short = tuple(name for name in ("attn", "ffn") if set(base.covered_by(name)) & shares.keys())
    covered = {module for name in short for module in base.covered_by(name)}
    return short if shares.keys() <= covered else tuple(shares)


def _header(base: BaseTable, shares: dict[str, list[_Share]], rank: int, dtype: str) -> bytes:
    at = 0
    document: dict[str, object] = {}
    for key, shape in _tensors(base, shares, rank):
        size = shape[0] * shape[1] * ITEM[dtype]
        document[key] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(document, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    return struct.pack("<Q", len(raw)) + raw


def _tensors(base: BaseTable, shares: dict[str, list[_Share]], rank: int) -> Iterator[tuple[str, tuple[int, int]]]:
    for module in shares:
        rows, columns = base.modules[module]
        yield f"{module}.lora_A.weight", (rank, columns)
        yield f"{module}.lora_B.weight", (rows, rank)


def _joined_a(each: list[_Share], rank: int, columns: int, dtype: str) -> bytes:
    parts = [converted(_data(share.path, share.pair.a), share.pair.a.dtype, dtype) for share in each]
    used = sum(share.pair.a.shape[0] for share in each)
    return below([*parts, bytes((rank - used) * columns * ITEM[dtype])])


def _joined_b(each: list[_Share], rank: int, rows: int, dtype: str, common: float) -> bytes:
    parts = [
        scaled(converted(_data(share.path, share.pair.b), share.pair.b.dtype, dtype), dtype, share.scale / common)
        for share in each
    ]
    used = sum(share.pair.a.shape[0] for share in each)
    if used < rank:
        parts.append(bytes((rank - used) * rows * ITEM[dtype]))
    return parts[0] if len(parts) == 1 else beside(parts, rows)


def _data(path: Path, tensor: TensorInfo) -> bytes:
    with path.open("rb") as file:
        file.seek(tensor.start)
        return file.read(tensor.end - tensor.start)
