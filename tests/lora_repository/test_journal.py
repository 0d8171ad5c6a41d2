"""A journal that is read again and again while it grows says what reading it anew would say."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lora_repository import journal
from lora_repository.finding import Problem
from lora_repository.journal import read_journal

DECODER = msgspec.json.Decoder(dict[str, int])
LINES = [b'{"a":1}\n', b'{"b":2}\n', b"broken\n", b"\n", b'{"c"', b":3}\n", b"\xff\n", b'{"d":4}\r\n']


def anew(path):
    journal._kept.clear()
    return read_journal(path, DECODER)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(st.sampled_from(LINES), st.integers(0, 40)), max_size=12))
def test_growing_shrinking_and_edited_in_place(tmp_path, steps):
    """Bytes are added; a number cuts the file there and flips the byte before: as an editor would."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"")
    journal._kept.clear()
    for step in steps:
        data = path.read_bytes()
        if isinstance(step, int):
            data = data[: max(0, step - 1)] + bytes(byte ^ 1 for byte in data[max(0, step - 1) : step])
        else:
            data += step
        path.write_bytes(data)
        found = read_journal(path, DECODER)
        kept = dict(journal._kept)
        assert anew(path) == found
        journal._kept.update(kept)


def test_only_what_was_added_is_decoded(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a":1}\n' * 3)
    seen = []

    class Counting:
        def decode(self, line):
            seen.append(line)
            return DECODER.decode(line)

    counting = Counting()
    for size in (3, 3, 5):
        path.write_bytes(b'{"a":1}\n' * size)
        assert len(read_journal(path, counting)[0]) == size
    assert len(seen) == 5


def test_what_is_given_out_is_the_callers_own(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a":1}\n')
    read_journal(path, DECODER)[0].clear()
    assert len(read_journal(path, DECODER)[0]) == 1


def test_without_the_file_and_without_the_right(tmp_path):
    assert read_journal(tmp_path / "none", DECODER) == ([], [])
    with pytest.raises(Problem):
        read_journal(tmp_path, DECODER)
