"""Files of one JSON record a line, only ever added to: read with whatever a crash or an editor left broken in between.

Knows no record's meaning.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from lora_repository.place import explain

Record = TypeVar("Record")


def read_journal(path: Path, decoder: msgspec.json.Decoder[Record]) -> tuple[list[Record], list[int]]:
    """Every readable record, oldest first, and the numbers of the lines that are none; both empty without the file.

    Raises Problem when the file is there and cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise explain(path, error) from None
    records, damaged = [], []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(decoder.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError):
            damaged.append(number)
    return records, damaged
