"""Terminals of every kind: without colours, with sixteen, tiny, resized in a storm, or able to show nothing at all."""

from __future__ import annotations

import fcntl
import re
import signal
import struct
import sys
import termios
from pathlib import Path

import psutil
import pytest
from pty_harness import Terminal
from test_terminal import APP, ROOT, app, is_restored, ready, world

__all__ = ["world"]
COLOUR = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")
TRUE_COLOUR = re.compile(rb"\x1b\[[0-9;]*[34]8;[25];")
REVERSED = re.compile(rb"\x1b\[(?:[0-9;]*;)?7(?:;[0-9;]*)?m")


def resize(terminal: Terminal, columns: int, rows: int) -> None:
    terminal.columns, terminal.rows = columns, rows
    fcntl.ioctl(terminal.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def walk(terminal: Terminal) -> None:
    """Through the places, with the cursor moved in each."""
    for keys, sign in (
        ("1", "In use as"),
        ("3", "1 running"),
        ("0", "Channels"),
        ("?", "Keys"),
        ("\x1b", "PRODUCTION"),
    ):
        terminal.send(keys)
        terminal.wait_for(sign)
        terminal.send("j")
        terminal.wait_quiet(0.3)


def test_no_color_sends_none_and_the_cursor_still_shows(world: Path) -> None:
    with app(world, NO_COLOR="1") as terminal:
        ready(terminal)
        walk(terminal)
        assert COLOUR.findall(terminal.raw) == []
        assert REVERSED.search(terminal.raw)


def test_sixteen_colours_are_the_terminals_own(world: Path) -> None:
    with app(world, TERM="xterm", COLORTERM="") as terminal:
        ready(terminal)
        walk(terminal)
        assert TRUE_COLOUR.findall(terminal.raw) == []
        assert REVERSED.search(terminal.raw)


def test_a_light_ground_gets_the_light_theme(world: Path) -> None:
    with app(world, COLORFGBG="0;15") as terminal:
        ready(terminal)
        assert b"48;2;246;247;248" in terminal.raw


@pytest.mark.parametrize("size", [(80, 24), (60, 18)])
def test_small_terminals_show_what_matters(world: Path, size: tuple[int, int]) -> None:
    with app(world, size=size) as terminal:
        terminal.wait_for("PRODUCTION")
        terminal.wait_for("✓ ok")
        terminal.wait_for("running")
        text = terminal.text()
        lines = text.splitlines()
        for word in ("PRODUCTION", "v1.0_product_demo", "staging", "running"):
            assert word in text
        assert "0 Home" in lines[0] and "4" in lines[0] and "Help" in lines[-1] and "Quit" in lines[-1]
        assert all(line.rstrip()[-1] in "│╮╯" for line in lines[1:-1] if line.strip()), text


def test_a_storm_of_resizes_ends_on_a_whole_screen(world: Path) -> None:
    with app(world) as terminal:
        ready(terminal)
        for step in range(100):
            resize(terminal, 40 + step, 12 + step % 30)
        resize(terminal, 100, 30)
        terminal.wait_quiet(0.6)
        terminal.chunks.clear()
        resize(terminal, 90, 28)
        terminal.wait_for("staging")
        terminal.wait_for("Quit")
        terminal.send("q")
        assert terminal.exit_code() == 0 and is_restored(terminal)


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_can_place_nothing_gets_plain_lines_and_a_prompt(world: Path, term: str) -> None:
    with app(world, TERM=term) as terminal:
        terminal.wait_for("liveavatar>")
        text = terminal.text()
        assert "TERM002" in text and "Channel production: v1.0_product_demo." in text
        terminal.send("versions\n")
        terminal.wait_for("v2.2_customer_service_calm")
        terminal.send("quit\n")
        assert terminal.exit_code() == 0
        assert b"\x1b" not in terminal.raw and b"Traceback" not in terminal.raw


def test_plain_on_request(world: Path) -> None:
    env = {"PYTHONPATH": str(ROOT), "LIVEAVATAR_CONFIG": str(world / "config.yaml")}
    with Terminal((*APP, "--plain"), env=env) as terminal:
        terminal.wait_for("liveavatar>")
        terminal.send("nonsense 'unclosed\n")
        terminal.wait_for("closing quotation")
        terminal.send("state\n")
        terminal.wait(lambda: terminal.raw.count(b"Channel production") == 2)
        terminal.send("\x04")
        assert terminal.exit_code() == 0
        assert b"\x1b" not in terminal.raw and b"TERM0" not in terminal.raw


def test_another_encoding_gets_plain_lines_in_it(world: Path) -> None:
    with app(world, PYTHONIOENCODING="gb18030", LIVEAVATAR_LANG="zh_CN") as terminal:
        terminal.wait(lambda: b"liveavatar> " in terminal.raw)
        text = terminal.raw.decode("gb18030")
        assert "TERM003" in text and "v1.0_product_demo" in text and "\x1b" not in text


def test_a_crash_of_the_app_gives_the_terminal_back(world: Path) -> None:
    """An error in the middle of drawing, as any widget could have it."""
    fault = "import liveavatar_tui.widgets.rows as r; r.Rows.action_cursor_down = lambda self: 1 / 0"
    code = f"{fault}; import sys; from liveavatar_tui.cli import main; sys.exit(main([]))"
    env = {"PYTHONPATH": str(ROOT), "LIVEAVATAR_CONFIG": str(world / "config.yaml")}
    with Terminal((sys.executable, "-c", code), env=env) as terminal:
        terminal.found = terminal.attributes()  # type: ignore[attr-defined]
        ready(terminal)
        terminal.send("j")
        assert terminal.exit_code() == 1
        assert is_restored(terminal)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_what_ends_the_app_at_once_gives_the_terminal_back(world: Path, number: signal.Signals) -> None:
    with app(world, before=("/bin/sh", "-c", '"$@"; echo "ended with $?"; sleep 60', "sh")) as terminal:
        ready(terminal)
        (child,) = psutil.Process(terminal.pid).children()
        child.send_signal(number)
        terminal.wait(lambda: f"ended with {128 + number}".encode() in terminal.raw)
        terminal.wait(lambda: is_restored(terminal))
