"""The log view at its limits, beside tail and toolong, in a real pseudo-terminal: `python benchmarks/log_view.py`.

`rate`: a process writes lines of 101 bytes as fast as it can into the log of a running job while the app shows it:
lines a second from the writer's first line to its last one on the screen, memory (RSS) and, from keys pressed
meanwhile, the time until the answer to each is there. `tail -f` and toolong (`--toolong PATH`) are shown the same.
`large`: a log of 10 GB: from the key that opens the job to the last line on the screen.
`seek`: a needle in 1 GB, by a search as the screen starts it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/terminal"), str(ROOT / "tests/liveavatar_tui")]

from pty_harness import Terminal  # noqa: E402
from world import SPEC, half_way, write_job, write_world  # noqa: E402

from liveavatar_tui.logs.feed import LogFeed  # noqa: E402
from liveavatar_tui.logs.query import Kind, Query  # noqa: E402
from liveavatar_tui.logs.search import Pace  # noqa: E402

WRITER = """
import os, sys
count, path = int(sys.argv[1]), sys.argv[2]
end = " INFO engine.step loss=0.123456 it/s=4.21 mem=34.1GiB sampler=euler seed=420 size=704x384 b=1\\n"
file = os.open(path, os.O_WRONLY | os.O_APPEND)
for first in range(0, count, 1000):
    data = "".join([f"n={n:07d}" + end for n in range(first, min(count, first + 1000))]).encode()
    while data:
        data = data[os.write(file, data):]
"""
APP = (sys.executable, "-m", "liveavatar_tui.cli")


def env_of(world: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT), "LIVEAVATAR_CONFIG": str(world / "config.yaml"), "LIVEAVATAR_LANG": "en"}


def job_in(world: Path) -> Path:
    settings = write_world(world)
    return write_job(settings.jobs_folder(), "20260314-092600-aaaaaa", SPEC, half_way(), "the first line\n").log


def seen_after(terminal: Terminal, start: int, sign: bytes, within_s: float) -> float | None:
    """Seconds from the harness's beginning until `sign` was sent, looked for from chunk `start` on."""
    deadline = time.perf_counter() + within_s
    looked, rest = start, b""
    while time.perf_counter() < deadline:
        for at, data in terminal.chunks[looked:]:
            looked += 1
            rest = rest[-len(sign) :] + data
            if sign in rest:
                return at
        time.sleep(0.001)
    return None


def press(terminal: Terminal, key: str, sign: bytes) -> float:
    """Milliseconds from a key to the answer that shows it."""
    start, began = len(terminal.chunks), time.perf_counter() - terminal.began
    terminal.send(key)
    at = seen_after(terminal, start, sign, 5.0)
    return 1000 * ((at or began + 5) - began)


def open_job(terminal: Terminal) -> None:
    terminal.wait_for("Jobs")
    terminal.wait_quiet(0.6)
    terminal.send("3")
    terminal.wait_for("Progress")
    terminal.wait_quiet(0.4)


def flood(terminal: Terminal, log: Path, count: int, keys: bool) -> tuple[float, float, list[float], float]:
    """Lines a second, RSS in MB, key times in ms, the writer's own lines a second."""
    waits: list[float] = []
    began = time.perf_counter() - terminal.began
    start = len(terminal.chunks)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(count), str(log)])
    while keys and writer.poll() is None:
        waits.append(press(terminal, "w", b"wrapped"))
        time.sleep(0.08)
        terminal.send("w")
        time.sleep(0.12)
    writer.wait()
    ended = time.perf_counter() - terminal.began
    at = seen_after(terminal, start, b"%07d" % (count - 1), 120.0)
    memory = psutil.Process(terminal.pid).memory_info().rss / 2**20
    return count / ((at or 1e9) - began), memory, waits, count / (ended - began)


def rate(count: int, runs: int, toolong: str | None) -> None:
    peers: list[tuple[str, Sequence[str] | None]] = [("this app", None), ("tail -f", ("tail", "-f"))]
    if toolong:
        peers.append(("toolong", (toolong,)))
    for name, argv in peers:
        told: list[tuple[float, float, list[float], float]] = []
        for _run in range(runs if argv is None or "tail" in argv else 1):
            with tempfile.TemporaryDirectory() as folder:
                log = job_in(Path(folder))
                command = APP if argv is None else (*argv, str(log))
                with Terminal(command, columns=120, rows=40, env=env_of(Path(folder))) as terminal:
                    if argv is None:
                        open_job(terminal)
                        terminal.send("\r")
                    terminal.wait_for("the first line")
                    terminal.wait_quiet(0.5)
                    told.append(flood(terminal, log, count if "toolong" not in name else count // 20, argv is None))
        waits = sorted(wait for one in told for wait in one[2])
        keys = (
            f", key {_percentile(waits, 50):.0f} ms, p95 {_percentile(waits, 95):.0f} ms of {len(waits)}"
            if waits
            else ""
        )
        lines, memory, writer = (statistics.median(one[column] for one in told) for column in (0, 1, 3))
        print(f"{name:9} {lines:12,.0f} lines/s (the writer {writer:,.0f}), RSS {memory:.0f} MB{keys}")


def _percentile(values: Sequence[float], share: int) -> float:
    return values[min(len(values) - 1, len(values) * share // 100)]


def large(runs: int) -> None:
    took, memory = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        log = job_in(Path(folder))
        lines = b"".join(b"line %07d of a log that began long ago, [INFO] nothing to tell\n" % n for n in range(16_000))
        with log.open("r+b") as file:
            for gigabyte in range(10):
                file.seek((gigabyte + 1) * 10**9)
                file.write(b"\n" + lines)
            file.write(b"the very last line\n")
        for _run in range(runs):
            with Terminal(APP, columns=120, rows=40, env=env_of(Path(folder))) as terminal:
                open_job(terminal)
                took.append(press(terminal, "\r", b"the very last line"))
                time.sleep(1)
                memory = psutil.Process(terminal.pid).memory_info().rss / 2**20
        size = log.stat().st_size / 1e9
    print(f"a log of {size:.1f} GB opens at its end in {statistics.median(took):.0f} ms {sorted(map(round, took))}, "
          f"RSS {memory:.0f} MB")  # fmt: skip


def seek(runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "engine.log"
        log.touch()
        subprocess.run([sys.executable, "-c", WRITER, "10000000", str(log)], check=True)
        with log.open("ab") as file:
            file.write(b"here is the Needle\n")
        for kind, text in (
            (Kind.WORDS, "Needle"),
            (Kind.WORDS, "needle"),
            (Kind.EXPRESSION, r"Needle\b"),
            (Kind.LEVEL, "ERRORS"),
        ):
            took = []
            for _run in range(runs):
                feed = LogFeed(log)
                feed.file.look()
                began = time.perf_counter()
                search = feed.seek(Query(kind, text), 0)
                while search.pace is Pace.LOOKING:
                    time.sleep(0.005)
                took.append(time.perf_counter() - began)
                found = len(search)
                feed.close()
            size = log.stat().st_size / 1e9
            print(f"seek {kind.value} {text!r}: {statistics.median(took) / size:.2f} s a GB, {found} found")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["rate", "large", "seek"], choices=["rate", "large", "seek"])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--toolong", help="toolong's `tl`, to be shown the same")
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if "rate" in options.what:
        rate(options.lines, options.runs, options.toolong)
    if "large" in options.what:
        large(options.runs)
    if "seek" in options.what:
        seek(options.runs)


if __name__ == "__main__":
    main()
