"""Remembered proofs against changes of every kind: what is remembered must be what proving would say."""

import json
import os
import stat
import threading
import time

import pytest
from adapter_files import CONFIG, DIT, T5, adapter_shapes, write_adapter, write_version
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from misfortune import die_at

from lora_repository.proof import prove
from lora_repository.proof_memory import ProofMemory
from lora_repository.shallow import shallow


class Prover:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, path):
        self.asked += 1
        return prove(path, DIT, T5)


@pytest.fixture
def long_ago(monkeypatch):
    """Change times of inodes cannot be set back, so the clock is set forward."""
    real = time.time_ns
    monkeypatch.setattr("lora_repository.settled.time.time_ns", lambda: real() + 10**10)


@pytest.fixture
def version(tmp_path, long_ago):
    return write_version(tmp_path / "lora/v1.0_a")


def remember(version, folder, base="small"):
    """A memory of another process that has seen the version."""
    memory = ProofMemory(version.parent, base, folder)
    made = memory.shallow(version, Prover())
    memory.save([version.name])
    return made


def asked_again(version, folder, base="small"):
    """How often a new process proves, and what it says; never anything else than proving would."""
    prover = Prover()
    found = ProofMemory(version.parent, base, folder).shallow(version, prover)
    assert found == shallow(prove(version, DIT, T5))
    return prover.asked


def test_an_unchanged_version_is_proved_once_in_all_processes(version, tmp_path):
    made = remember(version, tmp_path / "cache")
    assert made.ok
    assert [part.rank for part in made.parts] == [4, 3]
    assert asked_again(version, tmp_path / "cache") == 0


def _bytes_in_place(version):
    """Same size, same modification time, other bytes."""
    path = version / "dmd_lora.safetensors"
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[data.index(b"lora_A")] = ord("x")
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replaced(version):
    """Another file of the same size and modification time under the same name."""
    path = version / "config.json"
    before = path.stat()
    other = version / "other"
    other.write_bytes(path.read_bytes().replace(b'"dmd_rank": 4', b'"dmd_rank": 5'))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(path)


CHANGES = {
    "bytes in place": _bytes_in_place,
    "a file replaced": _replaced,
    "a file away": lambda version: (version / "config.json").unlink(),
    "a file more": lambda version: (version / "more.pt").write_bytes(b"\x80\x02."),
    "a file renamed": lambda version: (version / "t5_lora.safetensors").rename(version / "T5_lora.safetensors"),
    "rights of a file": lambda version: (version / "config.json").chmod(0o666),
    "rights of the folder": lambda version: version.chmod(0o777),
    "cut short": lambda version: os.truncate(version / "dmd_lora.safetensors", 100),
    "a link in place of a file": lambda version: (
        (version / "config.json").rename(version.parent / "c.json"),
        (version / "config.json").symlink_to("../c.json"),
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_is_seen(version, tmp_path, change):
    remember(version, tmp_path / "cache")
    change(version)
    assert asked_again(version, tmp_path / "cache") == 1


def test_other_folder_of_the_same_name(version, tmp_path):
    """As a copy that kept sizes and times; its inodes are its own."""
    remember(version, tmp_path / "cache")
    version.rename(version.parent / "old")
    write_version(version, dmd_rank=8)
    assert asked_again(version, tmp_path / "cache") == 1


def test_another_base_model_and_other_rules_forget_everything(version, tmp_path, monkeypatch):
    remember(version, tmp_path / "cache")
    assert asked_again(version, tmp_path / "cache", base="other") == 1
    monkeypatch.setattr("lora_repository.proof_memory.code_digest", lambda: "other rules")
    assert asked_again(version, tmp_path / "cache") == 1


def test_an_unknown_base_model_is_not_remembered(version, tmp_path):
    remember(version, tmp_path / "cache", base=None)
    assert not list(tmp_path.glob("cache/*"))
    assert asked_again(version, tmp_path / "cache", base=None) == 1


def test_a_version_written_just_now_is_not_trusted(tmp_path):
    """A change in the same tick of the clock would leave its times as they are."""
    version = write_version(tmp_path / "lora/v1.0_a")
    remember(version, tmp_path / "cache")
    assert asked_again(version, tmp_path / "cache") == 1


def test_a_change_while_it_is_proved_is_not_remembered(version, tmp_path):
    memory = ProofMemory(version.parent, "small", tmp_path / "cache")

    def slow(path):
        proof = prove(path, DIT, T5)
        (version / "config.json").write_text(json.dumps(CONFIG | {"dmd_rank": 9}))
        return proof

    assert memory.shallow(version, slow).ok
    memory.save([version.name])
    assert asked_again(version, tmp_path / "cache") == 1


def test_a_link_is_never_trusted(version, tmp_path):
    """What it leads to can change without a trace in the folder."""
    (version / "config.json").rename(tmp_path / "c.json")
    (version / "config.json").symlink_to(tmp_path / "c.json")
    remember(version, tmp_path / "cache")
    assert asked_again(version, tmp_path / "cache") == 1


def test_what_is_wrong_is_remembered_as_well(version, tmp_path):
    (version / "config.json").write_text(json.dumps(CONFIG | {"dmd_rank": 9}))
    made = remember(version, tmp_path / "cache")
    assert (made.ok, made.worst) == (False, "error")
    assert "LORA014" in {finding.code for finding in made.findings}
    assert asked_again(version, tmp_path / "cache") == 0


def spoil(kept, how):
    data = bytearray(kept.read_bytes())
    match how:
        case "flipped":
            data[len(data) // 2] ^= 1
        case "cut":
            del data[-3:]
        case "empty":
            data.clear()
        case "text":
            data[:] = b"[]"
    kept.write_bytes(data)


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "text"])
def test_a_spoilt_memory_is_an_empty_one(version, tmp_path, how):
    remember(version, tmp_path / "cache")
    (kept,) = tmp_path.glob("cache/*")
    spoil(kept, how)
    assert asked_again(version, tmp_path / "cache") == 1
    remember(version, tmp_path / "cache")
    assert asked_again(version, tmp_path / "cache") == 0


def test_a_memory_that_others_may_write_to_is_not_believed(version, tmp_path):
    remember(version, tmp_path / "cache")
    (kept,) = tmp_path.glob("cache/*")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.chmod(0o620)
    assert asked_again(version, tmp_path / "cache") == 1
    kept.chmod(0o600)
    kept.rename(tmp_path / "elsewhere")
    kept.symlink_to(tmp_path / "elsewhere")
    assert asked_again(version, tmp_path / "cache") == 1


def test_it_does_not_grow_for_ever(version, tmp_path, monkeypatch):
    monkeypatch.setattr("lora_repository.proof_memory._FILES_AT_MOST", 3)
    for base in "abcdef":
        remember(version, tmp_path / "cache", base)
    assert len(list(tmp_path.glob("cache/*"))) == 3
    memory = ProofMemory(version.parent, "f", tmp_path / "cache")
    memory.save([])
    assert asked_again(version, tmp_path / "cache", "f") == 1


def test_killed_anywhere_the_next_one_knows_the_truth(version, tmp_path):
    """Old proofs, new ones or none; never half a file, never a file too many."""
    remember(version, tmp_path / "cache")
    step, killed = 0, True
    while killed:
        step += 1
        (version / "config.json").write_text(json.dumps(CONFIG | {"dmd_rank": 4 + step % 2}))
        killed = die_at(step, lambda: remember(version, tmp_path / "cache"))
        asked_again(version, tmp_path / "cache")
        remember(version, tmp_path / "cache")
        assert asked_again(version, tmp_path / "cache") == 0
    assert step > 8
    left = list(tmp_path.glob("cache/.*"))
    assert left
    for path in left:
        os.utime(path, (0, 0))
    (version / "config.json").write_text(json.dumps(CONFIG))
    remember(version, tmp_path / "cache")
    assert not list(tmp_path.glob("cache/.*"))


def test_a_cache_folder_that_cannot_be_made_only_forgets(version, tmp_path):
    (tmp_path / "cache").write_text("no folder")
    assert remember(version, tmp_path / "cache").ok


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.sampled_from(["good", "rank", "cut", "touch", "look", "look"]), min_size=2, max_size=8))
def test_after_any_steps_it_says_what_proving_says(tmp_path_factory, steps):
    """With the clock as it is: files change within milliseconds, and nothing remembered may be older than they are."""
    folder = tmp_path_factory.mktemp("steps")
    version = write_version(folder / "lora/v1.0_a", t5=False)
    adapter = version / "dmd_lora.safetensors"
    for step in steps:
        match step:
            case "good":
                write_adapter(adapter, adapter_shapes(DIT, 4))
            case "rank":
                write_adapter(adapter, adapter_shapes(DIT, 3))
            case "cut":
                os.truncate(adapter, adapter.stat().st_size - 1)
            case "touch":
                adapter.touch()
        remember(version, folder / "cache")
        asked_again(version, folder / "cache")


def test_a_writer_against_a_reader_leaves_no_stale_proof(tmp_path, monkeypatch):
    """The patience is cut to one tick of the clock; the writer changes the rank as fast as it can."""
    monkeypatch.setattr("lora_repository.settled._LOCAL_NS", 20_000_000)
    version = write_version(tmp_path / "lora/v1.0_a", t5=False)
    stop = threading.Event()

    def write() -> None:
        rank = 3
        while not stop.is_set():
            rank = 7 - rank
            (version / "config.json").write_text(json.dumps(CONFIG | {"dmd_rank": rank}))
            time.sleep(0.013 * rank)

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(60):
        remember(version, tmp_path / "cache")
    stop.set()
    writer.join()
    asked_again(version, tmp_path / "cache")
