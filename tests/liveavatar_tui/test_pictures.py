"""Patches draw what was asked for, in no more bytes than allowed; the link is asked, believed, and given up on."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from world import draw_frame

from liveavatar_tui.pictures.canvas import Canvas, Patch
from liveavatar_tui.pictures.frames import Frames
from liveavatar_tui.pictures.rate import FRAME_S, ByteRate
from liveavatar_tui.pictures.writing import placed
from liveavatar_tui.terminal.capabilities import PictureMode
from liveavatar_tui.terminal.flow import PATIENCE_S, UNANSWERED_S, Flow
from liveavatar_tui.widgets.half_blocks import CellPicture, Pixels, load

COLUMNS, ROWS = 21, 6


def picture(seed: int, mode: PictureMode = PictureMode.TRUECOLOR) -> CellPicture:
    """A picture with runs of alike pixels; the same for the same seed."""
    draw = np.random.default_rng(seed)
    levels = {PictureMode.TRUECOLOR: [4, 100, 204], PictureMode.PALETTE: [0, 95, 255], PictureMode.ASCII: [0, 4, 9]}
    shape = (ROWS, COLUMNS, 1) if mode is PictureMode.ASCII else (2 * ROWS, COLUMNS, 3)
    return CellPicture(draw.choice(np.array(levels[mode], np.uint8), shape), mode)


class Cells:
    """A terminal that is sent patches."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(40, 12)
        self.stream = pyte.Stream(self.screen)
        self.sent = 0

    def take(self, patch: Patch) -> None:
        if patch.fresh:  # drawn by the widget, whole
            bounds = [(row, 0, patch.picture.columns) for row in range(patch.picture.rows)]
            from liveavatar_tui.pictures.writing import written

            self.stream.feed(placed(written(patch.picture, bounds), 3, 2))
        else:
            text = placed(patch.pieces, 3, 2)
            self.sent += len(text.encode())
            self.stream.feed(text)

    def colours(self) -> Pixels:
        """The pixels [2 * ROWS, COLUMNS, 3] that stand on the screen, read without the product's code."""
        pixels = np.zeros((2 * ROWS, COLUMNS, 3), np.uint8)
        for row in range(ROWS):
            for column in range(COLUMNS):
                cell = self.screen.buffer[2 + row][3 + column]
                back = bytes.fromhex(cell.bg)
                pixels[2 * row, column] = list(bytes.fromhex(cell.fg) if cell.data == "▀" else back)
                pixels[2 * row + 1, column] = list(back)
        return pixels

    def text(self) -> list[str]:
        return [line[3 : 3 + COLUMNS] for line in self.screen.display[2 : 2 + ROWS]]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 99), min_size=1, max_size=6), st.integers(60, 4000))
def test_the_terminal_shows_what_was_asked_for(seeds: list[int], allowance: int) -> None:
    canvas, cells = Canvas(), Cells()
    for seed in seeds:
        wanted = picture(seed)
        while (patch := canvas.step(wanted, allowance)) is not None:
            cells.take(patch)
        assert (cells.colours() == wanted.pixels).all()


@pytest.mark.parametrize("mode", [PictureMode.PALETTE, PictureMode.ASCII])
def test_fewer_colours_and_none(mode: PictureMode) -> None:
    canvas, cells = Canvas(), Cells()
    for seed in (1, 2, 3):
        wanted = picture(seed, mode)
        while (patch := canvas.step(wanted, 900)) is not None:
            cells.take(patch)
    if mode is PictureMode.ASCII:
        assert cells.text() == ["".join(" .:-=+*#%@"[index] for index in row) for row in wanted.pixels[..., 0]]
    else:
        assert (cells.colours() == wanted.pixels).all()


def test_a_patch_is_about_as_large_as_it_may_be() -> None:
    for allowance in (300, 1000, 3000):
        canvas, sizes = Canvas(), []
        for seed in range(20):
            patch = canvas.step(picture(seed), allowance)
            if patch is not None and not patch.fresh:
                sizes.append(len(placed(patch.pieces, 3, 2).encode()))
                assert abs(patch.size - sizes[-1]) <= 0.5 * sizes[-1]
        assert max(sizes) <= 1.25 * allowance + 100, "the bytes are estimated before they are written"


def test_what_moved_most_goes_first_and_noise_never() -> None:
    still = CellPicture(np.full((2 * ROWS, COLUMNS, 3), 100, np.uint8), PictureMode.TRUECOLOR)
    canvas = Canvas()
    while canvas.step(still, 9999):
        pass
    noisy = CellPicture(still.pixels + np.uint8(8), still.mode)
    assert canvas.step(noisy, 9999) is None
    moved = still.pixels.copy()
    moved[4, 3] = 120
    moved[9, 17] = 250
    patch = canvas.step(CellPicture(moved, still.mode), 1)
    assert patch is not None and [(piece.row, piece.first, piece.end) for piece in patch.pieces] == [(4, 17, 18)]
    assert canvas.behind
    patch = canvas.step(CellPicture(moved, still.mode), 1)
    assert patch is not None and [(piece.row, piece.first) for piece in patch.pieces] == [(2, 3)]
    assert not canvas.behind


def test_a_talking_head_stays_within_its_bytes(tmp_path: Path) -> None:
    """Ten frames a second at 120 x 33 in 150 kB/s, at 72 x 20 in 50 kB/s: a head that moves under noise."""
    for box, most in (((120, 33), 150_000), ((72, 20), 50_000)):
        now = [0.0]
        rate, canvas = ByteRate(lambda now=now: now[0]), Canvas()
        sizes = []
        for frame in range(40):
            draw_frame(tmp_path / "f.jpg", mouth=12 + frame % 7 * 5)
            with Image.open(tmp_path / "f.jpg") as image:
                noise = np.random.default_rng(frame).normal(0, 2, (256, 256, 3))
                Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8)).save(tmp_path / "f.jpg")
            room = rate.available(box[0] * box[1])
            patch = canvas.step(load(tmp_path / "f.jpg", *box, PictureMode.TRUECOLOR), room) if room else None
            if patch is not None:
                rate.spend(patch.size)
                sizes.append(patch.size)
            now[0] += FRAME_S
        assert sum(sizes[10:]) / (len(sizes[10:]) * FRAME_S) <= most
        assert len(sizes) == 40


def test_a_file_that_is_replaced_becomes_patches(tmp_path: Path) -> None:
    path = tmp_path / "preview.jpg"
    frames = Frames(path, PictureMode.TRUECOLOR)
    assert frames.next((30, 10), 9999) is None
    path.write_bytes(b"\xff\xd8 torn")
    assert frames.next((30, 10), 9999) is None
    draw_frame(path)
    patch = frames.next((30, 10), 99_999)
    assert patch is not None and patch.fresh and patch.picture.rows == 10
    while frames.next((30, 10), 99_999) is not None:
        pass
    other = frames.next((30, 12), 99_999)
    while other is None:
        other = frames.next((30, 12), 99_999)
    assert other.fresh and other.picture.rows == 12, "another box: drawn again from the same file"


# --- the link


class Line:
    """A terminal at the end of a link: answers a question when all before it has been carried."""

    def __init__(self, rate: float, delay: float = 0.005) -> None:
        self.now, self.rate, self.delay = 0.0, rate, delay
        self.asked = 0
        self.flow = Flow(self.ask, lambda: self.now)

    def ask(self) -> None:
        self.asked += 1

    def carry(self, size: int) -> float:
        """Send an update, drawn in 4 ms, and hear both answers; seconds that it took on the link."""
        self.flow.send(size)
        self.now += 0.004
        self.flow.sent()
        assert not self.flow.ready
        self.now += self.delay
        self.flow.hear()
        self.now += 0.004 + size / self.rate
        assert not self.flow.ready
        self.flow.hear()
        assert self.flow.ready
        return size / self.rate


@given(st.sampled_from([20_000, 50_000, 100_000, 1_000_000, 50_000_000]), st.sampled_from([0.001, 0.02, 0.15]))
def test_updates_grow_to_what_the_link_carries_in_a_tenth_of_a_second(rate: int, delay: float) -> None:
    line = Line(rate, delay)
    took = [line.carry(min(line.flow.allowance, 200_000)) for _update in range(60)]
    assert max(took[30:]) < 0.15
    if rate <= 100_000:
        assert min(took[30:]) > 0.05, "and are not cut to nothing, however far away the terminal is"


def test_one_update_is_in_flight() -> None:
    line = Line(50_000)
    assert line.flow.ready
    line.flow.send(1000)
    assert not line.flow.ready, "already while it is drawn"
    line.flow.hear()
    assert not line.flow.ready
    line.flow.sent()
    assert not line.flow.ready
    line.flow.hear()
    assert line.flow.ready and line.asked == 2


def test_a_terminal_that_never_answers_gets_one_update_a_second() -> None:
    line = Line(50_000)
    line.flow.send(1000)
    line.flow.sent()
    line.now += PATIENCE_S
    assert line.flow.ready and line.flow.mute
    line.flow.send(1000)
    assert not line.flow.ready
    line.now += UNANSWERED_S
    assert line.flow.ready
    line.carry(1000)
    assert not line.flow.mute


def test_what_is_sent_holds_nothing_but_colours_places_and_cells() -> None:
    canvas = Canvas()
    for seed in range(4):
        if (patch := canvas.step(picture(seed), 3000)) is not None:
            assert re.fullmatch(r"(\x1b\[\d+;\d+H|\x1b\[[\d;]+m| |▀)*", placed(patch.pieces, 3, 2))
