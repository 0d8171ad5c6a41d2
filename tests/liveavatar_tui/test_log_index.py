"""The offset index gives the same lines as reading the whole file, however the file came to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveavatar_tui.log_index import LogIndex


def lines_of(index: LogIndex) -> list[str]:
    return [index.line(number) for number in range(index.total)]


def test_no_file_has_no_lines(tmp_path: Path) -> None:
    index = LogIndex(tmp_path / "engine.log")
    assert index.poll() is False
    assert index.total == 0
    assert index.line(0) == ""


def test_follows_a_growing_file(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    index = LogIndex(log)
    with log.open("wb", buffering=0) as file:
        file.write(b"first\nsec")
        assert index.poll() is True
        assert lines_of(index) == ["first", "sec"]
        assert index.poll() is False
        before = index.generation
        file.write(b"ond")
        index.poll()
        assert lines_of(index) == ["first", "second"]
        assert index.generation != before, "a line that grows keeps the total: only the generation tells"
        file.write(b"\n")
        index.poll()
        assert lines_of(index) == ["first", "second"]


@pytest.mark.parametrize("count", [63, 64, 65, 640, 5000])
def test_every_line_at_its_number(tmp_path: Path, count: int) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(count)))
    index = LogIndex(log)
    index.poll()
    assert index.total == count
    for number in (0, 1, 62, 63, 64, count // 2, count - 1):
        if number < count:
            assert index.line(number) == f"line {number}"


def test_a_progress_line_shows_its_last_state(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes(b"\r 10%\r 50%\r100%\r\nnext\r\n\r 7%\r 8%")
    index = LogIndex(log)
    index.poll()
    assert lines_of(index) == ["100%", "next", " 8%"]


def test_long_lines_cost_little_and_hide_nobody(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes(b"before\n" + b"x" * (3 << 20) + b"\nafter\n" + b"y" * (2 << 20) + b"\nlast\n")
    index = LogIndex(log)
    while index.poll():
        pass
    shown = lines_of(index)
    assert shown[0] == "before"
    assert shown[2] == "after"
    assert shown[4] == "last"
    assert len(shown[1]) == len(shown[3]) == 8 << 10


@pytest.mark.parametrize("how", ["truncated", "replaced"])
def test_a_file_that_starts_over_is_read_again(tmp_path: Path, how: str) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes(b"old\n" * 1000)
    index = LogIndex(log)
    index.poll()
    if how == "replaced":
        beside = tmp_path / "beside"
        beside.write_bytes(b"fresh\n" * 2000)
        beside.replace(log)
    else:
        log.write_bytes(b"fresh\n" * 10)
    before = index.generation
    index.poll()
    assert set(lines_of(index)) == {"fresh"}
    assert index.generation > before


def test_budget_bounds_one_poll(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes(b"line\n" * 400_000)
    index = LogIndex(log)
    index.poll(budget=1 << 18)
    assert 0 < index.total < 400_000
    while index.poll():
        pass
    assert index.total == 400_000


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\r", b"")), max_size=200),
    st.lists(st.integers(1, 50), min_size=1),
)
def test_same_lines_as_the_whole_file(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], cuts: list[int]
) -> None:
    log = tmp_path_factory.mktemp("log") / "engine.log"
    data = b"\n".join(parts)
    index = LogIndex(log)
    with log.open("wb", buffering=0) as file:
        at = 0
        for cut in [*cuts, len(data) + 1]:
            file.write(data[at : at + cut])
            at += cut
            index.poll()
            index.line(0)
    expected = data.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert lines_of(index) == [line.decode("utf-8", "replace") for line in expected]
