"""A terminal's screen as a picture, as its cells look: half blocks in their two colours, everything else as text."""

from __future__ import annotations

import pyte
from PIL import Image, ImageDraw, ImageFont
from pty_harness import _UNKNOWN, Terminal

CELL = (9, 18)
FOREGROUND, BACKGROUND = "#d3d9e0", "#14181d"
_NAMED = {
    "black": "#000000", "red": "#cd3131", "green": "#0dbc79", "brown": "#e5e510", "blue": "#2472c8",
    "magenta": "#bc3fbc", "cyan": "#11a8cd", "white": "#e5e5e5",
}  # fmt: skip


def _colour(name: str, default: str) -> str:
    if name == "default":
        return default
    return _NAMED.get(name.removeprefix("bright"), f"#{name}" if len(name) == 6 else default)


def draw_screen(terminal: Terminal) -> Image.Image:
    """What stands on the screen by now."""
    screen = pyte.Screen(terminal.columns, terminal.rows)
    pyte.Stream(screen).feed(_UNKNOWN.sub("", terminal.raw.decode("utf-8", "replace")))
    width, height = CELL
    picture = Image.new("RGB", (width * terminal.columns, height * terminal.rows), BACKGROUND)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype("DejaVuSansMono.ttf", 14)
    for y in range(terminal.rows):
        for x in range(terminal.columns):
            cell = screen.buffer[y][x]
            front, back = _colour(cell.fg, FOREGROUND), _colour(cell.bg, BACKGROUND)
            if cell.reverse:
                front, back = back, front
            box = (x * width, y * height, (x + 1) * width - 1, (y + 1) * height - 1)
            draw.rectangle(box, fill=back)
            if cell.data == "▀":
                draw.rectangle((box[0], box[1], box[2], box[1] + height // 2 - 1), fill=front)
            elif cell.data.strip():
                draw.text((box[0], box[1]), cell.data, font=font, fill=front)
    return picture
