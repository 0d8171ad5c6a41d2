"""The app against a bare Textual table and known Textual apps, in one run: `python benchmarks/terminal.py`.

Each is started in turn in a real pseudo-terminal and pressed through. Printed for each, medians with ranges: first
content, settled, processor seconds until then, memory (RSS), bytes of the first paint, bytes in 2 idle seconds, bytes
and milliseconds of a cursor key (median, 95 %). Then ratios and targets, and how long `--help` and `--json` take.

Peers are looked for in `--peers DIR`, each in a virtual environment of its own: `DIR/posting`, `DIR/harlequin`,
`DIR/toolong`; one that is not there is left out.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/terminal"), str(ROOT / "tests/liveavatar_tui"), str(ROOT / "benchmarks")]

from first_paint import BARE  # noqa: E402
from pty_harness import Terminal  # noqa: E402
from world import SPEC, half_way, write_job, write_version, write_world  # noqa: E402

DOWN, UP = "\x1b[B", "\x1b[A"
PRESSES = 24
MEASURES = ("first s", "settled s", "CPU s", "RSS MB", "paint B", "idle B", "key B", "key ms", "key p95 ms")


@dataclass
class Program:
    """What is started, what shows that it is there, and how a list in it gets the cursor."""

    name: str
    argv: Sequence[str]
    sign: str
    to_list: Sequence[str] = ()
    key: str = DOWN
    env: Mapping[str, str] = field(default_factory=dict)
    taken: list[tuple[float, ...]] = field(default_factory=list)


def measure(program: Program, size: tuple[int, int], nice: int) -> tuple[float, ...]:
    """One start: the values of `MEASURES`."""
    argv = ["nice", "-n", str(nice), *program.argv]
    with Terminal(argv, columns=size[0], rows=size[1], env=program.env) as terminal:
        terminal.wait_for(program.sign)
        terminal.wait_quiet(0.5)
        settled, sent = terminal.chunks[-1][0], len(terminal.raw)
        process = psutil.Process(terminal.pid)
        busy = sum(process.cpu_times()[:2])
        time.sleep(2)
        idle = len(terminal.raw) - sent
        for keys in program.to_list:
            terminal.send(keys)
            terminal.wait_quiet(0.6)
        bytes_each, ms = press(terminal, [program.key] * PRESSES)
        memory = process.memory_info().rss / 2**20
        first = terminal.shown_at(program.sign) or 0.0
        return (first, settled, busy, memory, sent, idle, bytes_each, statistics.median(ms), p95(ms))


def press(terminal: Terminal, keys: Sequence[str]) -> tuple[float, list[float]]:
    """Median of the bytes that a key costs, and the milliseconds until the first answer to each."""
    sizes, ms = [], []
    for key in keys:
        time.sleep(0.05)
        chunks, before = len(terminal.chunks), len(terminal.raw)
        pressed = time.perf_counter() - terminal.began
        terminal.send(key)
        deadline = time.perf_counter() + 1.0
        while len(terminal.chunks) == chunks and time.perf_counter() < deadline:
            time.sleep(0.0005)
        if len(terminal.chunks) > chunks:
            terminal.wait_quiet(0.06)
            ms.append(1000 * (terminal.chunks[chunks][0] - pressed))
            sizes.append(len(terminal.raw) - before)
    return (statistics.median(sizes), ms) if sizes else (0.0, [0.0])


def p95(values: Sequence[float]) -> float:
    """The value that 95 % stay below."""
    return sorted(values)[max(0, round(0.95 * len(values)) - 1)]


def programs(root: Path, peers: Path | None) -> list[Program]:
    """The bare table, the app on four and on a thousand versions, and the peers that are there."""
    found = [Program("bare table", [sys.executable, "-c", BARE.replace("ROWS", "300")], "v300.0_row")]
    for name, versions in (("the app", 4), ("the app, 1000 versions", 1000)):
        world = root / f"world{versions}"
        write_world(world)
        for number in range(versions - 4):
            write_version(world / f"lora/v0.{number}_row", t5=False)
        argv = [sys.executable, "-m", "liveavatar_tui.cli"]
        found.append(Program(name, argv, "PRODUCTION", ["1"], env=own_env(root, world)))
    return found + [one for one in _peers(root, peers) if Path(one.argv[0]).exists()]


def own_env(root: Path, world: Path) -> dict[str, str]:
    """Nothing of the user's."""
    return {"PYTHONPATH": str(ROOT), "LIVEAVATAR_CONFIG": str(world / "config.yaml"), "XDG_STATE_HOME": str(root)}


def _peers(root: Path, peers: Path | None) -> Iterator[Program]:
    if peers is None:
        return
    collection = root / "collection"
    collection.mkdir()
    for number in range(200):
        text = f"name: req{number:03d}\nmethod: GET\nurl: http://localhost/{number}\n"
        (collection / f"req{number:03d}.posting.yaml").write_text(text)
    with sqlite3.connect(root / "h.sqlite") as database:
        database.executescript("".join(f"create table t{number:03d}(a int, b text);" for number in range(50)))
    (root / "long.log").write_text(
        "".join(f"2026-01-01 00:00:00 INFO line={number:06d}\n" for number in range(100_000))
    )
    posting = [str(peers / "posting/bin/posting"), "--collection", str(collection)]
    yield Program("posting", posting, "req001", env={"XDG_CONFIG_HOME": str(root)})
    harlequin = [str(peers / "harlequin/bin/harlequin"), "-a", "sqlite", str(root / "h.sqlite")]
    yield Program("harlequin", harlequin, "main", ["\x1b[17~", "\r"])
    yield Program("toolong", [str(peers / "toolong/bin/tl"), str(root / "long.log")], "line=09999", ["\r"], UP)


def report(all_of_them: Sequence[Program]) -> None:
    """The table, the ratios and the targets."""
    for one in all_of_them:
        columns = [
            f"{name} {statistics.median(values):.3g} [{min(values):.3g}-{max(values):.3g}]"
            for name, values in zip(MEASURES, zip(*one.taken, strict=True), strict=True)
        ]
        print(f"{one.name:>24}   " + "   ".join(columns))
    bare, app, many, *peers = all_of_them
    pairs = [two[0] / one[0] for one, two in zip(bare.taken, app.taken, strict=True)]
    print(f"\nfirst content against the bare table: {statistics.median(pairs):.2f} (at most 1.5)")
    for peer in peers:
        pairs = [two[0] / one[0] for one, two in zip(peer.taken, app.taken, strict=True)]
        print(f"first content against {peer.name}: {statistics.median(pairs):.2f} (below 1)")
    key_bytes, key_p95 = (statistics.median(run[at] for run in many.taken) for at in (6, 8))
    print(f"RSS with 1000 versions: {max(run[3] for run in many.taken):.1f} MB (below 60)")
    print(f"cursor-down among 1000 versions: {key_bytes:.0f} B (at most 1200), p95 {key_p95:.1f} ms (at most 15)")


@contextmanager
def logging_job(world: Path, lines_a_second: int) -> Iterator[None]:
    """A running job whose log grows all the time."""
    folder = write_job(world / "jobs", "20260314-092600-aaaaaa", SPEC, half_way(), "begin\n")
    ended = threading.Event()
    piece = "".join(f"[INFO] block {number} of 28: 12 frames in 0.48 s\n" for number in range(lines_a_second // 20))

    def write() -> None:
        with folder.log.open("a") as log:
            while not ended.wait(0.05):
                log.write(piece)
                log.flush()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def under_load(program: Program, world: Path, size: tuple[int, int], nice: int) -> None:
    """Keys on the versions and in the log itself while a job logs 10,000 lines a second."""
    argv = ["nice", "-n", str(nice), *program.argv]
    with logging_job(world, 10_000), Terminal(argv, columns=size[0], rows=size[1], env=program.env) as terminal:
        terminal.wait_for("1 running")
        for keys, place, pressed in (("1", "among versions", [DOWN, UP]), ("03\r", "in that log", [UP, DOWN])):
            for key in keys:
                terminal.send(key)
                time.sleep(1.0)
            size_each, ms = press(terminal, pressed * (PRESSES // 2))
            told = f"{statistics.median(ms):.1f} ms, p95 {p95(ms):.1f} ms"
            print(f"10,000 lines/s, a key {place}: {told} (below 30), {size_each:.0f} B")


def commands(env: Mapping[str, str], runs: int, nice: int) -> None:
    """How long a command takes that only tells."""
    everything = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8", **env}
    for arguments in (["--help"], ["versions", "--json"], ["jobs", "--json"], ["config", "--json"]):
        taken = []
        for _run in range(runs + 1):
            begun = time.perf_counter()
            argv = ["nice", "-n", str(nice), sys.executable, "-m", "liveavatar_tui.cli", *arguments]
            subprocess.run(argv, env=everything, stdout=subprocess.DEVNULL, check=True)
            taken.append(time.perf_counter() - begun)
        told = f"{statistics.median(taken[1:]):.3f} s [{min(taken[1:]):.3f}-{max(taken[1:]):.3f}]"
        print(f"liveavatar-tui {' '.join(arguments)}: {told} (at most 0.12)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--size", default="120x40")
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--nice", type=int, default=0, help="-15 puts all before other work on the machine (root)")
    given = parser.parse_args()
    columns, rows = map(int, given.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        found = programs(root, given.peers)
        for run in range(given.runs + 1):
            for one in found:
                values = measure(one, (columns, rows), given.nice)
                if run:  # the first of each warms the disk's cache
                    one.taken.append(values)
        report(found)
        under_load(found[1], root / "world4", (columns, rows), given.nice)
        commands(found[1].env, given.runs, given.nice)
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
