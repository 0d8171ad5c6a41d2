import hashlib
import os
import struct

import pytest
from adapter_files import DIT, adapter_shapes, write_adapter
from hypothesis import given
from hypothesis import strategies as st

from lora_repository.contents import all_finite, check_contents
from lora_repository.finding import Problem, Severity
from lora_repository.header import read_header

FORMATS = {"F16": ("e", 2), "F32": ("f", 4), "F64": ("d", 8)}


@pytest.fixture
def adapter(tmp_path):
    """An adapter of finite, non-zero numbers: every byte is 0x3c, 0.0117 in BF16."""
    path = write_adapter(tmp_path / "dmd_lora.safetensors", adapter_shapes(DIT, 4))
    header = read_header(path)
    write_at(path, header.data_start, b"\x3c" * (header.size - header.data_start))
    return path


def write_at(path, at, data):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def test_a_good_file_is_hashed_and_has_no_findings(adapter):
    told = []
    contents = check_contents(adapter, told.append)
    assert contents.sha256 == hashlib.sha256(adapter.read_bytes()).hexdigest()
    assert not contents.findings
    assert sum(told) == adapter.stat().st_size


@pytest.mark.parametrize("number", [0x7F80, 0xFF80, 0x7FC0, 0xFFFF])
def test_one_number_that_is_none(adapter, number):
    name, tensor = list(read_header(adapter).tensors.items())[7]
    write_at(adapter, tensor.end - 2, struct.pack("<H", number))
    (finding,) = check_contents(adapter).findings
    assert (finding.code, finding.severity) == ("LORA031", Severity.ERROR)
    assert finding.message.startswith("1 tensors")
    assert name in finding.message


def test_the_largest_finite_numbers_are_good(adapter):
    write_at(adapter, read_header(adapter).data_start, struct.pack("<2H", 0x7F7F, 0xFF7F))
    assert not check_contents(adapter).findings


def test_zeros(adapter):
    header = read_header(adapter)
    tensors = list(header.tensors.values())
    write_at(adapter, tensors[3].start, bytes(tensors[3].end - tensors[3].start))
    (finding,) = check_contents(adapter).findings
    assert (finding.code, finding.severity) == ("LORA032", Severity.INFO)
    write_at(adapter, header.data_start, bytes(header.size - header.data_start))
    (finding,) = check_contents(adapter).findings
    assert (finding.code, finding.severity) == ("LORA032", Severity.WARNING)


def test_tensors_longer_than_a_piece(tmp_path):
    path = write_adapter(tmp_path / "x", {"a.lora_A.weight": (3, 1 << 20), "a.lora_B.weight": (1, 3)}, "F32")
    tensor = read_header(path).tensors["a.lora_A.weight"]
    write_at(path, tensor.end - 4, struct.pack("<f", float("nan")))
    write_at(path, tensor.end, struct.pack("<3f", 1, 2, 3))
    contents = check_contents(path)
    assert [finding.code for finding in contents.findings] == ["LORA031"]
    assert contents.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_changes_meanwhile(adapter):
    with pytest.raises(Problem) as caught:
        check_contents(adapter, lambda _count: os.utime(adapter))
    assert caught.value.finding.code == "LORA030"


@given(st.sampled_from(sorted(FORMATS)), st.data())
def test_finite_as_python_sees_it(dtype, data):
    code, size = FORMATS[dtype]
    floats = data.draw(st.lists(st.floats(width=8 * size), max_size=20))
    expected = all(abs(number) < float("inf") for number in floats)
    assert all_finite(struct.pack(f"<{len(floats)}{code}", *floats), dtype) == expected
