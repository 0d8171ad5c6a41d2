"""Files of one JSON record a line, only ever added to: read with whatever a crash or an editor left broken in between.

Knows no record's meaning. What was read is kept, so that only added lines are decoded: 20,000 of them take 0.2 s. That
nothing else has changed is not guessed from times but compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from lora_repository.place import explain

Record = TypeVar("Record")
_KEPT_AT_MOST: Final = 4
_LARGEST_KEPT: Final = 32 << 20


class _Read(NamedTuple):
    """The `data` up to the last whole line, what `decoder` made of its `lines`, and the numbers of damaged ones."""

    decoder: object
    data: bytes = b""
    records: tuple[Any, ...] = ()
    damaged: tuple[int, ...] = ()
    lines: int = 0


_kept: Final[dict[str, _Read]] = {}


def read_journal(path: Path, decoder: msgspec.json.Decoder[Record]) -> tuple[list[Record], list[int]]:
    """Every readable record, oldest first, and the numbers of the lines that are none; both empty without the file.

    Raises Problem when the file is there and cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise explain(path, error) from None
    key = str(path.absolute())
    before = _kept.get(key, _Read(decoder))
    if before.decoder is not decoder or not data.startswith(before.data):
        before = _Read(decoder)
    whole = data.rfind(b"\n") + 1
    records, damaged, lines = _decode(data[len(before.data) : whole], decoder, before.lines)
    found = _Read(decoder, data[:whole], (*before.records, *records), (*before.damaged, *damaged), lines)
    if whole <= _LARGEST_KEPT:
        if key not in _kept and len(_kept) >= _KEPT_AT_MOST:
            _kept.clear()
        _kept[key] = found
    # A last line without its end may still be torn, or become longer.
    records, damaged, _lines = _decode(data[whole:], decoder, lines)
    return [*found.records, *records], [*found.damaged, *damaged]


def _decode(data: bytes, decoder: msgspec.json.Decoder[Record], count: int) -> tuple[list[Record], list[int], int]:
    """Records, damaged lines, and the number of the last line; `count` lines stand before `data`."""
    records, damaged = [], []
    for line in data.splitlines():
        count += 1
        try:
            records.append(decoder.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError):
            damaged.append(count)
    return records, damaged, count
