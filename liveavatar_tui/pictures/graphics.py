"""A picture in full as terminals take it: kitty's protocol, iTerm2's, and sixel. Pure; knows no terminal and no widget.

Needs Pillow and numpy, so it is imported when a still is asked for. All pictures are RGB.
"""

from __future__ import annotations

import base64
import io
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

IMAGE_ID: Final = 0x4C41
"""Of the one still that is shown: kitty's pictures are deleted by it, and its placeholders wear it as their colour."""
_CHUNK: Final = 4096
"""The most that one of kitty's sequences may carry."""
_COLOURS: Final = 240
_PLACEHOLDER: Final = "\U0010eeee"


def kitty(picture: Image.Image, columns: int, rows: int) -> str:
    """Draws `picture` over so many cells from the cursor on; the cursor stays, and no answer is wanted."""
    return "".join(_kitty(picture, f"a=T,f=100,i={IMAGE_ID},c={columns},r={rows},C=1,q=2"))


def _kitty(picture: Image.Image, keys: str) -> Iterator[str]:
    content = io.BytesIO()
    picture.save(content, format="PNG", compress_level=1)
    data = base64.standard_b64encode(content.getvalue()).decode()
    chunks = [data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)]
    for number, chunk in enumerate(chunks):
        first = f"{keys}," if number == 0 else ""
        yield f"\x1b_G{first}m={int(number < len(chunks) - 1)};{chunk}\x1b\\"


def kitty_away() -> str:
    """Takes the still away."""
    return f"\x1b_Ga=d,d=I,i={IMAGE_ID},q=2\x1b\\"


def kitty_in_tmux(picture: Image.Image, columns: int, rows: int) -> tuple[str, list[str]]:
    """What passes through tmux to the terminal, and lines of placeholder characters that tmux itself draws: the
    terminal puts the picture wherever those are."""
    sent = "".join(
        through_tmux(part) for part in _kitty(picture, f"a=T,U=1,f=100,i={IMAGE_ID},c={columns},r={rows},q=2")
    )
    red, green, blue = IMAGE_ID.to_bytes(3, "big")
    colour = f"\x1b[38;2;{red};{green};{blue}m"
    marks = _row_marks()
    # A placeholder without marks belongs to the row of the one at its left, one column on.
    return sent, [
        f"{colour}{_PLACEHOLDER}{marks[row]}{marks[0]}{_PLACEHOLDER * (columns - 1)}\x1b[39m"
        for row in range(min(rows, len(marks)))
    ]


@cache
def _row_marks() -> list[str]:
    """Kitty's numbers: the marks above a letter (class 230) that no letter is composed with, in order."""
    parts = (unicodedata.decomposition(chr(code)) for code in range(0x30000))
    composed = {part for told in parts if not told.startswith("<") for part in told.split()}
    marks = (chr(code) for code in range(0x300, 0x700) if unicodedata.combining(chr(code)) == 230)
    return [mark for mark in marks if f"{ord(mark):04X}" not in composed and not unicodedata.decomposition(mark)]


def through_tmux(sequence: str) -> str:
    """A sequence wrapped so that tmux, where `allow-passthrough` is on, hands it to its terminal."""
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def iterm2(file: bytes, columns: int, rows: int) -> str:
    """Draws a picture file (JPEG or PNG, as it is) over so many cells from the cursor on."""
    size = f"size={len(file)};width={columns};height={rows};preserveAspectRatio=1"
    return f"\x1b]1337;File=inline=1;{size}:{base64.standard_b64encode(file).decode()}\x07"


def sixel(picture: Image.Image, colours: int = _COLOURS) -> str:
    """Draws `picture`, pixel by pixel, from the cursor on, in at most `colours` colours."""
    reduced = picture.quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    table = np.array(reduced.getpalette(), np.int64).reshape(-1, 3) * 100 // 255
    indices = np.asarray(reduced)
    used = np.unique(indices).tolist()
    registers = "".join(f"#{index};2;{';'.join(map(str, table[index].tolist()))}" for index in used)
    bands = (_band(indices[top : top + 6]) for top in range(0, picture.height, 6))
    return f'\x1bP0;1q"1;1;{picture.width};{picture.height}{registers}{"-".join(bands)}\x1b\\'


def _band(rows: npt.NDArray[np.uint8]) -> str:
    """Six lines or fewer: for each colour in them characters whose six bits are the pixels of that colour."""
    weights = 1 << np.arange(len(rows))
    lines = []
    for index in np.unique(rows).tolist():
        bits = ((rows == index) * weights[:, None]).sum(axis=0)
        lines.append(f"#{index}{_packed((bits + 63).astype(np.uint8).tobytes().decode('ascii').rstrip('?'))}")
    return "$".join(lines)


def _packed(line: str) -> str:
    """Runs of more than three alike as `!n` and the character."""
    runs = ((sign, sum(1 for _same in run)) for sign, run in groupby(line))
    return "".join(f"!{count}{sign}" if count > 3 else sign * count for sign, count in runs)
