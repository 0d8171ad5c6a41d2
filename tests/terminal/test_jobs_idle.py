"""The list of jobs in a real terminal: with one that runs and one that waits nothing is sent while nothing moves."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pty_harness import Terminal

sys.path.insert(0, str(Path(__file__).parent.parent / "liveavatar_tui"))

from standins import begin, enqueue, jobs_folder, running
from world import write_world

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Path]:
    settings = write_world(tmp_path)
    with jobs_folder(settings.jobs_folder()) as jobs_dir:
        running(begin(jobs_dir, "hangs"))
        enqueue(jobs_dir, "finishes")
        yield tmp_path


def test_a_queue_that_does_not_move_is_not_drawn_again(world: Path) -> None:
    env = {"PYTHONPATH": str(ROOT), "LIVEAVATAR_CONFIG": str(world / "config.yaml"), "LIVEAVATAR_LANG": "en"}
    with Terminal([sys.executable, "-m", "liveavatar_tui.cli"], columns=120, rows=40, env=env) as terminal:
        terminal.wait_for("Home")
        terminal.send("3")
        terminal.wait_for("1 running, 1 waiting")
        terminal.wait_quiet(1.0)
        sent = len(terminal.raw)
        time.sleep(3.0)  # three looks at the jobs, one at the keepers of the queue
        assert len(terminal.raw) == sent, f"{len(terminal.raw) - sent} bytes"
        terminal.send("q")
        assert terminal.exit_code() == 0
