import json
import struct

import pytest
from adapter_files import DIT, adapter_shapes, header_of, write_adapter, write_document
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lora_repository.base import BaseTable
from lora_repository.finding import Problem
from lora_repository.header import parse_header, read_header

A = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
B = {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]}
ESCAPED = b'{"\\u0064type":"F32","\\u0073hape":[1],"\\u0064ata_offsets":[8,12]}'
"""As B, in a spelling that a search for the field names does not see."""


def code_of(path):
    with pytest.raises(Problem) as caught:
        read_header(path)
    return caught.value.finding.code


def test_names_shapes_and_places(tmp_path):
    path = write_adapter(tmp_path / "x.safetensors", {"a": (2, 3), "b": ()}, "F16", {"format": "pt"})
    header = read_header(path)
    assert list(header.tensors) == ["a", "b"]
    assert (header.tensors["a"].dtype, header.tensors["a"].shape) == ("F16", (2, 3))
    assert (header.tensors["a"].start, header.tensors["b"].end) == (header.data_start, header.size)
    assert header.metadata == {"format": "pt"}


def test_a_file_of_another_writer(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    import numpy as np

    numpy.save_file({"w": np.ones((3, 5), np.float32), "v": np.zeros((0,), np.int8)}, tmp_path / "w.safetensors")
    header = read_header(tmp_path / "w.safetensors")
    assert header.tensors["w"].shape == (3, 5)
    assert header.tensors["v"].shape == (0,)


def test_the_largest_adapter_costs_no_data(tmp_path):
    """1.35 GB in 896 tensors, as sparse zeros: only the header is read."""
    base = BaseTable.known_14b()
    path = write_adapter(tmp_path / "liveavatar.safetensors", adapter_shapes(base, 128))
    header = read_header(path)
    assert len(header.tensors) == 896
    assert header.size - header.data_start == 676_331_520 * 2


@pytest.mark.parametrize(
    ("document", "data"),
    [
        ({"a": A}, 7),
        ({"a": A}, 9),
        ({"a": A | {"data_offsets": [0, 4]}}, 8),
        ({"a": A | {"data_offsets": [8, 0]}}, 8),
        ({"a": A | {"data_offsets": [4, 12]}}, 12),
        ({"a": A, "b": B | {"data_offsets": [4, 8]}}, 8),
        ({"a": A, "b": B | {"data_offsets": [9, 13]}}, 13),
        ({"a": A | {"dtype": "F31"}}, 8),
        ({"a": A | {"shape": [-2]}}, 8),
        ({"a": A | {"shape": [2.0]}}, 8),
        ({"a": A | {"shape": [True, 2]}}, 8),
        ({"a": A | {"shape": [10**30]}}, 8),
        ({"a": A | {"extra": 1}}, 8),
        ({"a": {"dtype": "F32", "shape": [2]}}, 8),
        ({"a": 3}, 0),
        ({"a": A, "__metadata__": {"n": 1}}, 8),
        ({"a": A, "__metadata__": []}, 8),
        (b'{"a":' + json.dumps(A).encode() + b',"a":' + json.dumps(A).encode() + b"}", 8),
        (b'{"a":' + json.dumps(A).encode() + b',"\\u0061":' + json.dumps(A).encode() + b"}", 8),
        (b'{"b":' + json.dumps(B).encode() + b',"a":' + json.dumps(A).encode() + b',"b":' + ESCAPED + b"}", 12),
        (b'{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8),
        (b'{"__metadata__":{"alpha":"1","alpha":"2"},"a":' + json.dumps(A).encode() + b"}", 8),
        (b'{"__metadata__":{},"__metadata__":{},"a":' + json.dumps(A).encode() + b"}", 8),
        (b'{"a\xff":' + json.dumps(A).encode() + b"}", 8),
        (b'{"a":' * 20000, 8),
        (b'{"a":NaN}', 0),
        (b"{", 0),
        (b"{} {}", 0),
        (b"[1]", 0),
    ],
)
def test_damage(tmp_path, document, data):
    assert code_of(write_document(tmp_path / "x.safetensors", document, data)) == "LORA013"


@pytest.mark.parametrize("length", [2, 100, 10**8 + 1, 2**63, 2**64 - 1])
def test_absurd_header_length(tmp_path, length):
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b'{"a')
    assert code_of(path) == "LORA013"


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        (b"", "LORA011", "0 bytes"),
        (b"\x01\x02", "LORA013", "damaged"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1352663040\n", "LORA012", "1352663040"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "LORA012", "web page"),
        (b"\n  <HTML lang=en>", "LORA012", "web page"),
        (b"\x80\x02}q\x00(X\x05\x00\x00\x00", "LORA012", "pickled"),
        (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}", "LORA012", "pickled"),
        (b"PK\x03\x04" + b"\0" * 40, "LORA012", "pickled"),
        (b"\x1f\x8b\x08\x00" + b"\0" * 40, "LORA012", "gzip"),
        (b"GGUF\x03\x00\x00\x00" + b"\0" * 40, "LORA012", "GGUF"),
        (b'{"error": "Repository not found"}', "LORA012", "server"),
        (b"\0" * 4096, "LORA012", "zeros"),
        (b"x" * 257 + b"ustar\x0000" + b"\0" * 300, "LORA012", "tar"),
    ],
)
def test_another_kind_of_file_is_named(tmp_path, content, code, word):
    path = tmp_path / "dmd_lora.safetensors"
    path.write_bytes(content)
    with pytest.raises(Problem) as caught:
        read_header(path)
    assert caught.value.finding.code == code
    assert word in caught.value.finding.message
    assert caught.value.finding.fix


def test_places_that_are_no_file(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "dangling").symlink_to("nowhere")
    assert code_of(tmp_path / "pipe") == "LORA010"
    assert code_of(tmp_path) == "LORA010"
    assert code_of(tmp_path / "circle") == "LORA009"
    assert code_of(tmp_path / "dangling") == "LORA009"
    assert code_of(tmp_path / "none") == "LORA008"
    assert code_of(tmp_path / "a\0b") == "LORA008"


GOOD_DOCUMENT, GOOD_SIZE = header_of(dict(list(adapter_shapes(DIT, 2).items())[:4]))
GOOD = json.dumps(GOOD_DOCUMENT).encode()


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255), cut=st.integers(0, 3))
def test_a_changed_header_is_refused_or_says_something_whole(tmp_path, at, byte, cut):
    """Whatever byte changes, the answer is a Problem or a header whose tensors fill the file exactly."""
    raw = GOOD[:at] + bytes([byte]) + GOOD[at + 1 + cut :]
    try:
        header = parse_header(raw, 8 + len(raw) + GOOD_SIZE, tmp_path / "x")
    except Problem as problem:
        assert problem.finding.code == "LORA013"
        return
    assert sum(tensor.end - tensor.start for tensor in header.tensors.values()) == GOOD_SIZE


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_answered(tmp_path, content):
    path = tmp_path / "any"
    path.write_bytes(content)
    with pytest.raises(Problem):
        read_header(path)


NOTED = b'{"__metadata__":{"run":"7"},"a":' + json.dumps(A).encode()


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (NOTED + b"}", None),
        (NOTED.replace(b'"7"', b'"{\\"a\\": 1}"') + b"}", None),
        (NOTED + b",}", "JSON"),
        (NOTED.replace(b'__":', b'__"\x0c:') + b"}", "JSON"),
        (NOTED.replace(b'},"a"', b'}\x0b,"a"') + b"}", "JSON"),
        (b'{"__metadata__":{"run":"7"},}', "JSON"),
        (b'{"__metadata__":{"run":7},"a":' + json.dumps(A).encode() + b"}", "JSON"),
        (b'{"__metadata__":{"run":"7","run":"8"},"a":' + json.dumps(A).encode() + b"}", "twice"),
        (NOTED + b',"__metadata__":{}}', "twice"),
        (NOTED + b',"\\u005f_metadata__":{}}', "twice"),
        (NOTED + b',"a":' + json.dumps(A).encode() + b"}", "twice"),
    ],
)
def test_metadata_are_read_apart_and_as_strictly(tmp_path, raw, word):
    for _again in range(2):
        try:
            header = parse_header(raw, 8 + len(raw) + 8, tmp_path / "x")
        except Problem as error:
            assert word is not None
            assert word in error.finding.message
        else:
            assert word is None
            assert (list(header.tensors), list(header.metadata)) == (["a"], ["run"])
            assert header.tensors["a"].start == 8 + len(raw)


def test_a_header_that_resembles_one_seen_before_is_read_anew(tmp_path):
    """Same length, same end, same place of the data: only the bytes between tell."""
    one = json.dumps({"a": A | {"dtype": "F32"}, "b": B}).encode()
    two = one.replace(b'"a"', b'"c"')
    assert one[-300:] != two[-300:]
    tail = b" " * 300
    for raw, names in ((one + tail, ["a", "b"]), (two + tail, ["c", "b"]), (one + tail, ["a", "b"])):
        assert list(parse_header(raw, 8 + len(raw) + 12, tmp_path / "x").tensors) == names


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_reading_metadata_apart_changes_nothing(tmp_path, monkeypatch, data):
    """Every header, whole or damaged, is read the same whether its metadata are taken out first or not."""
    noted = data.draw(st.dictionaries(st.text(max_size=4), st.text(max_size=8), max_size=3))
    raw = json.dumps({"__metadata__": noted, "a": A, "b": B}).encode()
    at = data.draw(st.integers(0, len(raw) - 1))
    raw = data.draw(st.sampled_from([raw, raw[:at] + data.draw(st.binary(max_size=2)) + raw[at + 1 :]]))

    def outcome():
        try:
            return parse_header(raw, 8 + len(raw) + 12, tmp_path / "x")
        except Problem as error:
            return error.finding.code

    apart = outcome()
    with monkeypatch.context() as patch:
        patch.setattr("lora_repository.header._split", lambda raw: (None, raw))
        assert outcome() == apart
