"""The real app in a real pseudo-terminal: first screen, silence when idle, the terminal given back whatever happens."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pty_harness import Terminal

sys.path.insert(0, str(Path(__file__).parent.parent / "liveavatar_tui"))

from world import SPEC, draw_frame, half_way, write_job, write_world

ROOT = Path(__file__).parent.parent.parent
APP = (sys.executable, "-m", "liveavatar_tui.cli")
LEFT = b"\x1b[?1049l"
"""Out of the alternate screen."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    settings = write_world(root)
    (root / "lora" / "x\x1b]0;pwned\x07\x9b31m").mkdir()
    folder = write_job(
        settings.jobs_folder(), "20260314-092600-aaaaaa", SPEC, half_way(), "log \x1b]0;pwned\x07 line\n"
    )
    draw_frame(folder.preview)
    return root


@contextmanager
def app(
    root: Path, *, before: tuple[str, ...] = (), size: tuple[int, int] = (80, 24), **env: str
) -> Iterator[Terminal]:
    """The app, on its first screen with everything proved."""
    place = {"PYTHONPATH": str(ROOT), "LIVEAVATAR_CONFIG": str(root / "config.yaml"), **env}
    with Terminal((*before, *APP), columns=size[0], rows=size[1], env=place) as terminal:
        terminal.found = terminal.attributes()  # type: ignore[attr-defined]
        yield terminal


def ready(terminal: Terminal) -> None:
    """On the first screen, everything looked at."""
    terminal.wait_for("PRODUCTION")
    terminal.wait_for("✓ ok")
    terminal.wait_for("memory")
    terminal.wait_quiet(0.5)


def is_restored(terminal: Terminal) -> bool:
    """Cursor on, mouse off, main screen, and the modes of the line as they were found."""
    after = terminal.raw[terminal.raw.rfind(LEFT) :]
    mouse = terminal.raw.rfind(b"\x1b[?1003l") > terminal.raw.rfind(b"\x1b[?1003h")
    shown = terminal.raw.rfind(b"\x1b[?25h") > terminal.raw.rfind(b"\x1b[?25l")
    return LEFT in after and mouse and shown and terminal.attributes() == terminal.found  # type: ignore[attr-defined]


def test_the_first_screen_and_leaving(world: Path) -> None:
    with app(world) as terminal:
        ready(terminal)
        for word in ("Live Avatar", "v2.2_customer_service_calm", "latest", "staging", "enter Open", "1 running"):
            assert word in terminal.text()
        terminal.send("q")
        assert terminal.exit_code() == 0
        assert is_restored(terminal)


def test_an_idle_terminal_is_sent_nothing(world: Path) -> None:
    with app(world) as terminal:
        ready(terminal)
        for keys, sign in (
            ("", "PRODUCTION"),
            ("2", "Ready"),
            ("\x1bOS", "1 running"),
            ("\r", "block 12 of 28"),
        ):
            terminal.send(keys) if keys else None
            terminal.wait_for(sign)
            terminal.wait_quiet(0.8)
            sent = len(terminal.raw)
            time.sleep(1.5)  # longer than a blink, a clock's tick and a look at the jobs
            assert len(terminal.raw) == sent, f"{len(terminal.raw) - sent} bytes on the screen with {sign!r}"


def test_no_escape_of_a_name_or_a_log_reaches_the_terminal(world: Path) -> None:
    with app(world, size=(120, 40)) as terminal:
        ready(terminal)
        terminal.send("3")
        terminal.wait_for("Progress")  # the list's own heading: home counts what runs as well
        terminal.send("\r")
        terminal.wait_for("log")
        terminal.wait_quiet(0.5)
        assert b"\x1b]0;pwned" not in terminal.raw and b"\xc2\x9b31m" not in terminal.raw


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_app_and_gives_the_terminal_back(world: Path, number: signal.Signals) -> None:
    with app(world) as terminal:
        ready(terminal)
        os.kill(terminal.pid, number)
        assert terminal.exit_code() == 128 + number
        assert is_restored(terminal)


def test_a_cut_connection_ends_the_app_even_where_hang_ups_are_ignored(world: Path) -> None:
    with app(world, before=("/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh")) as terminal:
        ready(terminal)
        terminal.hang_up()
        assert terminal.exit_code() == 128 + signal.SIGHUP


def test_resizing_keeps_the_screen_whole(world: Path) -> None:
    import fcntl
    import struct
    import termios

    with app(world) as terminal:
        ready(terminal)
        for columns, rows in ((120, 40), (60, 18), (100, 30)):
            terminal.columns, terminal.rows = columns, rows
            terminal.chunks.clear()
            fcntl.ioctl(terminal.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            terminal.wait_for("staging")
            terminal.wait_quiet(0.3)
            lines = terminal.text().splitlines()
            assert "Home" in lines[0] and "Open" in lines[-1] and "Quit" in lines[-1]


@pytest.mark.parametrize("env", [{"LC_ALL": "POSIX", "LANG": "", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_lines_are_lines_in_a_locale_that_knows_none(world: Path, env: dict[str, str]) -> None:
    with app(world, **env) as terminal:
        ready(terminal)
        assert "│" in terminal.text() and "\\u25" not in terminal.text()


def test_the_frame_is_drawn_in_half_blocks(world: Path) -> None:
    with app(world, size=(120, 40)) as terminal:
        ready(terminal)
        terminal.send("3")
        terminal.wait_for("Progress")  # the list's own heading: home counts what runs as well
        terminal.send("\r")
        terminal.wait(lambda: terminal.text().count("▀") > 600)
        terminal.wait_quiet(0.8)
        sent = len(terminal.raw)
        folder = world / "jobs/20260314-092600-aaaaaa"
        draw_frame(folder / "preview.jpg", mouth=30)
        terminal.wait(lambda: len(terminal.raw) > sent)
        terminal.wait_quiet(0.5)
        assert len(terminal.raw) - sent < 12_000, "only what changed is sent"
        draw_frame(folder / "preview.jpg")
