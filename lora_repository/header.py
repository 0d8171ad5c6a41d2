"""The header of a safetensors file: which tensors, of what type, shape and place. Never reads tensor data.

The format: 8 bytes little-endian N, N bytes of JSON `{name: {dtype, shape, data_offsets}}`, then data without a gap.
Knows nothing of LoRA; every fault is a `Problem` with a stable code.
"""

from __future__ import annotations

import json
import math
import os
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from lora_repository.codes import FILE_DAMAGED
from lora_repository.disguise import LOOK, unmask
from lora_repository.finding import Problem, problem
from lora_repository.i18n import _
from lora_repository.place import explain, open_regular
from lora_repository.wording import command, shown, some_of

BITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}
"""Bits of one element, by the format's type name."""

# The reference reader refuses longer headers too; 896 tensors need 0.1 MB.
_LONGEST_HEADER: Final = 100_000_000
_Count = Annotated[int, msgspec.Meta(ge=0)]


class TensorInfo(msgspec.Struct, frozen=True, gc=False):
    """`dtype` by the format's name (`BF16`, `F32`); the data lies in bytes `start` to `end` of the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """`size` and `data_start` are bytes of the file; `metadata` is what the writer left there, untrusted text."""

    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]
    size: int
    data_start: int


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    dtype: str
    shape: tuple[_Count, ...]
    data_offsets: tuple[_Count, _Count]


_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_record: Final = msgspec.json.Decoder(_Record)
_texts: Final = msgspec.json.Decoder(dict[str, str])


def read_header(path: Path) -> Header:
    """The checked header of `path`; 896 tensors take some 3 ms however large the file is.

    Raises Problem: LORA006 to LORA010 for the place, LORA011 empty, LORA012 another kind of file, LORA013 damaged.
    """
    try:
        raw, size = _read_raw(path)
    except OSError as error:
        raise explain(path, error) from None
    return parse_header(raw, size, path)


def _read_raw(path: Path) -> tuple[bytes, int]:
    """The header's bytes and the size of the file, when its first bytes look like safetensors."""
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        assert stat.S_ISREG(status.st_mode)
        first = file.read(8)
        if mask := unmask(path, first + file.peek(LOOK), status.st_size):
            raise mask
        length = struct.unpack("<Q", first)[0]
        if length > min(_LONGEST_HEADER, status.st_size - 8):
            raise _too_long(path, length, status.st_size)
        raw = file.read(length)
    if len(raw) != length:
        raise _damaged(path, _("it became shorter while it was read"))
    return raw, status.st_size


def parse_header(raw: bytes, size: int, path: Path) -> Header:
    """The header's JSON, proved: types, names, each byte of a file of `size` bytes used once. `path` for reports."""
    try:
        members = _members.decode(raw)
        noted = members.pop("__metadata__", msgspec.Raw(b"{}"))
        metadata = _texts.decode(noted)
        records = {name: _record.decode(member) for name, member in members.items()}
        raw.decode("utf-8")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(
            path, _("its header is not the expected JSON ({reason})").format(reason=shown(str(error)))
        ) from None
    if twice := _named_twice(raw, bytes(noted), len(records)):
        raise _damaged(path, _("its header names {names} twice").format(names=some_of(twice)))
    start = 8 + len(raw)
    _check_spans(path, records, size - start)
    tensors = {
        name: TensorInfo(r.dtype, r.shape, start + r.data_offsets[0], start + r.data_offsets[1])
        for name, r in records.items()
    }
    return Header(tensors, metadata, size, start)


def _named_twice(raw: bytes, noted: bytes, count: int) -> list[str]:
    """Names that occur twice in one JSON object of `raw`, where the last would win silently; `noted` is its metadata.

    Without escapes and with exactly one `"data_offsets"` a tensor there can be none among the tensors, so the slow
    reading of the whole header (4 ms for 896 tensors) is for odd files only.
    """
    fields = (b'"data_offsets"', b'"dtype"', b'"shape"')
    plain = b"\\" not in raw and raw.count(b'"__metadata__"') <= 1
    ordinary = plain and all(raw.count(field) == count for field in fields)
    twice: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                twice.append(name)
            found[name] = value
        return found

    json.loads(noted if ordinary else raw, object_pairs_hook=collect)
    return twice


def _check_spans(path: Path, records: Mapping[str, _Record], data: int) -> None:
    """Each tensor as long as its type and shape say, one after the other, from the first byte of `data` to the last."""
    at = 0
    for name, record in sorted(records.items(), key=lambda item: item[1].data_offsets):
        start, end = record.data_offsets
        bits = BITS.get(record.dtype)
        if bits is None:
            raise _damaged(
                path, _("{name} has the unknown type {dtype}").format(name=shown(name), dtype=shown(record.dtype))
            )
        if (end - start) * 8 != math.prod(record.shape) * bits:
            raise _damaged(path, _("{name} does not fill the bytes that it claims").format(name=shown(name)))
        if start != at:
            raise _damaged(path, _("{name} overlaps another tensor or leaves a gap").format(name=shown(name)))
        at = end
    if at > data:
        raise _cut_short(path, at, data)
    if at < data:
        raise _damaged(path, _("{n} bytes at its end belong to no tensor").format(n=data - at))


def _too_long(path: Path, length: int, size: int) -> Problem:
    if length > _LONGEST_HEADER:
        return _damaged(path, _("its first 8 bytes ask for a header of {n} bytes").format(n=length))
    return _cut_short(path, length, size - 8)


def _cut_short(path: Path, expected: int, found: int) -> Problem:
    return _damaged(
        path, _("it is cut short: {found} of {expected} bytes are there").format(found=found, expected=expected)
    )


def _damaged(path: Path, what: str) -> Problem:
    return problem(
        FILE_DAMAGED,
        _("{file} is damaged: {what}.").format(file=shown(path.name), what=what),
        _("Copy or download it again, then compare: {command}").format(command=command("sha256sum", path)),
        path=shown(path),
    )
