"""Kill -9 at every system call by which switches, publications, removals, returns, notes or scores change anything.

    python benchmarks/repository_crash.py

Uses strace's injection: run after run, the n-th call of each kind delivers SIGKILL. After each the
repository must be in the old state or the new one, and the next operator must find link and history in agreement.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "lora_repository"))
from adapter_files import write_version

from lora_repository.proof import Proof
from lora_repository.repository import LoraRepository

ROOT = Path(__file__).parents[1]
CHANGING = (
    "write,pwrite64,writev,sendfile,copy_file_range,fsync,fdatasync,rename,renameat,renameat2,symlink,symlinkat,"
    "unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,ftruncate,truncate,flock,fchmod,chmod,fchmodat,ioctl,openat"
)
ACT = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from lora_repository.channels import resolve_channel
from lora_repository.pointers import KeyPointer
from lora_repository.proof import Proof
from lora_repository.published import hashes_of
from lora_repository.repository import LoraRepository
from lora_repository.scores import Comparison
root = Path(sys.argv[1])
key = KeyPointer(root / "config.yaml", "production")
made = Comparison(
    version="v1.1_b", hashes=hashes_of(root / "v1.1_b"), time=datetime.now(UTC), user="", host="", protocol="",
    passed=True, verdict="better",
)
held = LoraRepository(root, lambda path: Proof(path, "any", (), ()))
act = {
    "switch": lambda: held.activate("v1.1_b"),
    "switch of a key": lambda: held.channel(key, lambda name: resolve_channel(name, {}, held)).move_to("v1.1_b", ""),
    "rollback": held.rollback,
    "publish": lambda: held.publish(root / "v1.0_a", "v2.0_x"),
    "remove": lambda: held.remove("v1.2_c"),
    "restore": lambda: held.restore("v1.2_c"),
    "note": lambda: held.annotate("v1.1_b", add=["two"], note="second"),
    "scores": lambda: held.add_comparison(made),
}[sys.argv[2]]
(root / "begin").mkdir()
act()
"""
NAMES = ("v1.0_a", "v1.1_b", "v1.2_c")
CONFIG = "# mine\nlora:\n  production: {}  # why\n"


def held(root: Path) -> LoraRepository:
    return LoraRepository(root, lambda path: Proof(path, "any", (), ()))


def fresh(root: Path, action: str) -> None:
    for name in NAMES:
        write_version(root / name, t5=False)
    held(root).activate(NAMES[0])
    held(root).annotate(NAMES[1], add=["one"], note="first")
    (root / "config.yaml").write_text(CONFIG.format(NAMES[0]))
    if action == "rollback":
        held(root).activate(NAMES[1])
    if action == "restore":
        held(root).remove(NAMES[2])


def strace(root: Path, action: str, *options: str) -> int:
    words = ["strace", "-f", "-qq", *options, sys.executable, "-B", "-c", ACT, str(root), action]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(root.parent / "cache")}
    return subprocess.run(words, env=environment, capture_output=True, check=False).returncode


def calls(folder: Path, action: str) -> list[tuple[str, int]]:
    """(name, number among its kind) of every changing call after the action begins."""
    root = folder / "count"
    fresh(root, action)
    log = folder / "trace"
    assert strace(root, action, "-o", str(log), "-e", "trace=" + CHANGING) == 0
    seen: Counter[str] = Counter()
    found = []
    begun = False
    for line in log.read_text(errors="replace").splitlines():
        match = re.match(r"\d+\s+(\w+)\((.*)", line)
        if match is None:
            continue
        seen[match[1]] += 1
        if begun and (match[1] != "openat" or "O_CREAT" in match[2]):
            found.append((match[1], seen[match[1]]))
        begun = begun or "/begin" in match[2]
    return found


def judge(root: Path, action: str) -> None:
    repository = held(root)
    (root / "begin").rmdir()
    names = {str(version.name) for version in repository.versions()}
    current = repository.latest()
    assert current is not None
    assert str(current.name) in {"switch": NAMES[:2], "rollback": NAMES[:2]}.get(action, NAMES[:1])
    if action == "publish":
        assert names in ({*NAMES}, {*NAMES, "v2.0_x"})
        for version in repository.versions():
            assert repository.changed(version) is None
    said = (root / "config.yaml").read_text()
    assert said in {CONFIG.format(name) for name in NAMES[: 2 if action == "switch of a key" else 1]}
    if action in ("remove", "restore"):
        assert names | {entry.name for entry in repository.removed()} == {*NAMES}
    remarks = repository.remarks()[NAMES[1]]
    assert (remarks.tags, remarks.note) in ((("one",), "first"), (("one", "two"), "second"))
    assert len(repository.comparisons(NAMES[1])) in ((0, 1) if action == "scores" else (0,))
    repository.activate(NAMES[2] if NAMES[2] in names else NAMES[1])
    history = repository.history()
    assert [entry.number for entry in history] == list(range(1, len(history) + 1))
    moves = [one for one in history if one.channel == "latest"]
    assert all(one.after == two.before for one, two in pairwise(moves))
    keys = [one.after for one in history if one.channel == "production"]
    assert keys in ([], [NAMES[1]]) and bool(keys) is (CONFIG.format(NAMES[1]) == said)
    assert not repository.findings(), repository.findings()


def main() -> None:
    for action in ("switch", "switch of a key", "rollback", "publish", "remove", "restore", "note", "scores"):
        with tempfile.TemporaryDirectory() as folder:
            points = calls(Path(folder), action)
            killed = 0
            for number, (name, when) in enumerate(points):
                root = Path(folder) / str(number)
                fresh(root, action)
                status = strace(
                    root,
                    action,
                    "-e",
                    f"trace={name}",
                    "-e",
                    f"inject={name}:signal=KILL:when={when}",
                    "-o",
                    "/dev/null",
                )
                killed += status != 0
                judge(root, action)
            kinds = ", ".join(f"{n} {name}" for name, n in Counter(name for name, _ in points).items())
            print(f"{action}: {killed} kills at {len(points)} calls ({kinds}): always the old state or the new")


if __name__ == "__main__":
    main()
