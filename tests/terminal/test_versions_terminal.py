"""The list of versions in a real pseudo-terminal: what a key sends, silence when idle, changes that show at once."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pty_harness import Terminal

sys.path.insert(0, str(Path(__file__).parent.parent / "liveavatar_tui"))

from world import write_version, write_world

ROOT = Path(__file__).parent.parent.parent
MOST_BYTES = 1_200
"""A cursor key, at 120 columns: two rows, and what differs in the panel beside them."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("many")
    write_world(root)
    for number in range(300):
        write_version(root / f"lora/v3.{number}_case", t5=False)
    return root


@contextmanager
def versions(root: Path) -> Iterator[Terminal]:
    """The app on its list of versions, everything proved."""
    env = {"PYTHONPATH": str(ROOT), "LIVEAVATAR_CONFIG": str(root / "config.yaml"), "LIVEAVATAR_LANG": "en"}
    argv = (sys.executable, "-m", "liveavatar_tui.cli")
    with Terminal(argv, columns=120, rows=40, env={**env, "XDG_CACHE_HOME": str(root / "cache")}) as terminal:
        terminal.wait_for("Home")
        terminal.wait_quiet(0.5)
        terminal.send("1")
        terminal.wait_for("v3.299_case")
        terminal.wait_for("24 of 24 tensors match")
        terminal.wait_quiet(1.0)
        yield terminal


def test_a_cursor_key_sends_two_rows_and_what_differs(world: Path) -> None:
    with versions(world) as terminal:
        for _press in range(10):
            sent = len(terminal.raw)
            terminal.send("j")
            terminal.wait(lambda sent=sent: len(terminal.raw) > sent)
            terminal.wait_quiet(0.4)
            assert len(terminal.raw) - sent <= MOST_BYTES


def test_nothing_is_sent_while_nothing_happens_and_a_new_version_shows(world: Path) -> None:
    with versions(world) as terminal:
        sent = len(terminal.raw)
        time.sleep(2)
        assert len(terminal.raw) == sent
        write_version(world / "lora/v4.0_fresh", t5=False)
        terminal.wait_for("v4.0_fresh")


def test_a_switch_and_its_undo_reach_the_disk(world: Path) -> None:
    link = world / "lora/latest"
    with versions(world) as terminal:
        terminal.send("G")
        terminal.wait_for("v1.0_product_demo")
        terminal.wait_quiet(0.4)
        terminal.send("a")
        terminal.wait_for("It would load")
        terminal.send("\r")
        terminal.wait(lambda: link.readlink() == Path("v1.0_product_demo"))
        terminal.wait_for("(generation 1)")
        terminal.send("u")
        terminal.wait(lambda: link.readlink() == Path("v2.1_customer_service"))
