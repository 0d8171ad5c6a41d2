"""First paint of the app against a bare Textual screen with a table, in one run: `python benchmarks/first_paint.py`.

Both are started in turn in a real pseudo-terminal. Prints medians with ranges of: first content (seconds from the
start of the process to the first version, or row, on the screen), settled (nothing sent for 0.4 s), processor seconds
until then, memory (RSS), bytes sent until then, bytes sent in 2 idle seconds. Then the ratio of the first contents,
which should be at most 1.5: the median of all pairs of neighbours, and that of the quickest runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/terminal"), str(ROOT / "tests/liveavatar_tui")]

from pty_harness import Terminal  # noqa: E402
from world import write_version, write_world  # noqa: E402

BARE = """
from textual.app import App
from textual.widgets import DataTable, Footer, Header
class Bare(App):
    def compose(self):
        yield Header()
        yield DataTable(cursor_type="row")
        yield Footer()
    def on_mount(self):
        table = self.query_one(DataTable)
        table.add_columns("version", "step", "loss", "date")
        table.add_rows((f"v{n}.0_row", str(n), "0.1", "2026-01-01") for n in range(ROWS, 0, -1))
        table.focus()
Bare().run()
"""
MEASURES = ("first content s", "settled s", "CPU s", "RSS MB", "paint bytes", "idle bytes in 2 s")


def measure(argv: Sequence[str], env: Mapping[str, str], sign: str, size: tuple[int, int]) -> tuple[float, ...]:
    """One start: the values of `MEASURES`."""
    with Terminal(argv, columns=size[0], rows=size[1], env=env) as terminal:
        terminal.wait_for(sign)
        terminal.wait_quiet(0.4)
        settled, sent = terminal.chunks[-1][0], len(terminal.raw)
        process = psutil.Process(terminal.pid)
        busy = sum(process.cpu_times()[:2])
        time.sleep(2)
        memory = process.memory_info().rss / 2**20
        return (terminal.shown_at(sign) or 0.0, settled, busy, memory, sent, len(terminal.raw) - sent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--versions", type=int, default=4)
    parser.add_argument("--size", default="120x40")
    parser.add_argument("--nice", type=int, default=0, help="-15 puts both before other work on the machine (root)")
    given = parser.parse_args()
    columns, rows = map(int, given.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_world(root)
        for number in range(given.versions - 4):
            write_version(root / f"lora/v0.{number}_row")
        env = {"PYTHONPATH": str(ROOT), "LIVEAVATAR_CONFIG": str(root / "config.yaml"), "XDG_STATE_HOME": folder}
        first = ["nice", "-n", str(given.nice)]
        app = [*first, sys.executable, "-m", "liveavatar_tui.cli"]
        bare = [*first, sys.executable, "-c", BARE.replace("ROWS", str(max(given.versions, 4)))]
        taken: dict[str, list[tuple[float, ...]]] = {"bare table": [], "the app": []}
        for run in range(given.runs + 1):
            one = measure(bare, env, f"v{max(given.versions, 4)}.0_row", (columns, rows))
            two = measure(app, env, "v2.2_customer", (columns, rows))
            if run:  # the first of each warms the disk's cache
                taken["bare table"].append(one)
                taken["the app"].append(two)
    report(taken, os.getloadavg()[0])


def report(taken: Mapping[str, Sequence[tuple[float, ...]]], load: float) -> None:
    """Print the table and the ratio."""
    for name, values in taken.items():
        told = [f"{name:>11}"]
        for measure_name, column in zip(MEASURES, zip(*values, strict=True), strict=True):
            told.append(f"{measure_name} {statistics.median(column):.3g} [{min(column):.3g}-{max(column):.3g}]")
        print("   ".join(told))
    bare, app = ([value[0] for value in taken[name]] for name in ("bare table", "the app"))
    pairs = statistics.median(two / one for one, two in zip(bare, app, strict=True))
    quickest = min(app) / min(bare)
    print(f"ratio of first contents (at most 1.5): {pairs:.2f}, of the quickest {quickest:.2f}; load {load:.1f}")


if __name__ == "__main__":
    main()
