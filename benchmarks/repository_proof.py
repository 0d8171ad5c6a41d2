"""How long a proof takes: header and proof of a 1.35 GB adapter, its full hash against `sha256sum`, a full listing.

    python benchmarks/repository_proof.py [--versions 10000] [--full]

Data is sparse zeros unless `--full`, which writes 1.35 GB of random bytes so that hashing reads a real file.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "lora_repository"))
from adapter_files import DIT, T5, adapter_shapes, write_adapter, write_version

from lora_repository import header, match
from lora_repository.base import BaseTable
from lora_repository.contents import check_contents
from lora_repository.hashes import sha256_of
from lora_repository.header import read_header
from lora_repository.proof import prove
from lora_repository.repository import LoraRepository

FINITE = bytes(byte & 0x3F for byte in range(256))
"""Random bytes made so that no BF16 number is NaN: the search for one then has to read them all."""


def forget() -> None:
    """Headers and matches that this process has seen before."""
    header._seen.clear()
    match._kept.clear()


def seconds(act: Callable[[], object], times: int = 15, before: Callable[[], object] = lambda: None) -> float:
    taken = []
    for _ in range(times):
        before()
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return median(taken)


def large_adapter(folder: Path, full: bool) -> None:
    base = BaseTable.known_14b()
    path = write_adapter(folder / "liveavatar.safetensors", adapter_shapes(base, 128))
    print(f"adapter of {path.stat().st_size / 1e9:.3f} GB, {len(read_header(path).tensors)} tensors")
    print(f"  header      {seconds(lambda: read_header(path), before=forget) * 1e3:8.2f} ms")
    print(f"  proof       {seconds(lambda: prove(path, base, None), before=forget) * 1e3:8.2f} ms")
    print(f"  proof again {seconds(lambda: prove(path, base, None)) * 1e3:8.2f} ms")
    if not full:
        return
    start = read_header(path).data_start
    with path.open("r+b") as file:
        file.seek(start)
        while (left := path.stat().st_size - file.tell()) > 0:
            file.write(os.urandom(min(left, 1 << 24)).translate(FINITE))
    ways: dict[str, Callable[[], object]] = {
        "sha256sum": lambda: subprocess.run(["sha256sum", path], check=True, capture_output=True),
        "SHA-256": lambda: sha256_of(path),
        "full check": lambda: check_contents(path),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(3):
        for name, way in ways.items():
            best[name] = min(best[name], seconds(way, 1))
    for name, taken in best.items():
        print(f"  {name:11} {taken:8.2f} s, {best['sha256sum'] / taken:.2f}x the speed of sha256sum")


def many_versions(folder: Path, count: int) -> None:
    for number in range(count):
        write_version(folder / f"v{number // 100}.{number % 100}_demo", t5=number % 2 == 0)
    repository = LoraRepository(folder)
    print(f"repository of {count} versions, {len(adapter_shapes(DIT, 4))} + {len(adapter_shapes(T5, 3))} tensors each")
    print(f"  list        {seconds(repository.versions, 3):8.3f} s")
    print(f"  all proofs  {seconds(lambda: [prove(v.path, DIT, T5) for v in repository.versions()], 1):8.3f} s")
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--full", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        large_adapter(Path(folder), chosen.full)
        (Path(folder) / "repository").mkdir()
        many_versions(Path(folder) / "repository", chosen.versions)


if __name__ == "__main__":
    main()
