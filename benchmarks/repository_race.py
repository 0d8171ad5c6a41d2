"""Readers and operators against each other: `latest` is never missing, and no generation is lost.

python benchmarks/repository_race.py [--switches 100000] [--turns 10000] [--folder /dev/shm]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import Event, Process, Queue
from multiprocessing.synchronize import Event as Flag
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "lora_repository"))
from adapter_files import write_version

from lora_repository.pointers import LinkPointer
from lora_repository.proof import Proof
from lora_repository.repository import LoraRepository

NAMES = ("v1.0_a", "v1.1_b")


def held(root: Path) -> LoraRepository:
    return LoraRepository(root, lambda path: Proof(path, "any", (), ()))


def read(root: Path, stop: Flag, told: Queue[tuple[int, int]]) -> None:
    """Count how often `latest` was followed, and how often in vain."""
    looks = missed = 0
    while not stop.is_set():
        for _ in range(1000):
            looks += 1
            try:
                (root / "latest" / "config.json").stat()
            except OSError:
                missed += 1
    told.put((looks, missed))


def readers_against_switches(root: Path, switches: int) -> None:
    stop: Flag = Event()
    told: Queue[tuple[int, int]] = Queue()
    reader = Process(target=read, args=(root, stop, told))
    reader.start()
    pointer = LinkPointer(root, root / ".liveavatar")
    start = time.perf_counter()
    for turn in range(switches):
        pointer.point(NAMES[turn % 2])
    seconds = time.perf_counter() - start
    stop.set()
    looks, missed = told.get()
    reader.join()
    print(f"{switches} moves of latest in {seconds:.1f} s; a reader followed it {looks} times, {missed} times in vain")


def operate(root: str, turns: int) -> int:
    repository = held(Path(root))
    return len({repository.activate(NAMES[turn % 2]).number for turn in range(turns)})


def operators_against_each_other(root: Path, turns: int) -> None:
    start = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(operate, [str(root)] * 2, [turns] * 2))
    seconds = time.perf_counter() - start
    history = held(root).history()
    gaps = sum(two.number != one.number + 1 for one, two in pairwise(history))
    breaks = sum(two.before != one.after for one, two in pairwise(history))
    agrees = history[-1].after == str((root / "latest").readlink())
    print(f"2 x {turns} switches in {seconds:.1f} s: {len(history)} generations, {gaps} gaps, {breaks} breaks")
    print(f"history and latest {'agree' if agrees else 'DISAGREE'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--switches", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=10_000)
    parser.add_argument("--folder", default="/dev/shm")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for what, times in ((readers_against_switches, chosen.switches), (operators_against_each_other, chosen.turns)):
            root = Path(folder) / what.__name__
            for name in NAMES:
                write_version(root / name, t5=False)
            held(root).activate(NAMES[0])
            what(root, times)


if __name__ == "__main__":
    main()
