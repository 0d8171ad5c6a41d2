"""Stored matrices as bytes: scaled, widened, joined. Enough to convert an adapter without a tensor library.

Row-major, little-endian. Copying is fast; scaling by anything but 1 goes number by number (some 3 million a second).
"""

from __future__ import annotations

import struct
from array import array
from typing import Final

ITEM: Final = {"BF16": 2, "F16": 2, "F32": 4}
"""Bytes of one number of the types that an adapter is stored in."""


def to_floats(data: bytes, dtype: str) -> array[float]:
    """The numbers as 32-bit floats, exactly."""
    if dtype == "F32":
        return array("f", data)
    if dtype == "BF16":
        wide = array("I", (half << 16 for half in array("H", data)))
        return array("f", wide.tobytes())
    return array("f", struct.unpack(f"<{len(data) // 2}e", data))


def from_floats(floats: array[float], dtype: str) -> bytes:
    """The numbers rounded to the nearest of `dtype`, ties to even."""
    if dtype == "F32":
        return floats.tobytes()
    if dtype == "BF16":
        bits = array("I", floats.tobytes())
        return array("H", (((b + 0x7FFF + (b >> 16 & 1)) >> 16) & 0xFFFF for b in bits)).tobytes()
    return struct.pack(f"<{len(floats)}e", *floats)


def scaled(data: bytes, dtype: str, factor: float) -> bytes:
    """Every number times `factor`, rounded to `dtype`; a power of two changes no digit."""
    if factor == 1.0:
        return data
    return from_floats(array("f", (number * factor for number in to_floats(data, dtype))), dtype)


def converted(data: bytes, old: str, new: str) -> bytes:
    """The same numbers as `new`; to F32 exactly, otherwise rounded."""
    return data if old == new else from_floats(to_floats(data, old), new)


def below(parts: list[bytes]) -> bytes:
    """The matrices one below the other: A of [r1, in] and [r2, in] to [r1 + r2, in]."""
    return b"".join(parts)


def beside(parts: list[bytes], rows: int) -> bytes:
    """The matrices side by side: B of [out, r1] and [out, r2] to [out, r1 + r2]; every part has `rows` rows."""
    widths = [len(part) // rows for part in parts]
    return b"".join(
        part[row * width : (row + 1) * width] for row in range(rows) for part, width in zip(parts, widths, strict=True)
    )
