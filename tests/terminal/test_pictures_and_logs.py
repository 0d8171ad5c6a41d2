"""The job's screen in a real pseudo-terminal: frames past the screen's own drawing, stills, the pager, a slow link."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pty_harness
import pytest
from pty_harness import Terminal

sys.path.insert(0, str(Path(__file__).parent.parent / "liveavatar_tui"))

from world import SPEC, draw_frame, half_way, write_job, write_world

from engine.job_folder import JobFolder

ROOT = Path(__file__).parent.parent.parent
APP = (sys.executable, "-m", "liveavatar_tui.cli")
KITTY = {b"\x1b_Gi=19521,": b"\x1b_Gi=19521;OK\x1b\\"}
CELL = {b"\x1b[16t": b"\x1b[6;20;10t"}
SIXEL = {b"\x1b[c": b"\x1b[?62;4;22c"}


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    settings = write_world(tmp_path)
    folder = write_job(settings.jobs_folder(), "20260314-092600-aaaaaa", SPEC, half_way(), "the first line\n")
    draw_frame(folder.preview)
    return folder


@contextmanager
def watching(job: JobFolder, size: tuple[int, int] = (120, 40), **env: str) -> Iterator[Terminal]:
    """The app on the job."""
    root = job.root.parent.parent
    place = {"PYTHONPATH": str(ROOT), "LIVEAVATAR_CONFIG": str(root / "config.yaml"), "LIVEAVATAR_LANG": "en", **env}
    with Terminal(APP, columns=size[0], rows=size[1], env=place) as terminal:
        terminal.found = terminal.attributes()  # type: ignore[attr-defined]
        terminal.wait_for("Jobs")
        terminal.wait_quiet(0.5)
        terminal.send("3")
        terminal.wait_for("Progress")
        terminal.wait_quiet(0.3)
        terminal.send("\r")
        terminal.wait_for("the first line")
        terminal.wait(lambda: terminal.raw.count("▀".encode()) > 200)
        terminal.wait_quiet(0.6)
        yield terminal


def test_what_moved_is_written_and_nothing_else(job: JobFolder) -> None:
    with watching(job) as terminal:
        drawn = terminal.text().count("▀")
        sent = len(terminal.raw)
        draw_frame(job.preview, mouth=30)
        terminal.wait(lambda: len(terminal.raw) > sent)
        terminal.wait_quiet(0.5)
        patch = terminal.raw[sent:]
        assert len(patch) < 6000
        assert re.fullmatch(rb"(?:\x1b\[[\d;]*[mH]|\x1b\[6n|\x1b\[\?2026[hl]|\x1b\[\?25[hl]|\xe2\x96\x80| )*", patch)
        assert abs(terminal.text().count("▀") - drawn) < 0.5 * drawn


def test_nothing_is_drawn_over_what_covers_the_picture(job: JobFolder) -> None:
    with watching(job) as terminal:
        terminal.send("?")
        terminal.wait_for("esc closes")
        terminal.wait_quiet(0.4)
        sent = len(terminal.raw)
        draw_frame(job.preview, mouth=40)
        draw_frame(job.preview, mouth=2)
        terminal.wait_quiet(1.0)
        assert b"\xe2\x96\x80" not in terminal.raw[sent:]
        terminal.send("\x1b")
        terminal.wait(lambda: terminal.text().count("▀") > 200)


@pytest.mark.parametrize(
    ("answers", "sign", "away"),
    [
        ({**KITTY, **CELL}, rb"\x1b_Ga=T,f=100,i=(\d+),c=\d+,r=\d+,C=1,q=2,m=[01];", rb"\x1b_Ga=d,d=I,i=\d+,q=2\x1b\\"),
        ({**SIXEL, **CELL}, rb'\x1bP0;1q"1;1;\d+;\d+#', b""),
        ({b"\x1b[>0q": b"\x1bP>|iTerm2 3.5.1\x1b\\"}, rb"\x1b\]1337;File=inline=1;", b""),
    ],
    ids=["kitty", "sixel", "iterm2"],
)
def test_a_still_in_the_terminals_own_graphics(
    job: JobFolder, monkeypatch: pytest.MonkeyPatch, answers: dict[bytes, bytes], sign: bytes, away: bytes
) -> None:
    monkeypatch.setattr(pty_harness, "_ANSWERS", {**pty_harness._ANSWERS, **answers})
    with watching(job) as terminal:
        terminal.send("s")
        terminal.wait(lambda: re.search(sign, terminal.raw))
        terminal.wait_for("256×256")
        terminal.wait_quiet(0.5)
        at = re.search(sign, terminal.raw).start()  # type: ignore[union-attr]
        terminal.send("\x1b")
        terminal.wait_for("the first line")
        assert re.search(away, terminal.raw[at:])
        terminal.send("q")
        assert terminal.exit_code() == 0
        assert terminal.attributes() == terminal.found  # type: ignore[attr-defined]


def test_a_still_in_half_blocks_where_a_terminal_tells_nothing(job: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pty_harness, "_ANSWERS", {})
    with watching(job) as terminal:
        assert "once a second" in terminal.text(), "a fallback is told"
        terminal.send("s")
        terminal.wait_for("half blocks: this terminal tells of no graphics")
        terminal.wait(lambda: terminal.text().count("▀") > 800)


def test_what_is_typed_while_the_terminal_is_asked_is_not_lost(job: JobFolder) -> None:
    root = job.root.parent.parent
    place = {"PYTHONPATH": str(ROOT), "LIVEAVATAR_CONFIG": str(root / "config.yaml"), "LIVEAVATAR_LANG": "en"}
    with Terminal(APP, columns=100, rows=30, env=place) as terminal:
        terminal.wait(lambda: b"\x1b[c" in terminal.raw)
        terminal.send("3")
        terminal.wait_for("Progress")


def test_the_log_in_the_pager_and_back(job: JobFolder, tmp_path: Path) -> None:
    pager = tmp_path / "a pager"
    pager.write_text('#!/bin/sh\necho "paging $1 $2"\nread line\n')
    pager.chmod(0o755)
    with watching(job, PAGER=f"'{pager}' --own") as terminal:
        terminal.send("p")
        terminal.wait_for(f"paging --own {str(job.log)[:40]}")
        terminal.send("\n")
        terminal.wait_for("the first line")
        terminal.wait(lambda: terminal.text().count("▀") > 200)
        terminal.send("q")
        assert terminal.exit_code() == 0
        assert terminal.attributes() == terminal.found  # type: ignore[attr-defined]


def test_being_told_to_end_in_the_pager_ends_both(job: JobFolder, tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text('#!/bin/sh\necho "paging $$ here"\nexec sleep 100\n')
    pager.chmod(0o755)
    with watching(job, PAGER=str(pager)) as terminal:
        terminal.send("p")
        terminal.wait(lambda: re.search(r"paging (\d+) here", terminal.text()))
        number = int(re.search(r"paging (\d+) here", terminal.text())[1])  # type: ignore[index]
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.exit_code() == 128 + signal.SIGTERM
        assert not Path(f"/proc/{number}").exists()


def test_a_search_process_ends_with_the_app(job: JobFolder) -> None:
    with watching(job) as terminal:
        terminal.send("/")
        terminal.wait_for("seek in the log")
        terminal.send("first")
        terminal.wait_for("1 of 1")
        tree = _descendants(terminal.pid)
        assert any(b"liveavatar_tui.logs.scan" in words for words in tree.values())
        os.kill(terminal.pid, signal.SIGKILL)
        terminal.wait(lambda: not any(b"logs.scan" in _words(number) for number in tree))


def _words(number: int) -> bytes:
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return b""


def _descendants(number: int) -> dict[int, bytes]:
    told = {number: _words(number)}
    for task in Path(f"/proc/{number}/task").iterdir():
        for child in (task / "children").read_text().split():
            told |= _descendants(int(child))
    return told
