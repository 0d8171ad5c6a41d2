"""||W||_F of each linear of a base model, so that an adapter's strength can be told as a part of it.

Reads the weights once (28 GB of the 14B model: half a minute) and remembers the norms in the user's cache by the
identity of the files. Knows no adapter.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from hashlib import blake2b
from io import BufferedReader
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from lora_repository.header import TensorInfo, read_header
from lora_repository.own_cache import code_digest, read_own, write_own
from lora_repository.place import explain, open_regular
from lora_repository.remote_copies import cache_home
from lora_repository.settled import is_settled
from lora_repository.strength import Floats, read_floats, to_floats

# A multiple of every element's size; as 64-bit floats four times as much at most.
_PIECE: Final = 1 << 23
_KEPT: Final = 8
_SCALE: Final = "_scale"
_decoder: Final = msgspec.json.Decoder(dict[str, float | None])


class BaseNorms:
    """Mutable: reads what it is asked for and not asked before. `files` are the base model's safetensors."""

    def __init__(self, files: Sequence[Path], folder: Path | None = None) -> None:
        self._files = list(files)
        identity = _identity(self._files)
        name = blake2b((identity or "").encode(), digest_size=12).hexdigest()
        place = (folder or cache_home() / "liveavatar-tui") / f"norms-{name}.bin"
        self._place = place if identity is not None else None
        self._known = _read(place) if identity is not None else {}

    def missing_bytes(self, modules: Collection[str]) -> int:
        """How much has to be read before the norms of `modules` are known."""
        wanted = {f"{module}.weight" for module in modules if module not in self._known}
        tensors = [tensor for path in self._files for key, tensor in read_header(path).tensors.items() if key in wanted]
        return sum(tensor.end - tensor.start for tensor in tensors)

    def of(self, modules: Collection[str], progress: Callable[[int], None]) -> Mapping[str, float]:
        """The norms of those of `modules` that the files hold as floats; `progress` is told the bytes of each piece.

        Raises Problem for a file that cannot be read.
        """
        wanted = {f"{module}.weight": module for module in modules if module not in self._known}
        learnt = False
        for path in self._files if wanted else ():
            there = read_header(path).tensors
            tensors = {key: tensor for key, tensor in there.items() if key in wanted}
            if not tensors:
                continue
            try:
                with open_regular(path) as file:
                    for key, tensor in sorted(tensors.items(), key=lambda item: item[1].start):
                        scale = there.get(key + _SCALE)
                        self._known[wanted[key]] = _norm(file, tensor, scale, progress)
                        learnt = True
            except OSError as error:
                raise explain(path, error) from None
        if learnt and self._place is not None:
            write_own(self._place, msgspec.json.encode(self._known), _KEPT)
        return {module: norm for module in modules if (norm := self._known.get(module)) is not None}


def _norm(
    file: BufferedReader, tensor: TensorInfo, scale: TensorInfo | None, progress: Callable[[int], None]
) -> float | None:
    """None where the numbers are no finite floats: such a weight is stored in a way of its own.

    Whole numbers of 8 bits count with their `scale`, one a row, as the embedded model stores them.
    """
    if tensor.dtype == "I8" and scale is not None and len(tensor.shape) == 2:
        total = _sum_of_coded(file, tensor, read_floats(file, scale).ravel(), progress)
    elif tensor.dtype in ("BF16", "F16", "F32", "F64"):
        total = 0.0
        for piece in _pieces(file, tensor, _PIECE, progress):
            numbers = to_floats(piece, tensor.dtype)
            total += float(np.dot(numbers, numbers))
    else:
        return None
    return math.sqrt(total) if math.isfinite(total) else None


def _sum_of_coded(file: BufferedReader, tensor: TensorInfo, scales: Floats, progress: Callable[[int], None]) -> float:
    """Sum of squares of codes times the scale of their row; NaN where there is no scale for each row."""
    rows, columns = tensor.shape
    if len(scales) != rows or columns == 0:
        return math.nan
    total, at = 0.0, 0
    for piece in _pieces(file, tensor, max(1, _PIECE // columns) * columns, progress):
        codes = np.frombuffer(piece, np.int8).astype(np.float64).reshape(-1, columns)
        total += float(np.dot(np.einsum("ij,ij->i", codes, codes), scales[at : at + len(codes)] ** 2))
        at += len(codes)
    return total


def _pieces(file: BufferedReader, tensor: TensorInfo, size: int, progress: Callable[[int], None]) -> Iterator[bytes]:
    file.seek(tensor.start)
    left = tensor.end - tensor.start
    while left > 0 and (piece := file.read(min(left, size))):
        yield piece
        left -= len(piece)
        progress(len(piece))


def _read(place: Path) -> dict[str, float | None]:
    try:
        return _decoder.decode(read_own(place) or b"")
    except msgspec.DecodeError:
        return {}


def _identity(files: Sequence[Path]) -> str | None:
    """What changes when the files do; None when that is not sure or one is missing."""
    rules = code_digest()
    if rules is None:
        return None
    told = [rules]
    for path in files:
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:
            return None
        if not is_settled(max(status.st_mtime_ns, status.st_ctime_ns), path.parent):
            return None
        told.append(f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}")
    return "\n".join(told)
