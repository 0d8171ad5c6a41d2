"""A repository of 10,000 versions with real headers: the list, all shallow proofs cold and warm, memory.

    python benchmarks/repository_scale.py [--versions 10000] [--base embedded|14b] [--folder /dev/shm]

Headers are those of the shipped adapters (144 and 28 tensors), or of adapters of the 14B model (896), in three ranks,
with metadata that differ in each. Every figure comes from a process of its own; `raw` opens and reads the same headers
and config.json and does nothing with them, in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "lora_repository")]

from adapter_files import adapter_shapes, write_adapter  # noqa: E402

from engine.checkpoint_layout import find_layout  # noqa: E402
from engine.resolving import base_tables  # noqa: E402
from lora_repository.base import BaseTable  # noqa: E402

FILES = ("dmd_lora.safetensors", "t5_lora.safetensors")
LIMITS = {"rows": 0.3, "shallow, cold": 3.0, "shallow, warm": 3.0}
"""Seconds for 10,000 versions."""


def tables(base: str) -> tuple[BaseTable, BaseTable]:
    if base == "14b":
        return BaseTable.known_14b(), BaseTable.known_umt5_xxl()
    return base_tables(find_layout("embedded"))


def write_versions(root: Path, count: int, base: str) -> None:
    dit, t5 = tables(base)
    shapes = {rank: adapter_shapes(dit, rank) for rank in (4, 8, 16)}
    for number in range(count):
        folder = root / f"v{number // 100}.{number % 100}_demo"
        folder.mkdir(parents=True)
        rank, noted = (4, 8, 16)[number % 3], {"run": f"{number:08d}"}
        write_adapter(folder / FILES[0], shapes[rank], metadata=noted)
        if number % 2 == 0:
            write_adapter(folder / FILES[1], adapter_shapes(t5, 8), metadata=noted)
        config = {"r": 8, "lora_alpha": 16, "target_modules": ["attn", "ffn"], "dmd_rank": rank}
        (folder / "config.json").write_text(json.dumps(config))


def read_raw(root: Path) -> int:
    total = 0
    for entry in os.scandir(root):
        for name in FILES:
            try:
                with open(f"{entry.path}/{name}", "rb") as file:  # noqa: PTH123
                    total += len(file.read(struct.unpack("<Q", file.read(8))[0]))
            except FileNotFoundError:
                continue
        with open(f"{entry.path}/config.json", "rb") as file:  # noqa: PTH123
            total += len(file.read())
    return total


def measure(what: str, root: Path, base: str) -> dict[str, float]:
    """Seconds and MB of one thing, in this process."""
    from liveavatar_tui.catalogue import Catalogue
    from lora_repository.proof import prove
    from lora_repository.proof_memory import ProofMemory

    began = time.perf_counter()
    catalogue = Catalogue(root, {"default": "latest", "production": "v1.0_demo", "staging": "v2.0"}, "embedded")
    if what == "raw":
        read_raw(root)
    elif what == "rows":
        assert len(catalogue.read().rows) > 0
    else:
        rows = catalogue.read().rows
        dit, t5 = tables(base)
        began = time.perf_counter()
        if what == "proofs":
            assert all(prove(row.path, dit, t5).ok for row in rows)
        else:
            memory = ProofMemory(root, base)
            assert all(memory.shallow(row.path, lambda path: prove(path, dit, t5)).ok for row in rows)
            memory.save([row.name for row in rows])
    taken = time.perf_counter() - began
    return {"seconds": taken, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def apart(what: str, root: Path, given: argparse.Namespace, cache: Path) -> dict[str, float]:
    """As `measure`, in a process of its own."""
    words = [sys.executable, __file__, "--base", given.base, "--measure", what, "--at", str(root)]
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    answer = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def report(root: Path, given: argparse.Namespace) -> None:
    ways = ("raw", "rows", "shallow, cold", "shallow, warm", "proofs")
    taken: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for run in range(given.runs):
        cache = root.parent / f"cache{run}"
        for way in ways:
            taken[way].append(apart(way, root, given, cache))
    raw = median(one["seconds"] for one in taken["raw"])
    print(f"{given.versions} versions, base {given.base}, load {os.getloadavg()[0]:.1f}, {given.runs} runs")
    for way in ways:
        seconds = [one["seconds"] for one in taken[way]]
        limit = LIMITS.get(way)
        told = "" if limit is None else f"   limit {limit * given.versions / 10_000:.2f} s"
        mb = max(one["mb"] for one in taken[way])
        print(
            f"  {way:14} {median(seconds):6.2f} s [{min(seconds):.2f}-{max(seconds):.2f}]"
            f"  {median(seconds) / raw:5.2f} x raw  {mb:5.0f} MB{told}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--base", choices=("embedded", "14b"), default="embedded")
    parser.add_argument("--folder", help="where to write; the system's folder for temporary files when left out")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--at", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.at, given.base)))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        root = Path(folder) / "repository"
        write_versions(root, given.versions, given.base)
        time.sleep(2.5)  # what was written just now is not remembered
        report(root, given)


if __name__ == "__main__":
    main()
