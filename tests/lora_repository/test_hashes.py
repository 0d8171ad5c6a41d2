import hashlib

import pytest

from lora_repository.finding import Problem
from lora_repository.hashes import sha256_of


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 3_000_001])
def test_the_same_as_any_other_sha256(tmp_path, size):
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "x").write_bytes(content[:size])
    told = []
    assert sha256_of(tmp_path / "x", told.append) == hashlib.sha256(content[:size]).hexdigest()
    assert sum(told) == size


def test_a_file_that_changes_meanwhile(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(bytes(3 << 20))
    with pytest.raises(Problem) as caught:
        sha256_of(path, lambda _count: path.write_bytes(b"other"))
    assert caught.value.finding.code == "LORA030"
