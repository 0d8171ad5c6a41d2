"""The list of versions in the app with thousands of versions: `python benchmarks/version_list.py [--versions 10000]`.

The app runs in a real pseudo-terminal of 120x40. Prints: seconds from the key that opens the list to its first row;
for a cursor key while proofs run and after, median and 95th percentile of the milliseconds to the first byte and of the
bytes sent; the same for a page; bytes sent and processor share while idle; seconds until a version made on the disk is
on the screen; milliseconds that the longest step of the app's loop took of the processor; memory (RSS). First with
nothing remembered, then with the proofs of the first time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/terminal"), str(ROOT / "tests/liveavatar_tui")]

from pty_harness import Terminal  # noqa: E402
from world import DAY, write_version, write_world  # noqa: E402

# The app, with every step of its loop on a watch.
WATCHED = """
import asyncio, atexit, os, sys, time
run, longest = asyncio.events.Handle._run, [0.0]
def watched(self):
    began = time.thread_time()
    try:
        return run(self)
    finally:
        longest[0] = max(longest[0], time.thread_time() - began)
asyncio.events.Handle._run = watched
atexit.register(lambda: open(os.environ["LONGEST"], "w").write(f"{1000 * longest[0]:.0f}"))
from liveavatar_tui.cli import main
sys.exit(main(["--config", os.environ["LIVEAVATAR_CONFIG"]]))
"""
DOWN, PAGE = "j", "\x04"


def write_many(root: Path, count: int) -> None:
    """A world with so many versions, each with files of its own."""
    write_world(root)
    like = {file.name: file.read_bytes() for file in (root / "lora/v2.1_customer_service").iterdir()}
    for number in range(count):
        folder = root / "lora" / f"v{3 + number // 100}.{number % 100}_case_{number * 7919 % 10007:05d}"
        folder.mkdir()
        for name, data in like.items():
            (folder / name).write_bytes(data)
            os.utime(folder / name, (DAY + number, DAY + number))


def press(terminal: Terminal, key: str, times: int) -> str:
    """Press the key again and again; milliseconds to the first byte, and bytes: median and 95th percentile."""
    waits, sizes = [], []
    for _press in range(times):
        seen, began = len(terminal.chunks), time.perf_counter() - terminal.began
        terminal.send(key)
        time.sleep(0.15)
        sent = terminal.chunks[seen:]
        waits.append(1000 * (sent[0][0] - began) if sent else float("nan"))
        sizes.append(sum(len(data) for _at, data in sent))
    return f"{_spread(waits)} ms, {_spread(sizes)} bytes"


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} ({sorted(values)[int(0.95 * len(values)) - 1]:.1f})"


def measure(root: Path, label: str) -> None:
    """Open the app on the versions at `root`, and print what is measured."""
    env = {
        "PYTHONPATH": str(ROOT),
        "LIVEAVATAR_CONFIG": str(root / "config.yaml"),
        "XDG_CACHE_HOME": str(root / "cache"),
    }
    env |= {"LIVEAVATAR_LANG": "en", "LONGEST": str(root / "longest")}
    with Terminal([sys.executable, "-c", WATCHED], columns=120, rows=40, env=env) as terminal:
        terminal.wait_for("Home")
        terminal.wait_quiet(1.0)
        process = psutil.Process(terminal.pid)
        opened = time.perf_counter() - terminal.began
        terminal.send("1")
        terminal.wait_for("_case_")
        shown = next(at for at, _data in terminal.chunks if at > opened and "_case_" in terminal.text(at))
        while_proving = press(terminal, DOWN, 15)
        terminal.wait_quiet(1.5)
        after, paged = press(terminal, DOWN, 88), press(terminal, PAGE, 20)
        terminal.wait_quiet(1.0)
        sent, busy = len(terminal.raw), sum(process.cpu_times()[:2])
        time.sleep(4)
        idle = f"{len(terminal.raw) - sent} bytes, {25 * (sum(process.cpu_times()[:2]) - busy):.1f} % of a processor"
        terminal.send("g")
        made = time.perf_counter() - terminal.began
        write_version(root / f"lora/v9999.0_{label}")
        drawn = b"v9999.0"
        terminal.wait(lambda: any(drawn in data for at, data in list(terminal.chunks) if at > made))
        appeared = next(at for at, data in terminal.chunks if at > made and drawn in data) - made
        memory = process.memory_info().rss / 2**20
        terminal.send("q")
        terminal.exit_code()
    print(f"{label}: first row {shown - opened:.2f} s, new version {appeared:.2f} s")
    print(f"  cursor while proving {while_proving}; after {after}; page {paged}")
    print(f"  idle {idle}; longest step {(root / 'longest').read_text()} ms; RSS {memory:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, default=10_000)
    count = parser.parse_args().versions
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_many(root, count)
        measure(root, "cold")
        shutil.rmtree(root / "lora/v9999.0_cold")
        measure(root, "warm")
    print(f"{count} versions; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
