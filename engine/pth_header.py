"""Names and shapes of the tensors in a `.pth` file, read without torch and without running anything it holds.

Upstream ships text encoder and VAE as `.pth`: a zip archive around a pickle. The unpickler here builds shapes out of
the three calls that a dictionary of tensors needs and refuses every other. Never reads the weights' bytes.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from engine import codes
from lora_repository.i18n import _

_STORAGES: Final = frozenset(
    {"FloatStorage", "BFloat16Storage", "HalfStorage", "DoubleStorage", "LongStorage", "IntStorage", "BoolStorage"}
)


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor by its name; raises Problem RUN014 for anything but a dictionary of tensors."""
    try:
        content = _Shapes(io.BytesIO(_pickle_of(path))).load()
    except (OSError, zipfile.BadZipFile, pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError) as fault:
        raise codes.CHECKPOINT_DAMAGED.problem(path=str(path), folder=str(path.parent), reason=str(fault)) from fault
    shapes = {name: shape for name, shape in content.items() if isinstance(shape, tuple)} if _is_table(content) else {}
    if not shapes:
        empty = _("it holds no tensors")
        raise codes.CHECKPOINT_DAMAGED.problem(path=str(path), folder=str(path.parent), reason=empty)
    return shapes


def _is_table(content: object) -> bool:
    return isinstance(content, dict) and all(isinstance(name, str) for name in content)


def _pickle_of(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        name = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
        if name is None:
            raise ValueError(_("it lacks {names}").format(names="data.pkl"))
        return archive.read(name)


def _tensor(_storage: object, _offset: int, size: tuple[int, ...], *_rest: object) -> tuple[int, ...]:
    return tuple(int(side) for side in size)


def _parameter(shape: tuple[int, ...], *_rest: object) -> tuple[int, ...]:
    return shape


class _Shapes(pickle.Unpickler):
    """Resolves no name to anything but the three harmless functions above."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _parameter
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _STORAGES:
            return object
        raise pickle.UnpicklingError(_("{name} has no place in a file of weights").format(name=f"{module}.{name}"))

    def persistent_load(self, _pid: object) -> None:
        return None
