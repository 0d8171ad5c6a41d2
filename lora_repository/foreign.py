"""Adapters of other tools read as pairs of the base model's linears: PEFT, diffusers, DiffSynth-Studio, ComfyUI, kohya.

Module names are looked up in the base's own table, never guessed. Knows headers and scales; converts nothing.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lora_repository.base import BaseTable
from lora_repository.codes import ALPHA_UNKNOWN, FOREIGN_TENSORS, PAIR_INCOMPLETE, SHAPE_MISMATCH
from lora_repository.finding import Problem, problem
from lora_repository.header import Header, TensorInfo, read_header
from lora_repository.i18n import _
from lora_repository.wording import shown, some_of

_KEY: Final = re.compile(r"(?P<stem>.+?)(?:\.lora_(?P<role>A|B|down|up)(?:\.default)?\.weight|\.(?P<alpha>alpha))")
_PREFIX: Final = re.compile(r"(?:base_model\.model\.|diffusion_model\.|transformer\.|unet\.|model\.)")
_KOHYA: Final = re.compile(r"lora_(?:unet|te\d?|transformer)_")
_DIFFUSERS: Final = (
    (re.compile(r"\battn1\b"), "self_attn"),
    (re.compile(r"\battn2\b"), "cross_attn"),
    (re.compile(r"\bto_([qkv])\b"), r"\1"),
    (re.compile(r"\bto_out\.0\b"), "o"),
    (re.compile(r"\bffn\.net\.0\.proj\b"), "ffn.0"),
    (re.compile(r"\bffn\.net\.2\b"), "ffn.2"),
)


@dataclass(frozen=True, slots=True)
class ForeignPair:
    """One linear's update `scale * B @ A`; `a` and `b` are where its tensors lie in the file."""

    module: str
    a: TensorInfo
    b: TensorInfo
    scale: float


@dataclass(slots=True)
class _Found:
    a: TensorInfo | None = None
    b: TensorInfo | None = None
    alpha: float | None = None
    keys: list[str] = field(default_factory=list)


def read_foreign(path: Path, base: BaseTable, alpha: float | None = None) -> list[ForeignPair]:
    """Every pair in `path`, in file order. `alpha` is used where nothing else says one.

    Where it comes from, the first that says: an `.alpha` tensor, `adapter_config.json` beside the file, the argument,
    the convention of formats whose missing alpha means strength 1 (kohya, diffusers). Raises Problem LORA015 for
    tensors that match nothing, LORA016, LORA017, LORA019, and as `read_header`.
    """
    header = read_header(path)
    found, unknown = _collect(path, header, base)
    if unknown or not found:
        raise _unmatched(path, base, unknown)
    peft = _peft_scales(path)
    pairs = []
    for module, part in found.items():
        if part.a is None or part.b is None:
            raise _half(path, part.keys)
        rank = _fitting_rank(path, base, module, part.a, part.b)
        pairs.append(ForeignPair(module, part.a, part.b, _scale(path, module, part, rank, peft, alpha)))
    return pairs


def _collect(path: Path, header: Header, base: BaseTable) -> tuple[dict[str, _Found], list[str]]:
    flat = {module.replace(".", "_"): module for module in base.modules}
    found: dict[str, _Found] = {}
    unknown = []
    for key, tensor in header.tensors.items():
        match = _KEY.fullmatch(key)
        module = _module(match["stem"], base, flat) if match else None
        if match is None or module is None:
            unknown.append(key)
            continue
        part = found.setdefault(module, _Found())
        part.keys.append(key)
        if match["alpha"]:
            part.alpha = _read_scalar(path, tensor)
        elif match["role"] in ("A", "down"):
            part.a = tensor
        else:
            part.b = tensor
    return found, unknown


def _module(stem: str, base: BaseTable, flat: Mapping[str, str]) -> str | None:
    if prefix := _KOHYA.match(stem):
        return flat.get(stem[prefix.end() :])
    while prefix := _PREFIX.match(stem):
        stem = stem[prefix.end() :]
    if stem in base.modules:
        return stem
    for pattern, ours in _DIFFUSERS:
        stem = pattern.sub(ours, stem)
    return stem if stem in base.modules else None


def _read_scalar(path: Path, tensor: TensorInfo) -> float | None:
    with path.open("rb") as file:
        file.seek(tensor.start)
        data = file.read(tensor.end - tensor.start)
    if math.prod(tensor.shape) != 1 or tensor.dtype not in ("F16", "F32", "F64", "BF16"):
        return None
    if tensor.dtype == "BF16":
        data = b"\0\0" + data
    (value,) = struct.unpack({"F16": "<e", "F64": "<d"}.get(tensor.dtype, "<f"), data)
    return float(value)


def _peft_scales(path: Path) -> Mapping[str, object] | None:
    """PEFT's description of the adapter, where it lies beside it."""
    try:
        described = json.loads((path.parent / "adapter_config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return described if isinstance(described, dict) else None


def _scale(
    path: Path, module: str, part: _Found, rank: int, peft: Mapping[str, object] | None, alpha: float | None
) -> float:
    said = part.alpha
    root = False
    if said is None and peft is not None:
        value = _pattern_alpha(peft.get("alpha_pattern"), module) or peft.get("lora_alpha")
        said = float(value) if isinstance(value, int | float) else None
        root = peft.get("use_rslora") is True
    said = said if said is not None else alpha
    if said is None and any(_KOHYA.match(key) or ".to_" in key or ".net." in key for key in part.keys):
        return 1.0
    if said is None or not math.isfinite(said) or said <= 0:
        message = _("{file} does not say its alpha, so its strength is unknown.").format(file=shown(path.name))
        raise problem(ALPHA_UNKNOWN, message, _("Give the alpha of its training."), path=shown(path))
    return said / (math.sqrt(rank) if root else rank)


def _pattern_alpha(patterns: object, module: str) -> object:
    """The alpha of the first entry that names `module` or its end; a regular expression matches nothing."""
    if not isinstance(patterns, dict):
        return None
    return next((alpha for name, alpha in patterns.items() if f".{module}".endswith(f".{name}")), None)


def _fitting_rank(path: Path, base: BaseTable, module: str, a: TensorInfo, b: TensorInfo) -> int:
    rows, columns = base.modules[module]
    good = len(a.shape) == len(b.shape) == 2 and a.shape[1] == columns and b.shape == (rows, a.shape[0])
    if good and a.shape[0] > 0 and {a.dtype, b.dtype} <= {"BF16", "F16", "F32"}:
        return a.shape[0]
    raise problem(
        SHAPE_MISMATCH,
        _("{module} in {file} does not fit {base}: {a} and {b}, expected rank x {columns} and {rows} x rank.").format(
            module=shown(module),
            file=shown(path.name),
            base=base.name,
            a=a.shape,
            b=b.shape,
            columns=columns,
            rows=rows,
        ),
        _("Use the base model that this adapter was trained on."),
        path=shown(path),
    )


def _half(path: Path, keys: list[str]) -> Problem:
    return problem(
        PAIR_INCOMPLETE,
        _("{file} has half of a pair only: {names}.").format(file=shown(path.name), names=some_of(keys)),
        _("Save the adapter again from the training; the file is not whole."),
        path=shown(path),
    )


def _unmatched(path: Path, base: BaseTable, unknown: list[str]) -> Problem:
    return problem(
        FOREIGN_TENSORS,
        _("{n} tensors in {file} match no linear of {base}: {names}.").format(
            n=len(unknown), file=shown(path.name), base=base.name, names=some_of(unknown) or "-"
        ),
        _("Use the base model that this adapter was trained on."),
        path=shown(path),
    )
