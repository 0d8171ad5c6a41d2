import hashlib
import os
import time

import pytest

from lora_repository.finding import Problem
from lora_repository.hash_memory import HashMemory

LONG_AGO = time.time_ns() - 10**12


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"one")
    # The inode's own change time cannot be set back, so the clock is set forward.
    now = time.time_ns()
    monkeypatch.setattr("lora_repository.settled.time.time_ns", lambda: now + 10**10)
    return path


def read_bytes(memory, path):
    told = []
    return memory.sha256(path, told.append), sum(told)


def test_an_unchanged_file_is_read_once_in_all_processes(file, tmp_path):
    memory = HashMemory(tmp_path / "cache/hashes.json")
    found = hashlib.sha256(b"one").hexdigest()
    assert read_bytes(memory, file) == (found, 3)
    assert read_bytes(memory, file) == (found, 0)
    memory.save()
    assert read_bytes(HashMemory(tmp_path / "cache/hashes.json"), file) == (found, 0)


def test_a_change_that_keeps_size_and_time_is_seen(file, tmp_path):
    memory = HashMemory(tmp_path / "hashes.json")
    before = file.stat()
    memory.sha256(file)
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert memory.sha256(file) == hashlib.sha256(b"two").hexdigest()


def test_a_file_written_just_now_is_not_trusted(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"one")
    memory = HashMemory(tmp_path / "hashes.json")
    memory.sha256(path)
    assert read_bytes(memory, path)[1] == 3


def test_two_processes_keep_each_others_lessons(file, tmp_path):
    other = tmp_path / "y"
    other.write_bytes(b"other")
    one, two = HashMemory(tmp_path / "hashes.json"), HashMemory(tmp_path / "hashes.json")
    one.sha256(file)
    two.sha256(other)
    one.save()
    two.save()
    memory = HashMemory(tmp_path / "hashes.json")
    assert read_bytes(memory, file)[1] == read_bytes(memory, other)[1] == 0


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff"])
def test_a_spoilt_memory_is_an_empty_one(file, tmp_path, content):
    (tmp_path / "hashes.json").write_bytes(content)
    assert read_bytes(HashMemory(tmp_path / "hashes.json"), file)[1] == 3


def test_a_missing_file(tmp_path):
    with pytest.raises(Problem):
        HashMemory(tmp_path / "hashes.json").sha256(tmp_path / "none")
