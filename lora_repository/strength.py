"""How strongly adapters change each linear, and how alike two of them are, without ever forming B @ A.

||s B A||_F^2 = s^2 tr((B^T B)(A A^T)): for a linear of 5120 x 5120 a twentieth of the work at rank 128, and r x r
matrices in place of 26 million numbers. The inner product of two updates is found the same way. In 64-bit floats, one
module at a time: 80 MB at rank 128.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lora_repository.codes import STRENGTH_UNREADABLE
from lora_repository.finding import Problem, problem
from lora_repository.header import TensorInfo, read_header
from lora_repository.i18n import _
from lora_repository.match import LoraPair
from lora_repository.part import PartProof
from lora_repository.place import explain, open_regular
from lora_repository.wording import command, shown

Floats = npt.NDArray[np.float64]
Progress = Callable[[int], None]
"""Told the bytes that were read since it was told last."""

_TYPES: Final = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}


@dataclass(frozen=True, slots=True)
class Measured:
    """One module: sizes of both updates (0 where a side has none) and their inner product."""

    module: str
    a: float
    b: float
    inner: float


@dataclass(frozen=True, slots=True)
class _Update:
    """`scale * b @ a`, with `a` of (rank, in) and `b` of (out, rank)."""

    a: Floats
    b: Floats
    scale: float


class _Adapter:
    """An open adapter file whose updates are read one by one. Mutable: close it."""

    def __init__(self, part: PartProof, progress: Progress) -> None:
        self._part = part
        self._tensors = read_header(part.file).tensors
        self._pairs = {pair.module: pair for pair in part.pairs}
        self._file = open_regular(part.file)
        self._progress = progress

    def update(self, module: str) -> _Update | None:
        """The update of `module`, None where there is none; raises Problem LORA076 for numbers that are none."""
        pair = self._pairs.get(module)
        if pair is None:
            return None
        try:
            a, b = self._read(pair.key_a), self._read(pair.key_b)
        except (KeyError, ValueError):
            raise self._unreadable(pair) from None
        except OSError as error:
            raise explain(self._part.file, error) from None
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise self._unreadable(pair)
        return _Update(a, b, self._part.strength)

    def close(self) -> None:
        self._file.close()

    def _read(self, key: str) -> Floats:
        tensor = self._tensors[key]
        found = read_floats(self._file, tensor)
        self._progress(tensor.end - tensor.start)
        return found

    def _unreadable(self, pair: LoraPair) -> Problem:
        return unreadable(self._part.file, pair.module)


def measure(a: PartProof | None, b: PartProof | None, modules: list[str], progress: Progress) -> Iterator[Measured]:
    """Each of `modules` in order; raises Problem LORA076, LORA006 to LORA013 for a file that is not what was proved."""
    opened = [None if part is None else _Adapter(part, progress) for part in (a, b)]
    try:
        for module in modules:
            one, two = (None if adapter is None else adapter.update(module) for adapter in opened)
            sizes = [0.0 if update is None else max(0.0, _inner(update, update)) ** 0.5 for update in (one, two)]
            inner = _inner(one, two) if one is not None and two is not None else 0.0
            yield Measured(module, sizes[0], sizes[1], inner)
    finally:
        for adapter in opened:
            if adapter is not None:
                adapter.close()


def _inner(x: _Update, y: _Update) -> float:
    """sum of (x.scale * x.b @ x.a) * (y.scale * y.b @ y.a) over all elements = tr((Bx^T By)(Ay Ax^T))."""
    return float(np.sum((x.b.T @ y.b) * (x.a @ y.a.T))) * x.scale * y.scale


def read_floats(file: BufferedReader, tensor: TensorInfo) -> Floats:
    """The tensor as 64-bit floats in its shape; raises ValueError for a type that holds no floats, or a short file."""
    file.seek(tensor.start)
    data = file.read(tensor.end - tensor.start)
    return to_floats(data, tensor.dtype).reshape(tensor.shape)


def to_floats(data: bytes, dtype: str) -> Floats:
    """Stored numbers as 64-bit floats, exactly; raises ValueError for a type that holds no floats."""
    if dtype == "BF16":
        stored: npt.NDArray[Any] = (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    elif dtype in _TYPES:
        stored = np.frombuffer(data, _TYPES[dtype])
    else:
        raise ValueError(dtype)
    with np.errstate(invalid="ignore"):  # a NaN is found by whoever asks for finite numbers
        return stored.astype(np.float64)


def unreadable(file: Path, module: str) -> Problem:
    """LORA076 of one module."""
    return problem(
        STRENGTH_UNREADABLE,
        _("The strength of {module} in {file} cannot be measured: its numbers are no finite floats.").format(
            module=shown(module), file=shown(file.name)
        ),
        _("Look for what is wrong with it: {command}").format(
            command=command("liveavatar-tui", "check", file.parent, "--full")
        ),
        path=shown(file),
    )
