"""Weights on disk as a read-only table of tensors, and a model filled from one: strict, in place, nothing kept twice.

Reads safetensors, whole or in shards, and `.pth` files of plain tensors, which are never run. A matrix may be stored as
int8 codes `NAME` beside a scale a row, `NAME_scale`: it is read as their product. Knows no one model.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from engine import codes
from lora_repository.i18n import _, ngettext

_SCALE: Final = "_scale"
_NAMED: Final = 4
"""Tensors that a message names before it counts the rest."""

Shape = tuple[int, ...]
Model = TypeVar("Model", bound=nn.Module)


class Weights(Mapping[str, Tensor]):
    """The tensors of one or several files by name, on the CPU, each read when it is asked for."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Open the files of one model; raises Problem RUN013 without a right to read, RUN014 for a damaged file."""
        self.path = files[0]
        self.shapes: dict[str, Shape] = {}
        self._sources: dict[str, tuple[Path, Callable[[str], Tensor]]] = {}
        for file in files:
            with _explained(file):
                shapes, read = _safetensors(file) if file.suffix == ".safetensors" else _pth(file)
            self.shapes |= shapes
            self._sources |= dict.fromkeys(shapes, (file, read))
        self._scaled = {name for name in self.shapes if name + _SCALE in self.shapes}
        for name in self._scaled:
            del self.shapes[name + _SCALE]

    def sketch(self) -> dict[str, Tensor]:
        """The same names and shapes without contents, for whoever reads sizes from shapes."""
        return {name: torch.empty(shape, device="meta") for name, shape in self.shapes.items()}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._scaled:
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


def _safetensors(path: Path) -> tuple[dict[str, Shape], Callable[[str], Tensor]]:
    file: Any = safe_open(path, framework="pt", device="cpu")
    return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}, file.get_tensor  # noqa: SIM118


def _pth(path: Path) -> tuple[dict[str, Shape], Callable[[str], Tensor]]:
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if not isinstance(content, dict) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise ValueError(_("it is no table of tensors"))
    return {name: tuple(tensor.shape) for name, tensor in content.items()}, content.__getitem__


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
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = state.shapes if isinstance(state, Weights) else {name: tuple(part.shape) for name, part in state.items()}
    if differences := _differences(expected, found):
        raise unfit(path, differences)
    placed: dict[str, Tensor] = {}
    for number, name in enumerate(expected, 1):
        placed[name] = state[name].to(device, dtype, copy=True)  # a mapped file may be replaced while we run
        told(number / len(expected))
    model.load_state_dict(placed, strict=True, assign=True)
    return model.requires_grad_(False).eval()


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
