"""The header of a safetensors file: which tensors, of what type, shape and place. Never reads tensor data.

The format: 8 bytes little-endian N, N bytes of JSON `{name: {dtype, shape, data_offsets}}`, then data without a gap.
Knows nothing of LoRA; every fault is a `Problem` with a stable code.
"""

from __future__ import annotations

import json
import math
import os
import re
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
# Headers up to this size are kept parsed, so many of them; that of 896 tensors has 0.1 MB and, kept, takes 0.6.
_REMEMBERED: Final = 300_000
_SEEN_AT_MOST: Final = 32
_ENDING: Final = 256
# Metadata are nearly always this short; the rest need not be decoded to find their end.
_USUAL_NOTES: Final = 4096
_FIELDS: Final = (b'"data_offsets"', b'"dtype"', b'"shape"')
# JSON's own blanks: a form feed is none.
_NOTED_FIRST: Final = re.compile(rb'\{[ \t\n\r]*"__metadata__"[ \t\n\r]*:[ \t\n\r]*(?=\{)')
_COMMA: Final = re.compile(rb'[ \t\n\r]*,(?=[ \t\n\r]*")')
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


_Body = tuple[Mapping[str, TensorInfo], Mapping[str, str]]
_seen: Final[dict[tuple[int, int, int, bytes], tuple[bytes, _Body]]] = {}
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_record: Final = msgspec.json.Decoder(_Record)
_texts: Final = msgspec.json.Decoder(dict[str, str])
_scanner: Final = json.JSONDecoder()


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
    start = 8 + len(raw)
    noted, body = _split(raw)
    try:
        metadata = _read_metadata(noted) if noted is not None else None
        tensors, noted_within = _read_once(body, start, size - start)
    except _Flaw as flaw:
        raise _damaged(path, str(flaw)) from None
    return Header(tensors, noted_within if metadata is None else metadata, size, start)


class _Flaw(Exception):
    """What is wrong with a header, in words that fit behind "it is damaged:"."""


def _split(raw: bytes) -> tuple[bytes | None, bytes]:
    """The metadata, and the header without them, as two JSON objects; (None, raw) where they do not stand first."""
    match = _NOTED_FIRST.match(raw)
    if match is None or raw.find(b'"__metadata__"', match.end()) >= 0:
        return None, raw
    end = _end_of_value(raw[:_USUAL_NOTES], match.end()) or _end_of_value(raw, match.end())
    if end is None:
        return None, raw
    after = _COMMA.match(raw, end)
    # An escape can spell a second `__metadata__`, which must be seen beside the first.
    if after is None or raw.find(b"\\", end) >= 0:
        return None, raw
    return raw[match.end() : end], b"{" + raw[after.end() :]


def _end_of_value(raw: bytes, start: int) -> int | None:
    """Where the JSON value at `start` ends; None where it does not, or where bytes are not characters."""
    try:
        _value, end = _scanner.raw_decode(raw.decode("ascii"), start)
    except (ValueError, RecursionError):
        return None
    return end


def _read_metadata(noted: bytes) -> Mapping[str, str]:
    try:
        metadata = _texts.decode(noted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from None
    if twice := _repeated(noted):
        raise _Flaw(_named_again(twice))
    return metadata


def _read_once(body: bytes, start: int, data: int) -> _Body:
    """As `_read_body`: what a training writes differs in metadata from version to version and in nothing else.

    Found by its end, where the last offsets stand, and compared whole: that takes a tenth of the time of a hash.
    """
    key = len(body), start, data, body[-_ENDING:]
    known = _seen.get(key)
    if known is not None and known[0] == body:
        return known[1]
    found = _read_body(body, start, data)
    if len(body) <= _REMEMBERED:
        if key not in _seen and len(_seen) >= _SEEN_AT_MOST:
            _seen.clear()
        _seen[key] = body, found
    return found


def _read_body(raw: bytes, start: int, data: int) -> _Body:
    """The tensors, and whatever metadata stand among them; `start` and `data` are where the data begin and their bytes.

    Raises _Flaw.
    """
    try:
        members = _members.decode(raw)
        noted = bytes(members.pop("__metadata__", msgspec.Raw(b"{}")))
        records = {name: _record.decode(member) for name, member in members.items()}
        raw.decode("utf-8")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from None
    metadata = _read_metadata(noted)
    # Without escapes and with exactly one of each field a tensor no name can be there twice: the slow reading of the
    # whole header (4 ms for 896 tensors) is for odd files only.
    plain = b"\\" not in raw and raw.count(b'"__metadata__"') <= 1
    if not (plain and all(raw.count(field) == len(records) for field in _FIELDS)) and (twice := _repeated(raw)):
        raise _Flaw(_named_again(twice))
    _check_spans(records, data)
    tensors = {
        name: TensorInfo(r.dtype, r.shape, start + r.data_offsets[0], start + r.data_offsets[1])
        for name, r in records.items()
    }
    return tensors, metadata


def _repeated(raw: bytes) -> list[str]:
    """Names that occur twice in one JSON object of `raw`, where the last would win silently."""
    twice: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                twice.append(name)
            found[name] = value
        return found

    json.loads(raw, object_pairs_hook=collect)
    return twice


def _named_again(names: list[str]) -> str:
    return _("its header names {names} twice").format(names=some_of(names))


def _not_json(error: Exception) -> _Flaw:
    return _Flaw(_("its header is not the expected JSON ({reason})").format(reason=shown(str(error))))


def _check_spans(records: Mapping[str, _Record], data: int) -> None:
    """Each tensor as long as its type and shape say, one after the other, from the first byte of `data` to the last."""
    at = 0
    for name, record in sorted(records.items(), key=lambda item: item[1].data_offsets):
        start, end = record.data_offsets
        bits = BITS.get(record.dtype)
        if bits is None:
            raise _Flaw(_("{name} has the unknown type {dtype}").format(name=shown(name), dtype=shown(record.dtype)))
        if (end - start) * 8 != math.prod(record.shape) * bits:
            raise _Flaw(_("{name} does not fill the bytes that it claims").format(name=shown(name)))
        if start != at:
            raise _Flaw(_("{name} overlaps another tensor or leaves a gap").format(name=shown(name)))
        at = end
    if at > data:
        raise _Flaw(_cut_short(at, data))
    if at < data:
        raise _Flaw(_("{n} bytes at its end belong to no tensor").format(n=data - at))


def _too_long(path: Path, length: int, size: int) -> Problem:
    if length > _LONGEST_HEADER:
        return _damaged(path, _("its first 8 bytes ask for a header of {n} bytes").format(n=length))
    return _damaged(path, _cut_short(length, size - 8))


def _cut_short(expected: int, found: int) -> str:
    return _("it is cut short: {found} of {expected} bytes are there").format(found=found, expected=expected)


def _damaged(path: Path, what: str) -> Problem:
    return problem(
        FILE_DAMAGED,
        _("{file} is damaged: {what}.").format(file=shown(path.name), what=what),
        _("Copy or download it again, then compare: {command}").format(command=command("sha256sum", path)),
        path=shown(path),
    )
