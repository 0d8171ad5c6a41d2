"""Switching under the worst of luck: killed at every system call that changes something, raced, watched by a reader."""

import threading
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from adapter_files import DIT, T5, write_version
from misfortune import die_at

from lora_repository import files
from lora_repository.finding import Problem
from lora_repository.proof import Proof, prove
from lora_repository.repository import LoraRepository

NAMES = ["v1.0_a", "v1.1_b", "v1.2_c"]


def repository(root: Path) -> LoraRepository:
    return LoraRepository(root, lambda path: Proof(path, "any", (), ()))


@pytest.fixture
def root(tmp_path):
    for name in NAMES:
        write_version(tmp_path / name, t5=False)
    repository(tmp_path).activate(NAMES[0])
    return tmp_path


def agree(root: Path, allowed: set[str]) -> None:
    """Link and history say the same once the next operator has taken a turn; numbers have no gap."""
    held = repository(root)
    assert str(held.latest().name) in allowed
    held.activate(NAMES[2])
    history = held.history()
    assert [generation.number for generation in history] == list(range(1, len(history) + 1))
    assert all(one.after == two.before for one, two in pairwise(history))
    assert history[-1].after == str((root / "latest").readlink()) == NAMES[2]
    assert not held.findings()
    assert {path.name for path in held.state.iterdir()} == {"lock", "generations.jsonl"}


def test_killed_anywhere_it_is_the_old_state_or_the_new(tmp_path):
    step = 0
    killed = True
    while killed:
        step += 1
        root = tmp_path / str(step)
        for name in NAMES:
            write_version(root / name, t5=False)
        repository(root).activate(NAMES[0])
        killed = die_at(step, lambda root=root: repository(root).activate(NAMES[1]))
        agree(root, {NAMES[0], NAMES[1]})
    assert step > 20


def test_killed_in_a_rollback(tmp_path):
    step = 0
    killed = True
    while killed:
        step += 1
        root = tmp_path / str(step)
        for name in NAMES:
            write_version(root / name, t5=False)
        repository(root).activate(NAMES[0])
        repository(root).activate(NAMES[1])
        killed = die_at(step, lambda root=root: repository(root).rollback())
        agree(root, {NAMES[0], NAMES[1]})
    assert step > 20


def test_a_reader_never_misses_latest(root):
    held = repository(root)
    stop = threading.Event()
    missed = []
    seen = set()

    def read() -> None:
        while not stop.is_set():
            try:
                seen.add(str((root / "latest").readlink()))
                (root / "latest" / "config.json").stat()
            except OSError as error:
                missed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(150):
        held.activate(NAMES[1 + turn % 2])
    stop.set()
    reader.join()
    assert not missed
    assert seen >= set(NAMES[1:])


def switch_often(root: str, turns: int) -> int:
    held = repository(Path(root))
    return sum(held.activate(NAMES[turn % 3]).number > 0 for turn in range(turns))


def test_two_operators_lose_no_generation(root):
    with ProcessPoolExecutor(2) as pool:
        assert sum(pool.map(switch_often, [str(root)] * 2, [60] * 2)) == 120
    history = repository(root).history()
    assert [generation.number for generation in history] == list(range(1, len(history) + 1))
    assert all(one.after == two.before for one, two in pairwise(history))
    assert history[-1].after == str((root / "latest").readlink())


def test_a_busy_repository_says_who_holds_it(root, monkeypatch):
    monkeypatch.setattr("lora_repository.turns._PATIENCE_S", 0.05)
    with files.exclusive(root / ".liveavatar/lock", "anna@gpu7", 1), pytest.raises(Problem) as caught:
        repository(root).activate(NAMES[1])
    assert caught.value.finding.code == "LORA045"
    assert "anna@gpu7" in caught.value.finding.message
    assert repository(root).activate(NAMES[1]).after == NAMES[1]


def test_a_full_disk_leaves_the_old_state(root, monkeypatch):
    for call in ("write", "fsync"):

        def full(*_arguments: object) -> int:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(files.os, call, full)
            with pytest.raises(Problem) as caught:
                repository(root).activate(NAMES[1])
        assert caught.value.finding.code == "LORA049"
        assert "No space left" in caught.value.finding.message
        agree(root, {NAMES[0], NAMES[1]})
        repository(root).activate(NAMES[0])


def test_real_versions_switch_with_a_real_proof(tmp_path):
    write_version(tmp_path / NAMES[0])
    held = LoraRepository(tmp_path, lambda path: prove(path, DIT, T5))
    assert held.activate(NAMES[0]).number == 1
