"""Pictures in full: what is sent is decoded again by other hands; what a terminal told of itself is judged rightly."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from world import draw_frame

from liveavatar_tui.pictures import graphics
from liveavatar_tui.pictures.still import make_still, taken_away
from liveavatar_tui.terminal.probe import Abilities, Graphics, judge


def drawing(width: int, height: int, seed: int = 0, levels: int = 4) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, levels, (height, width, 3)) * (255 // (levels - 1))
    return Image.fromarray(values.astype(np.uint8))


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB")).astype(int)


# --- kitty


def from_kitty(sent: str) -> tuple[dict[str, str], Image.Image]:
    """The first sequence's keys and the picture of all chunks."""
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", sent)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in parts) == sent, "nothing else is sent"
    assert all(
        len(data) <= 4096 and (len(data) % 4 == 0 or number == len(parts) - 1)
        for number, (_k, data) in enumerate(parts)
    )
    more = [dict(key.split("=") for key in keys.split(",")).get("m") for keys, _data in parts]
    assert more == ["1"] * (len(parts) - 1) + ["0"]
    keys = dict(key.split("=") for key in parts[0][0].split(","))
    return keys, Image.open(io.BytesIO(base64.b64decode("".join(data for _keys, data in parts))))


@pytest.mark.parametrize("size", [(1, 1), (40, 30), (200, 150)])
def test_kitty_gets_the_picture_itself(size: tuple[int, int]) -> None:
    picture = drawing(*size, levels=16)
    keys, decoded = from_kitty(graphics.kitty(picture, 20, 10))
    assert (pixels(decoded) == pixels(picture)).all()
    assert (keys["c"], keys["r"], keys["a"], keys["f"], keys["C"]) == ("20", "10", "T", "100", "1")
    assert keys["i"] in graphics.kitty_away()


def test_kitty_through_tmux_is_wrapped_and_placed_by_characters() -> None:
    picture = drawing(60, 50, levels=16)
    sent, lines = graphics.kitty_in_tmux(picture, 12, 5)
    wrapped = re.findall(r"\x1bPtmux;((?:\x1b\x1b|[^\x1b])*)\x1b\\", sent)
    assert "".join(graphics.through_tmux(part.replace("\x1b\x1b", "\x1b")) for part in wrapped) == sent
    keys, decoded = from_kitty("".join(part.replace("\x1b\x1b", "\x1b") for part in wrapped))
    assert (pixels(decoded) == pixels(picture)).all() and keys["U"] == "1"
    red, green, blue = (int(keys["i"]) >> shift & 255 for shift in (16, 8, 0))
    marks = "\u0305\u030d\u030e\u0310\u0312"
    for line, mark in zip(lines, marks, strict=True):
        assert line.startswith(f"\x1b[38;2;{red};{green};{blue}m\U0010eeee{mark}\u0305\U0010eeee")
        assert line.count("\U0010eeee") == 12


def test_kittys_numbers_for_rows() -> None:
    marks = graphics._row_marks()
    told = {0: 0x305, 16: 0x35B, 30: 0x483, 35: 0x592, 53: 0x5C4, 64: 0x659}
    assert {at: ord(marks[at]) for at in told} == told


# --- iTerm2


def test_iterm2_gets_the_file_as_it_is(tmp_path: Path) -> None:
    draw_frame(tmp_path / "f.jpg")
    file = (tmp_path / "f.jpg").read_bytes()
    found = re.fullmatch(r"\x1b\]1337;File=inline=1;([^:]*):([^\x07]*)\x07", graphics.iterm2(file, 30, 15))
    assert found is not None
    assert base64.b64decode(found[2]) == file
    assert found[1] == f"size={len(file)};width=30;height=15;preserveAspectRatio=1"


# --- sixel


def from_sixel(sent: str) -> np.ndarray:
    """A decoder of its own: colours of registers, repeats, carriage return and new band."""
    found = re.fullmatch(r'\x1bP0;1q"1;1;(\d+);(\d+)(.*)\x1b\\', sent, re.S)
    assert found is not None
    width, height, body = int(found[1]), int(found[2]), found[3]
    canvas = np.full((height + 6, width, 3), -1)
    colours: dict[int, tuple[int, int, int]] = {}
    register, x, y, at = 0, 0, 0, 0
    while at < len(body):
        if colour := re.compile(r"#(\d+);2;(\d+);(\d+);(\d+)").match(body, at):
            colours[int(colour[1])] = (int(colour[2]), int(colour[3]), int(colour[4]))
            at = colour.end()
        elif choice := re.compile(r"#(\d+)").match(body, at):
            register, at = int(choice[1]), choice.end()
        elif run := re.compile(r"(?:!(\d+))?([?-~])").match(body, at):
            bits = ord(run[2]) - 63
            for _time in range(int(run[1] or 1)):
                for row in range(6):
                    if bits >> row & 1:
                        assert canvas[y + row, x].tolist() == [-1, -1, -1], "no pixel is drawn twice"
                        canvas[y + row, x] = colours[register]
                x += 1
            at = run.end()
        elif body[at] in "$-":
            x, y, at = 0, y + 6 * (body[at] == "-"), at + 1
        else:
            raise AssertionError(f"not sixel: {body[at : at + 20]!r}")
    assert (canvas[height:] == -1).all() and (canvas[:height] >= 0).all(), "all pixels of the picture, no others"
    return canvas[:height] * 255 // 100


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 9))
def test_sixel_is_the_picture_in_few_colours(width: int, height: int, seed: int) -> None:
    picture = drawing(width, height, seed)
    assert np.abs(from_sixel(graphics.sixel(picture)) - pixels(picture)).max() <= 40


def test_sixel_of_a_photograph_is_near_it(tmp_path: Path) -> None:
    draw_frame(tmp_path / "f.jpg")
    with Image.open(tmp_path / "f.jpg") as opened:
        picture = opened.convert("RGB")
    sent = graphics.sixel(picture)
    assert np.abs(from_sixel(sent) - pixels(picture)).mean() < 8
    assert len(sent) < 90_000


# --- a still


@pytest.mark.parametrize("how", [Graphics.KITTY, Graphics.ITERM2, Graphics.SIXEL, Graphics.KITTY_IN_TMUX])
@pytest.mark.parametrize("cell", [(10, 20), (8, 19), (12, 12)])
def test_a_still_keeps_its_shape_and_its_place(tmp_path: Path, how: Graphics, cell: tuple[int, int]) -> None:
    drawing(320, 180).save(tmp_path / "f.png")
    still = make_still(tmp_path / "f.png", 60, 30, how, cell)
    assert still.columns <= 60 and still.rows <= 30
    assert still.columns == 60 or still.rows == 30
    assert abs(still.columns * cell[0] / (still.rows * cell[1]) / (320 / 180) - 1) < 0.08
    sent = still.at(4, 2)
    assert sent.startswith("\x1b7\x1b[3;5H") and sent.endswith("\x1b8")
    assert bool(taken_away(how)) is (how in (Graphics.KITTY, Graphics.KITTY_IN_TMUX))


def test_what_is_no_picture_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "f.jpg").write_bytes(b"\xff\xd8 torn")
    with pytest.raises(OSError):
        make_still(tmp_path / "f.jpg", 10, 10, Graphics.KITTY, (10, 20))


# --- what a terminal tells

DA = b"\x1b[?62;22c"
SIXEL_DA = b"\x1b[?62;4;22c"
KITTY_OK = b"\x1b_Gi=19521;OK\x1b\\"
CELL = b"\x1b[6;19;8t"


@pytest.mark.parametrize(
    ("heard", "environ", "graphics_of", "cell"),
    [
        (KITTY_OK + CELL + DA, {}, Graphics.KITTY, (8, 19)),
        (b"\x1b_Gi=19521;ENOTSUP:no\x1b\\" + SIXEL_DA, {}, Graphics.SIXEL, (10, 20)),
        (b"\x1bP>|iTerm2 3.5.0\x1b\\" + SIXEL_DA, {}, Graphics.ITERM2, (10, 20)),
        (SIXEL_DA, {"LC_TERMINAL": "iTerm2"}, Graphics.ITERM2, (10, 20)),
        (DA, {}, Graphics.NONE, (10, 20)),
        (b"", {"LC_TERMINAL": "iTerm2"}, Graphics.NONE, (10, 20)),
        (b"\x1b[?4;1c", {}, Graphics.NONE, (10, 20)),
        (SIXEL_DA, {"TMUX": "/nowhere,1,0", "PATH": ""}, Graphics.SIXEL, (10, 20)),
        (b"\x1b[6;0;0t" + DA, {}, Graphics.NONE, (10, 20)),
    ],
)
def test_what_the_answers_come_to(
    heard: bytes, environ: dict[str, str], graphics_of: Graphics, cell: tuple[int, int]
) -> None:
    assert judge(heard, environ) == Abilities(graphics_of, cell, b"")


@given(st.binary(max_size=60))
def test_whatever_is_heard_is_judged(heard: bytes) -> None:
    assert isinstance(judge(heard, {}), Abilities)


def test_what_was_typed_meanwhile_is_kept() -> None:
    assert judge(b"3" + KITTY_OK + b"j" + DA + b"q\x1b[A", {}).typed == b"3jq\x1b[A"
