"""What is found is what a plain reading finds; a search can be ended, grows with its file, and never hangs a screen."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveavatar_tui.logs import search as search_module
from liveavatar_tui.logs.feed import LogFeed
from liveavatar_tui.logs.levels import Level, kind, passes
from liveavatar_tui.logs.query import Kind, Query, finder, mistake
from liveavatar_tui.logs.search import Pace, Search


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def starts(data: bytes) -> list[int]:
    return [0, *(at + 1 for at, byte in enumerate(data[:-1]) if byte == 10)] if data else []


def lines_with(data: bytes, wanted: Callable[[bytes], object]) -> list[int]:
    ends = [at for at, byte in enumerate(data) if byte == 10] + [len(data)]
    return [start for start, end in zip(starts(data), ends, strict=False) if wanted(data[start:end])]


TEXT = st.lists(st.sampled_from([b"abc", b"ABC aBc", b"", b"x\x00\xff", b"ab", "é语".encode(), b"a.c"]), max_size=40)


@given(TEXT.map(b"\n".join), st.sampled_from(["abc", "ABC", "b", "é", "a.c", "\x00"]))
def test_words_are_found_as_they_are(data: bytes, text: str) -> None:
    sought = text.encode()
    either = text == text.lower()
    expected = lines_with(data, lambda line: sought in (line.lower() if either else line))
    assert finder(Query(Kind.WORDS, text))(data) == expected


@given(TEXT.map(b"\n".join), st.sampled_from(["^a", "c$", "a.c", "[bB]c", "x*", "(ab|é)", r"\bab\b"]))
def test_expressions_are_found_line_by_line(data: bytes, text: str) -> None:
    expression = re.compile(text.encode(), re.IGNORECASE if text == text.lower() else 0)
    assert finder(Query(Kind.EXPRESSION, text))(data) == lines_with(data, expression.search)


LEVELLED = [
    b"[ERROR] disk", b"[WARNING] small", b"WARN x", b"[INFO] an ERROR" + b" " * 90, b"[INFO] " + b"." * 90 + b"ERROR",
    b"Traceback (most recent call last):", b"torch.OutOfMemoryError: CUDA", b"  File x", b"ValueError: no", b"TERRORS",
    b"CRITICAL", b"a ValueError: within", b"DEBUG",
]  # fmt: skip


@given(st.lists(st.sampled_from(LEVELLED), max_size=30).map(b"\n".join))
def test_levels_are_found_by_the_rule_for_one_line(data: bytes) -> None:
    for level in (Level.WARNINGS, Level.ERRORS):
        expected = lines_with(data, lambda line, level=level: passes(level, line))
        assert finder(Query(Kind.LEVEL, level.name))(data) == expected


def test_what_is_coloured_as_an_error_passes_the_filter() -> None:
    for line in LEVELLED:
        assert (kind(line.decode()) == "error") is passes(Level.ERRORS, line)
        assert (kind(line.decode()) in ("error", "warning")) is passes(Level.WARNINGS, line)


@pytest.mark.parametrize(("text", "fault"), [("(", True), ("[z-a]", True), ("a{2,1}", True), ("a(b)", False)])
def test_a_mistake_in_an_expression_is_told(text: str, fault: bool) -> None:
    assert bool(mistake(Query(Kind.EXPRESSION, text))) is fault
    assert mistake(Query(Kind.WORDS, text)) == ""


# --- the process


@pytest.fixture
def feed(tmp_path: Path) -> LogFeed:
    (tmp_path / "engine.log").write_bytes(b"".join(b"line %d\n" % n for n in range(200_000)) + b"unfinished 7777")
    feed = LogFeed(tmp_path / "engine.log")
    feed.poll()
    return feed


def finished(feed: LogFeed, search: Search) -> list[int]:
    until(lambda: search.poll() or search.pace is not Pace.LOOKING)
    until(lambda: search.pace is not Pace.LOOKING)
    return [search[rank] for rank in range(len(search))]


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_hits_are_in_order_wherever_the_search_began(feed: LogFeed, share: float) -> None:
    data = feed.file.path.read_bytes()
    origin = data.rfind(b"\n", 0, int(len(data) * share)) + 1
    search = feed.seek(Query(Kind.WORDS, "7777"), origin)
    expected = lines_with(data, lambda line: b"7777" in line)
    assert finished(feed, search) == expected
    assert [search.rank(offset) for offset in expected] == list(range(len(expected)))
    assert search.holds(expected[3]) and not search.holds(expected[3] + 1)
    feed.close()


def test_a_search_grows_with_its_file(feed: LogFeed) -> None:
    search = feed.seek(Query(Kind.WORDS, "7777"), feed.file.extent.size)
    before = len(finished(feed, search))
    with feed.file.path.open("ab") as file:
        file.write(b"7 and on\nanother 7777\n")
    until(lambda: feed.poll() and len(search) == before + 1)
    assert sorted(search[rank] for rank in range(len(search))) == finished(feed, search)
    feed.close()


def test_an_expression_that_never_ends_is_ended(tmp_path: Path) -> None:
    (tmp_path / "engine.log").write_bytes(b"a" * 5000 + b"!\n")
    feed = LogFeed(tmp_path / "engine.log")
    feed.poll()
    search = Search(feed.file, Query(Kind.EXPRESSION, "(a+)+$"), 0, patience_s=0.3)
    until(lambda: search.pace is Pace.SLOW)
    endless = Search(feed.file, Query(Kind.EXPRESSION, "(a+)+$"), 0, patience_s=1000)
    endless.close()
    until(lambda: endless.pace is Pace.BROKEN)


def test_hits_are_bounded(feed: LogFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "MOST", 1000)
    search = feed.seek(Query(Kind.WORDS, "line"), 0)
    until(lambda: search.pace is Pace.FULL)
    assert len(search) >= 1000
    feed.close()


@settings(max_examples=5, deadline=None)
@given(
    st.lists(st.binary(max_size=300), max_size=30).map(b"\n".join), st.text(st.characters(codec="utf-8"), min_size=1)
)
def test_text_of_any_kind_in_bytes_of_any_kind(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, text: str
) -> None:
    log = tmp_path_factory.mktemp("log") / "engine.log"
    log.write_bytes(data + text.replace("\n", "").encode())
    feed = LogFeed(log)
    feed.poll()
    search = feed.seek(Query(Kind.EXPRESSION, re.escape(text)), 0)
    expression = re.compile(re.escape(text).encode(), re.IGNORECASE if text == text.lower() else 0)
    assert finished(feed, search) == lines_with(log.read_bytes(), expression.search)
    feed.close()
