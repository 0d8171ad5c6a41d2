"""What a view of a log shows is a run of its lines, wherever it was moved to and whatever happened to the file."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveavatar_tui.logs.clipping import MOST, clip
from liveavatar_tui.logs.feed import LogFeed
from liveavatar_tui.logs.layout import visible
from liveavatar_tui.logs.levels import Level
from liveavatar_tui.logs.lines import shown
from liveavatar_tui.logs.query import Kind, Query
from liveavatar_tui.logs.search import Pace
from liveavatar_tui.logs.viewport import Viewport

HEIGHT = 5


def view_of(log: Path, width: int = 20, *, wrap: bool = False) -> Viewport:
    port = Viewport(LogFeed(log))
    port.width, port.height, port.wrap = width, HEIGHT, wrap
    port.feed.poll()
    port.catch_up()
    return port


def texts(port: Viewport) -> list[str]:
    return [row.text for row in port.rows()]


def settle(port: Viewport, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        port.feed.poll()
        port.catch_up()
        time.sleep(0.01)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "engine.log"
    path.write_text("".join(f"line {n}\n" for n in range(100)))
    return path


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("scroll"), st.integers(-12, 12)),
        st.tuples(st.sampled_from(["home", "to_end", "append", "wrap"]), st.just(0)),
        st.tuples(st.just("jump_to_share"), st.floats(0, 1)),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["", "a", "word " * 9, "语音" * 13]), max_size=40), MOVES)
def test_the_page_is_full_and_its_rows_follow_each_other(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], moves: list[tuple[str, float]]
) -> None:
    log = tmp_path_factory.mktemp("log") / "engine.log"
    log.write_text("".join(f"{line}\n" for line in lines))
    port = view_of(log)
    for name, value in moves:
        if name == "append":
            with log.open("a") as file:
                file.write("more\n" * 3)
            lines = [*lines, *["more"] * 3]
            port.feed.poll()
            port.catch_up()
        elif name == "wrap":
            port.wrap = not port.wrap
        elif value or name in ("scroll", "jump_to_share"):
            getattr(port, name)(value)
        else:
            getattr(port, name)()
        every = port._layout.down(port._end._replace(offset=0), 10_000)
        shown = port.rows()
        assert len(shown) == min(HEIGHT, len(every))
        at = every.index(shown[0]) if shown else 0
        assert shown == every[at : at + HEIGHT]
        if port.follow:
            assert shown == every[-HEIGHT:]
    joined = "".join(row.text for row in port._layout.down(port._end._replace(offset=0), 10_000))
    assert joined == "".join(lines)


def test_it_follows_until_one_scrolls_up_and_again_from_the_end(log: Path) -> None:
    port = view_of(log)
    assert texts(port)[-1] == "line 99"
    port.scroll(-2)
    assert not port.follow and texts(port)[-1] == "line 97"
    with log.open("a") as file:
        file.write("line 100\n")
    settle(port, lambda: port.fresh == 1)
    assert texts(port)[-1] == "line 97"
    port.scroll(2)
    assert not port.follow
    port.scroll(1)
    assert port.follow and texts(port)[-1] == "line 100" and port.fresh is None


@pytest.mark.parametrize("following", [True, False])
def test_a_file_that_starts_over_is_shown_anew(log: Path, following: bool) -> None:
    port = view_of(log)
    if not following:
        port.scroll(-9)
    port.choose(Level.ERRORS)
    port.seek(Query(Kind.WORDS, "new"))
    log.write_text("new ERROR\n" + "new\n" * 50 + "ERROR end\n")
    settle(port, lambda: len(port.rows()) == 2 and port.sought is not None and len(port.sought) == 51)
    assert texts(port) == ["new ERROR", "ERROR end"]
    assert port.mark is None
    port.feed.close()


def test_an_empty_log_and_a_missing_one(tmp_path: Path) -> None:
    port = view_of(tmp_path / "engine.log")
    for move in (
        port.home,
        port.to_end,
        lambda: port.scroll(-3),
        lambda: port.scroll(3),
        lambda: port.jump_to_share(0.5),
    ):
        move()
        assert texts(port) == [] and port.part(port.rows()) == (0.0, 1.0)


def test_hits_in_both_directions_and_round_the_end(log: Path) -> None:
    port = view_of(log)
    port.seek(Query(Kind.WORDS, "line 5"))
    settle(port, lambda: port.mark is not None and port.sought is not None and port.sought.pace is Pace.DONE)
    assert "line 59" in texts(port), "the nearest before the end, where the search began"
    assert port.rank == 11
    port.next_hit(1)
    assert port.rank == 1 and "line 5" in texts(port)
    port.next_hit(-1)
    port.next_hit(-1)
    assert port.rank == 10 and "line 58" in texts(port)
    port.seek(None)
    assert port.sought is None
    port.feed.close()


def test_what_is_nowhere_is_told_once(log: Path) -> None:
    port = view_of(log)
    port.last_error()
    settle(port, lambda: port.missed)
    assert port.follow
    port.feed.close()


def test_to_the_last_error_and_the_one_before(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_text("".join(f"[ERROR] no {n}\n" if n in (20, 60) else f"line {n}\n" for n in range(100)))
    port = view_of(log)
    for expected in ("no 60", "no 20", "no 60"):
        port.last_error()
        settle(port, lambda expected=expected: any(expected in text for text in texts(port)))
    port.feed.close()


def test_levels_leave_out_and_give_back(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_text(
        "".join(f"[{'ERROR' if n % 10 == 0 else 'WARN' if n % 5 == 0 else 'INFO'}] {n}\n" for n in range(100))
    )
    port = view_of(log)
    port.choose(Level.ERRORS)
    settle(port, lambda: len(port.rows()) == HEIGHT)
    assert texts(port) == [f"[ERROR] {n}" for n in (50, 60, 70, 80, 90)]
    port.scroll(-2)
    assert texts(port)[0] == "[ERROR] 30"
    port.choose(Level.WARNINGS)
    settle(port, lambda: port.filtering is not None and len(port.filtering) == 20)
    assert texts(port)[0] == "[ERROR] 30" and texts(port)[1] == "[WARN] 35"
    port.seek(Query(Kind.WORDS, "9"))
    settle(port, lambda: port.mark is not None)
    assert any(row.place.offset == port.mark for row in port.rows()), "a hit that is left out is not jumped to"
    port.choose(Level.ALL)
    assert port.mark in {row.place.offset for row in port.rows()}, "the marked line stays in view"
    port.feed.close()


def test_copies_are_clean_whole_and_bounded(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes(b"a\x1b[31mRED\x1b]0;t\x07\n" + b" 10%\r 20%\r\n" + b"x" * 200_000 + b"\n")
    extent = view_of(log).feed.file.extent
    text, count = clip(extent, [0, 0, 17, 28])
    assert text.startswith("aRED\n") and " 20%" in text and " 10%" not in text
    assert count == 3 and len(text) <= MOST


@given(st.binary(max_size=200))
def test_nothing_but_text_is_drawn_whatever_is_in_a_line(line: bytes) -> None:
    text = visible(shown(line))
    assert not re.search("[\x00-\x1f\x7f-\x9f\\u202a-\\u202e\\ud800-\\udfff]", text)
