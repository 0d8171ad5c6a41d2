"""Strengths and cosines against the explicit B @ A, which the library never forms."""

import json
import math
import struct

import numpy as np
import pytest
from adapter_files import DIT, T5, adapter_shapes, header_of, write_adapter, write_version
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lora_repository.base_norms import BaseNorms
from lora_repository.difference import Compared, differ
from lora_repository.finding import Problem
from lora_repository.heat_map import SHADES, heat_maps, shade
from lora_repository.proof import prove
from lora_repository.strength import to_floats

TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def stored(numbers, dtype):
    """The numbers as `dtype` holds them, and those bytes."""
    if dtype == "BF16":
        halves = (np.ascontiguousarray(numbers, "<f4").view("<u4") >> 16).astype("<u2")
        return (halves.astype("<u4") << 16).view("<f4").astype(np.float64), halves.tobytes()
    kept = numbers.astype(TYPES[dtype])
    return kept.astype(np.float64), kept.tobytes()


def write_numbers(path, shapes, dtype, seed, factor=1.0):
    """A file of random numbers; what it holds, by key."""
    rng = np.random.default_rng(seed)
    document, _size = header_of(shapes, dtype)
    held, data = {}, b""
    for key, shape in shapes.items():
        held[key], raw = stored(rng.standard_normal(shape) * factor, dtype)
        data += raw
    raw = json.dumps(document).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)
    return held


def write_random(folder, seed, *, rank=4, alpha=8, dtype="BF16", t5=False, factor=1.0):
    """A version of random numbers; the explicit update of each module of the video model."""
    write_version(folder, t5=t5, dmd_rank=rank, lora_alpha=alpha)
    held = write_numbers(folder / "dmd_lora.safetensors", adapter_shapes(DIT, rank), dtype, seed, factor)
    keys = [key.removesuffix(".lora_A.weight") for key in held if ".lora_A." in key]
    return {key: alpha / rank * held[f"{key}.lora_B.weight"] @ held[f"{key}.lora_A.weight"] for key in keys}


def side(folder):
    return Compared(folder.name, prove(folder, DIT, T5))


def of(part, module):
    return next(one for one in part.modules if one.module == module)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("ranks", [(4, 4), (1, 7), (8, 3)])
def test_every_number_is_that_of_the_explicit_update(tmp_path, dtype, ranks):
    one = write_random(tmp_path / "v1.0_a", 1, rank=ranks[0], dtype=dtype)
    two = write_random(tmp_path / "v1.1_b", 2, rank=ranks[1], dtype=dtype, alpha=3.5, factor=0.1)
    found = differ(side(tmp_path / "v1.0_a"), side(tmp_path / "v1.1_b"), {})
    (part,) = found.parts
    assert {module.module for module in part.modules} == set(one)
    for module in part.modules:
        x, y = one[module.module], two[module.module]
        assert module.a == pytest.approx(np.linalg.norm(x), rel=1e-12)
        assert module.b == pytest.approx(np.linalg.norm(y), rel=1e-12)
        cosine = np.sum(x * y) / np.linalg.norm(x) / np.linalg.norm(y)
        assert module.cosine == pytest.approx(cosine, abs=1e-12)
        assert module.distance == pytest.approx(np.linalg.norm(x - y), rel=1e-9)
    x, y = (np.concatenate([update.ravel() for update in updates.values()]) for updates in (one, two))
    assert part.total.a == pytest.approx(np.linalg.norm(x), rel=1e-12)
    assert part.total.cosine == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y), abs=1e-12)
    assert part.total.distance == pytest.approx(np.linalg.norm(x - y), rel=1e-9)
    assert (part.rank, part.strength) == (ranks, (8 / ranks[0], 3.5 / ranks[1]))


def test_a_version_and_itself(tmp_path):
    write_random(tmp_path / "v1.0_a", 1)
    found = differ(side(tmp_path / "v1.0_a"), side(tmp_path / "v1.0_a"), {})
    (part,) = found.parts
    assert not found.config
    assert all(module.cosine == pytest.approx(1) for module in part.modules)
    assert part.total.distance < 1e-6 * part.total.a


def test_a_module_that_one_side_lacks(tmp_path):
    one = write_random(tmp_path / "v1.0_a", 1)
    write_random(tmp_path / "v1.1_b", 2)
    lacking = {key: shape for key, shape in adapter_shapes(DIT, 4).items() if "ffn" not in key}
    write_numbers(tmp_path / "v1.1_b/dmd_lora.safetensors", lacking, "BF16", 2)
    (part,) = differ(side(tmp_path / "v1.0_a"), side(tmp_path / "v1.1_b"), {}).parts
    lone = of(part, "blocks.0.ffn.0")
    assert (lone.b, lone.cosine) == (None, None)
    assert lone.distance == lone.a == pytest.approx(np.linalg.norm(one["blocks.0.ffn.0"]))
    (changed,) = [one for one in part.coverage if one.target == "ffn"]
    assert (changed.a, changed.b, changed.total) == (4, 0, 4)


def test_config_and_a_part_that_one_side_lacks(tmp_path):
    write_random(tmp_path / "v1.0_a", 1, t5=True)
    write_random(tmp_path / "v1.1_b", 2, alpha=16)
    found = differ(side(tmp_path / "v1.0_a"), side(tmp_path / "v1.1_b"), {})
    assert [(one.key, one.a, one.b) for one in found.config] == [("lora_alpha", "8", "16")]
    _dit, t5 = found.parts
    assert (t5.target, t5.rank, t5.total.b) == ("t5", (3, None), None)
    assert all(module.cosine is None for module in t5.modules)


def test_what_is_all_zero_has_no_angle(tmp_path):
    write_version(tmp_path / "v1.0_a", t5=False)
    write_random(tmp_path / "v1.1_b", 2)
    (part,) = differ(side(tmp_path / "v1.0_a"), side(tmp_path / "v1.1_b"), {}).parts
    assert (part.total.a, part.total.cosine) == (0.0, None)
    assert part.total.distance == part.total.b


def test_numbers_that_are_none_are_refused(tmp_path):
    write_random(tmp_path / "v1.0_a", 1)
    path = tmp_path / "v1.0_a/dmd_lora.safetensors"
    path.write_bytes(path.read_bytes()[:-2] + b"\xc0\x7f")
    with pytest.raises(Problem) as caught:
        differ(side(tmp_path / "v1.0_a"), side(tmp_path / "v1.0_a"), {})
    assert caught.value.finding.code == "LORA076"


def write_base(path, seed=5, dtype="BF16"):
    shapes = {f"{module}.weight": shape for module, shape in DIT.modules.items()}
    return path, write_numbers(path, shapes, dtype, seed)


@pytest.fixture
def long_ago(monkeypatch):
    import time

    real = time.time_ns
    monkeypatch.setattr("lora_repository.settled.time.time_ns", lambda: real() + 10**10)


@pytest.mark.usefixtures("long_ago")
def test_relative_to_the_weights_which_are_read_once(tmp_path, monkeypatch):
    one = write_random(tmp_path / "v1.0_a", 1)
    base, weights = write_base(tmp_path / "base.safetensors")
    monkeypatch.setattr("lora_repository.base_norms._PIECE", 64)
    told = []
    found = differ(
        side(tmp_path / "v1.0_a"),
        side(tmp_path / "v1.0_a"),
        {"dit": BaseNorms([base], tmp_path / "cache")},
        lambda done, total: told.append((done, total)),
    )
    assert found.relative
    module = of(found.parts[0], "blocks.1.ffn.2")
    norm = np.linalg.norm(weights["blocks.1.ffn.2.weight"])
    assert module.base == pytest.approx(norm, rel=1e-12)
    assert module.relative_a == pytest.approx(np.linalg.norm(one["blocks.1.ffn.2"]) / norm, rel=1e-12)
    assert all(done <= total for done, total in told)
    assert told == sorted(told)
    again = []
    norms = BaseNorms([base], tmp_path / "cache")
    assert norms.missing_bytes([module.module]) == 0
    assert norms.of([module.module], again.append) == {module.module: module.base}
    assert not again
    write_base(base, seed=6)
    assert BaseNorms([base], tmp_path / "cache").missing_bytes([module.module]) > 0


def test_a_base_of_today_is_not_remembered(tmp_path):
    base, _weights = write_base(tmp_path / "base.safetensors")
    BaseNorms([base], tmp_path / "cache").of(["blocks.1.ffn.2"], lambda count: None)
    assert not list(tmp_path.glob("cache/*"))


def test_without_the_weights_it_says_so(tmp_path):
    write_random(tmp_path / "v1.0_a", 1)
    base = write_adapter(tmp_path / "base.safetensors", {"blocks.1.ffn.2.weight": (16, 32)}, "F8_E4M3")
    found = differ(side(tmp_path / "v1.0_a"), side(tmp_path / "v1.0_a"), {"dit": BaseNorms([base])})
    assert not found.relative
    (maps, *_) = found.parts[0].heat_maps("a")
    assert maps.unit == "absolute"
    assert found.parts[0].total.relative_a is None


def test_weights_stored_as_scaled_codes(tmp_path, monkeypatch):
    """As the embedded model stores them: 8-bit codes, and a scale for each row."""
    rng = np.random.default_rng(0)
    codes, scales = rng.integers(-127, 128, (16, 32), np.int8), rng.random((16, 1)).astype("<f4")
    document = {
        "x.weight": {"dtype": "I8", "shape": [16, 32], "data_offsets": [0, 512]},
        "x.weight_scale": {"dtype": "F32", "shape": [16, 1], "data_offsets": [512, 576]},
        "y.weight": {"dtype": "I8", "shape": [1, 1], "data_offsets": [576, 577]},
    }
    raw = json.dumps(document).encode()
    path = tmp_path / "base.safetensors"
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + codes.tobytes() + scales.tobytes() + b"\1")
    monkeypatch.setattr("lora_repository.base_norms._PIECE", 100)
    norms = BaseNorms([path], tmp_path / "cache").of(["x", "y", "z"], lambda count: None)
    assert norms == {"x": pytest.approx(np.linalg.norm(codes * scales.astype(np.float64)))}


def test_heat_maps_lay_modules_out(tmp_path):
    write_random(tmp_path / "v1.0_a", 1)
    write_random(tmp_path / "v1.1_b", 2)
    (part,) = differ(side(tmp_path / "v1.0_a"), side(tmp_path / "v1.1_b"), {}).parts
    blocks, injector = part.heat_maps("b")
    assert (blocks.title, blocks.rows) == ("blocks", ("0", "1"))
    assert blocks.columns[0] == "self_attn.q"
    assert blocks.values[1][blocks.columns.index("ffn.2")] == of(part, "blocks.1.ffn.2").b
    assert (injector.title, injector.rows, injector.columns) == ("audio_injector.injector", ("0",), tuple("qkvo"))
    assert blocks.top == injector.top == max(one.b for one in part.modules)
    assert part.heat_maps("cosine")[0].unit == "cosine"
    assert heat_maps({"head.head": 1.0, "a.3": None}, "absolute")[0].rows == ("",)


def test_shades_read_without_colour():
    assert [shade(value, 8.0) for value in (0.0, 1e-9, 4.0, 8.0, -8.0)] == [SHADES[0], SHADES[1], SHADES[4], "█", "█"]
    assert (shade(None, 1.0), shade(0.0, 0.0)) == (" ", SHADES[0])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=8, max_size=64), st.sampled_from(["BF16", "F16", "F32", "F64"]))
def test_stored_numbers_are_read_exactly(data, dtype):
    size = {"BF16": 2, "F16": 2, "F32": 4, "F64": 8}[dtype]
    data = data[: len(data) // size * size]
    found = to_floats(data, dtype)
    wide = b"".join(b"\0\0" + data[at : at + 2] for at in range(0, len(data), 2)) if dtype == "BF16" else data
    code = {"F16": "e", "F64": "d"}.get(dtype, "f")
    expected = struct.unpack(f"<{len(wide) // struct.calcsize(code)}{code}", wide)
    assert all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(found, expected, strict=True))
