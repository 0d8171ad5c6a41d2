"""Lines by offsets are the lines of the whole file, in both directions, whatever is in them and however it grew."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveavatar_tui.logs import line_numbers, lines
from liveavatar_tui.logs.line_numbers import LineNumbers
from liveavatar_tui.logs.lines import Line, backward, end_of, forward, shown, start_of
from liveavatar_tui.logs.log_file import LogFile

LOGS = st.lists(st.sampled_from([b"", b"a", b"bb", b"\r", b"\x00\xff", b"long " * 8, b"\n"]), max_size=60).map(
    b"\n".join
)


@dataclass(frozen=True)
class Held:
    """Bytes as a reader."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds so small that every way is gone."""
    monkeypatch.setattr(lines, "PIECE", 16)
    monkeypatch.setattr(lines, "_WINDOW", 12)
    monkeypatch.setattr(lines, "_NEAR", 5)


def starts_of(data: bytes, piece: int) -> list[int]:
    """The rule by its words: after a line break, or at a multiple of a piece with none in the piece before."""
    broken = {0} | {at + 1 for at, byte in enumerate(data) if byte == 10}
    cut = {at for at in range(piece, len(data), piece) if b"\n" not in data[at - piece : at]}
    return sorted(start for start in broken | cut if start < len(data))


def plain(data: bytes, piece: int) -> list[Line]:
    starts = starts_of(data, piece)
    ends = [*starts[1:], len(data)]
    return [Line(a, b, shown(data[a:b].removesuffix(b"\n"))) for a, b in zip(starts, ends, strict=bool(starts))]


@pytest.mark.usefixtures("small")
@settings(max_examples=150, deadline=None)
@given(LOGS, st.integers(1, 9), st.data())
def test_both_directions_meet_the_lines_of_the_whole_file(data: bytes, count: int, draw: st.DataObject) -> None:
    reader, expected = Held(data), plain(data, 16)
    assert forward(reader, 0, 10_000) == expected
    assert backward(reader, len(data), 10_000) == expected
    if expected:
        at = draw.draw(st.integers(0, len(expected) - 1))
        assert forward(reader, expected[at].start, count) == expected[at : at + count]
        assert backward(reader, expected[at].start, count) == expected[max(0, at - count) : at]
        offset = draw.draw(st.integers(expected[at].start, expected[at].end - 1))
        assert start_of(reader, offset) == expected[at].start
        assert end_of(reader, expected[at].start) == expected[at].end


def test_a_progress_line_shows_its_last_state() -> None:
    data = b"\r 10%\r 50%\r100%\r\nnext\r\n\r 7%\r 8%"
    assert [line.text for line in forward(Held(data), 0, 9)] == [b"100%", b"next", b" 8%"]


def test_a_line_of_megabytes_costs_little_and_hides_nobody() -> None:
    data = b"before\n" + b"x" * (3 << 20) + b"\nafter\n" + b"\x00" * (2 << 20) + b"\nlast\n"
    shown_lines = forward(Held(data), 0, 100)
    texts = [line.text for line in shown_lines]
    assert texts[0] == b"before" and texts[-1] == b"last" and b"after" in texts
    assert all(len(text) <= lines.SHOWN for text in texts)
    assert backward(Held(data), len(data), 100) == shown_lines
    assert b"".join(data[line.start : line.end] for line in shown_lines) == data


@settings(max_examples=60, deadline=None)
@given(LOGS, st.lists(st.integers(1, 50), min_size=1))
def test_numbers_follow_a_growing_file(tmp_path_factory: pytest.TempPathFactory, data: bytes, cuts: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_numbers, "_CHUNK", 16)
        log = tmp_path_factory.mktemp("log") / "engine.log"
        file = LogFile(log)
        numbers = LineNumbers(file)
        with log.open("wb", buffering=0) as writer:
            at = 0
            for cut in [*cuts, len(data) + 1]:
                writer.write(data[at : at + cut])
                at += cut
                file.look()
                while numbers.poll(budget=20):
                    pass
                written = data[:at]
                assert numbers.complete
                assert numbers.total == written.count(b"\n") + (written[-1:] not in (b"", b"\n"))
        for offset in range(0, len(data), 7):
            assert numbers.number(offset) == data[:offset].count(b"\n")


# --- the file itself


def test_no_file_can_be_read_and_one_that_comes_later_is_found(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "engine.log")
    assert file.look() is False and file.extent.read(0, 9) == b""
    file.path.write_bytes(b"here")
    assert file.look() is True and file.extent.read(0, 9) == b"here"
    assert file.look() is False


@pytest.mark.parametrize("how", ["truncated", "replaced", "cut and grown beyond its old end", "written over"])
def test_a_file_that_starts_over_is_another_generation(tmp_path: Path, how: str) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes(b"old\n" * 1000)
    file = LogFile(log)
    numbers = LineNumbers(file)
    file.look()
    numbers.poll()
    fresh = {"truncated": 10, "replaced": 2000, "cut and grown beyond its old end": 5000, "written over": 1000}[how]
    if how == "replaced":
        beside = tmp_path / "beside"
        beside.write_bytes(b"new\n" * fresh)
        beside.replace(log)
    else:
        log.write_bytes(b"new\n" * fresh)
        os.utime(log, (1, 1))
    assert file.look() is True
    numbers.poll()
    assert (file.extent.generation, numbers.total) == (1, fresh)
    assert {line.text for line in forward(file.extent, 0, 9999)} == {b"new"}


def test_a_log_that_is_rotated_away_stays_readable_until_the_next_comes(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes(b"old\n")
    file = LogFile(log)
    file.look()
    log.rename(tmp_path / "engine.log.1")
    assert file.look() is False and file.extent.read(0, 4) == b"old\n"
    log.write_bytes(b"")
    assert file.look() is True and file.extent.size == 0


def test_a_file_that_is_cut_while_it_is_read_gives_what_is_left(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes(b"line\n" * 100)
    file = LogFile(log)
    file.look()
    os.truncate(log, 12)
    assert [line.text for line in forward(file.extent, 0, 9)][:3] == [b"line", b"line", b"li"]
    assert {line.text for line in backward(file.extent, file.extent.size, 9)} <= {b"line", b"li"}


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        file = LogFile(tmp_path / name)
        assert file.look() is False and file.extent.size == 0


def test_an_old_descriptor_is_given_back(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    file = LogFile(log)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(20):
        (tmp_path / "beside").write_text(f"{number}\n")
        (tmp_path / "beside").replace(log)
        file.look()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
