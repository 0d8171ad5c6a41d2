"""Weights on disk as a read-only table of tensors, and a model filled from one: strict, in place, nothing kept twice.

Reads safetensors, whole or in shards, and `.pth` files of plain tensors, which are never run. A matrix may be stored as
int8 codes `NAME` beside a scale a row, `NAME_scale`: it is read as their product. Knows no one model.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from engine import codes
from engine.fp8 import narrowed
from engine.reading import InFile, InMemory, Stored, Take, carry_all
from lora_repository.header import read_header
from lora_repository.i18n import _, ngettext

_SCALE: Final = "_scale"
_NAMED: Final = 4
"""Tensors that a message names before it counts the rest."""

TORCH_TYPES: Final = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
"""The format's names of types."""

Shape = tuple[int, ...]
Model = TypeVar("Model", bound=nn.Module)


class Weights(Mapping[str, Tensor]):
    """The tensors of one or several files by name, on the CPU, each read when it is asked for."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Open the files of one model; raises Problem RUN013 without a right to read, RUN014 for a damaged file."""
        self.path = files[0]
        self.shapes: dict[str, Shape] = {}
        self.stored: dict[str, Stored] = {}
        """The same tensors as bytes, for whoever brings them to a card."""
        self._sources: dict[str, tuple[Path, Callable[[str], Tensor]]] = {}
        for file in files:
            with _explained(file):
                stored, read = _safetensors(file) if file.suffix == ".safetensors" else _pth(file)
            self.stored |= stored
            shapes = {name: tensor.shape for name, tensor in stored.items()}
            self.shapes |= shapes
            self._sources |= dict.fromkeys(shapes, (file, read))
        self.scaled = {name for name in self.shapes if name + _SCALE in self.shapes}
        for name in self.scaled:
            del self.shapes[name + _SCALE]

    def sketch(self) -> dict[str, Tensor]:
        """The same names and shapes without contents, for whoever reads sizes from shapes."""
        return {name: torch.empty(shape, device="meta") for name, shape in self.shapes.items()}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.scaled:
            return self._read(name)
        rounded, scale = self._read(name).float(), self._read(name + _SCALE).float()
        return (rounded.flatten(1) * scale).view(rounded.shape)

    def _read(self, name: str) -> Tensor:
        file, read = self._sources[name]
        with _explained(file):
            return read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)


class Pinned(Mapping[str, Tensor]):
    """Mutable: another table's tensors, kept in pinned memory of the host from their first use on.

    From there they reach a card ten times sooner than from a mapped file; of the 14B model they are 27 GiB.
    """

    def __init__(self, table: Mapping[str, Tensor]) -> None:
        self._table = table
        self._kept: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._kept:
            self._kept[name] = self._table[name].pin_memory()
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


def _safetensors(path: Path) -> tuple[dict[str, Stored], Callable[[str], Tensor]]:
    file: Any = safe_open(path, framework="pt", device="cpu")
    header = read_header(path)
    source = path.open("rb")  # open as long as the table lives, as `file` is
    stored = {
        name: Stored(TORCH_TYPES[info.dtype], info.shape, InFile(source, info.start, path))
        for name, info in header.tensors.items()
    }
    return stored, file.get_tensor


def _pth(path: Path) -> tuple[dict[str, Stored], Callable[[str], Tensor]]:
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if not isinstance(content, dict) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise ValueError(_("it is no table of tensors"))
    stored = {
        name: Stored(tensor.dtype, tuple(tensor.shape), InMemory(tensor.contiguous().flatten().view(torch.uint8)))
        for name, tensor in content.items()
    }
    return stored, content.__getitem__


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Faults of reading weights, as Problems that name the file."""
    try:
        yield
    except PermissionError as fault:
        raise codes.CHECKPOINT_UNREADABLE.problem(path=str(path), folder=str(path.parent)) from fault
    except (OSError, SafetensorError, pickle.UnpicklingError, RuntimeError, ValueError, EOFError) as fault:
        first = str(fault).strip().partition("\n")[0]
        raise codes.CHECKPOINT_DAMAGED.problem(path=str(path), folder=str(path.parent), reason=first) from fault


def fill(
    model: Model,
    state: Mapping[str, Tensor],
    path: Path,
    device: torch.device,
    dtype: torch.dtype,
    told: Callable[[float], None] = lambda share: None,
) -> Model:
    """Give a model, built anywhere (the meta device included), its weights on `device` in `dtype`, and freeze it.

    `told` hears the share done. Raises Problem RUN017, naming `path` and what is missing, unknown or of another shape.
    """
    expected = expected_shapes(model)
    found = state.shapes if isinstance(state, Weights) else {name: tuple(part.shape) for name, part in state.items()}
    if differences := _differences(expected, found):
        raise unfit(path, differences)
    wanted = takers(model, device, dtype)
    if device.type == "cuda" and isinstance(state, Weights) and not state.scaled:
        with _explained(path):
            carry_all(state.stored, wanted, device, told)
    else:
        for number, (name, take) in enumerate(wanted.items(), 1):
            take(state[name])  # a copy: a mapped file may be replaced while we run
            told(number / len(wanted))
    return model.requires_grad_(False).eval()


def expected_shapes(model: nn.Module) -> dict[str, Shape]:
    """Names and shapes of what a file must hold; a linear of eight bits is stored as a weight like any other."""
    narrow = narrowed(model)
    parts = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name, linear in narrow.items():
        place = name.removesuffix("weight")
        del parts[f"{place}codes"], parts[f"{place}scale"]
        parts[name] = tuple(linear.codes.shape)
    return parts


def takers(model: Model, device: torch.device, dtype: torch.dtype) -> dict[str, Take]:
    """Room for the whole model on `device`, and for each stored tensor what puts it there."""
    narrow = narrowed(model)
    room = {
        name: torch.empty_like(tensor, device=device, dtype=tensor.dtype if _is_narrow(name, narrow) else dtype)
        for name, tensor in model.state_dict().items()
    }
    model.load_state_dict(room, strict=True, assign=True)
    wanted: dict[str, Take] = {name: linear.hold for name, linear in narrow.items()}
    for name, tensor in room.items():
        if not _is_narrow(name, narrow):
            wanted[name] = partial(_copy_into, tensor)
    return wanted


def _copy_into(room: Tensor, given: Tensor) -> None:
    room.copy_(given)


def _is_narrow(name: str, narrow: Mapping[str, object]) -> bool:
    place, _dot, leaf = name.rpartition(".")
    return leaf in ("codes", "scale") and f"{place}.weight" in narrow


def unfit(path: Path, differences: str) -> Exception:
    """Problem RUN017."""
    return codes.WEIGHTS_UNFIT.problem(path=str(path), folder=str(path.parent), differences=differences)


def _differences(expected: Mapping[str, Shape], found: Mapping[str, Shape]) -> str:
    """In words, at most a few names of each kind; empty when there are none."""
    missing = sorted(expected.keys() - found.keys())
    unknown = sorted(found.keys() - expected.keys())
    misshapen = [
        _("{name} is {found}, expected {expected}").format(name=name, found=found[name], expected=shape)
        for name, shape in expected.items()
        if found.get(name, shape) != shape
    ]
    told = [
        (missing, _("it lacks {names}")),
        (unknown, _("it has the unknown {names}")),
        (misshapen, "{names}"),
    ]
    return _("; ").join(words.format(names=_listed(names)) for names, words in told if names)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    rest = len(names) - _NAMED
    if rest <= 0:
        return shown
    return ngettext("{names} and {n} more", "{names} and {n} more", rest).format(names=shown, n=rest)
