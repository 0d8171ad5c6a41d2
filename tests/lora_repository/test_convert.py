"""Every format against the explicit sum of strength * B @ A, computed from the numbers that went in."""

import json
import random
import struct
from array import array

import pytest
from adapter_files import DIT, header_of
from hypothesis import given
from hypothesis import strategies as st

from lora_repository.base import BaseTable
from lora_repository.convert import Ingredient, convert
from lora_repository.finding import Problem
from lora_repository.foreign import read_foreign
from lora_repository.header import read_header
from lora_repository.matrices import from_floats, scaled, to_floats
from lora_repository.proof import prove

BASE = BaseTable("tiny", {"blocks.0.self_attn.q": (7, 6), "blocks.0.self_attn.o": (6, 7), "blocks.0.ffn.0": (9, 6)})
Matrix = list[list[float]]


def matrix(rows: int, columns: int, draw: random.Random) -> Matrix:
    """Numbers that every format holds exactly: small multiples of 1/8."""
    return [[draw.randint(-16, 16) / 8 for _ in range(columns)] for _ in range(rows)]


def times(b: Matrix, a: Matrix) -> Matrix:
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in zip(*a, strict=True)] for row in b]


def flat(m: Matrix) -> list[float]:
    return [number for row in m for number in row]


def write(path, tensors: dict[str, Matrix | float], dtype="BF16"):
    """A safetensors file of these numbers; a bare number is a scalar."""
    shapes = {name: () if isinstance(m, float) else (len(m), len(m[0])) for name, m in tensors.items()}
    document, _size = header_of(shapes, dtype)
    raw = json.dumps(document).encode()
    data = b"".join(from_floats(array("f", [m] if isinstance(m, float) else flat(m)), dtype) for m in tensors.values())
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)
    return path


def adapter(rank, seed, modules=tuple(BASE.modules)):
    draw = random.Random(seed)
    return {m: (matrix(rank, BASE.modules[m][1], draw), matrix(BASE.modules[m][0], rank, draw)) for m in modules}


def delta_of(folder) -> dict[str, list[float]]:
    """strength * B @ A of every module, as the engine will have it."""
    proof = prove(folder, BASE, None)
    assert proof.ok, proof.errors
    (part,) = proof.parts
    header = read_header(part.file)
    content = part.file.read_bytes()

    def read(key):
        tensor = header.tensors[key]
        numbers = list(to_floats(content[tensor.start : tensor.end], tensor.dtype))
        return [numbers[at : at + tensor.shape[1]] for at in range(0, len(numbers), tensor.shape[1])]

    return {
        pair.module: [part.strength * n for n in flat(times(read(pair.key_b), read(pair.key_a)))] for pair in part.pairs
    }


def expected(*weighted) -> dict[str, list[float]]:
    total: dict[str, list[float]] = {}
    for weights, scale in weighted:
        for module, (a, b) in weights.items():
            delta = [scale * n for n in flat(times(b, a))]
            total[module] = [x + y for x, y in zip(total.get(module, [0.0] * len(delta)), delta, strict=True)]
    return total


def near(found, wanted, tolerance):
    assert found.keys() == wanted.keys()
    for module, numbers in wanted.items():
        largest = max(map(abs, numbers))
        assert all(abs(x - y) <= tolerance * largest for x, y in zip(found[module], numbers, strict=True)), module


def named(weights, form, roles=("A", "B")):
    return {
        form(module).format(role=role): m
        for module, pair in weights.items()
        for role, m in zip(roles, pair, strict=True)
    }


def diffusers(module):
    for ours, theirs in (("self_attn", "attn1"), (".q", ".to_q"), (".o", ".to_out.0"), ("ffn.0", "ffn.net.0.proj")):
        module = module.replace(ours, theirs)
    return "transformer." + module + ".lora_{role}.weight"


FORMATS = {
    "peft": (lambda m: f"base_model.model.{m}.lora_{{role}}.weight", ("A", "B")),
    "diffsynth": (lambda m: f"{m}.lora_{{role}}.default.weight", ("A", "B")),
    "diffusers": (diffusers, ("A", "B")),
    "comfyui": (lambda m: f"diffusion_model.{m}.lora_{{role}}.weight", ("A", "B")),
    "comfyui down": (lambda m: f"diffusion_model.{m}.lora_{{role}}.weight", ("down", "up")),
    "kohya": (lambda m: "lora_unet_" + m.replace(".", "_") + ".lora_{role}.weight", ("down", "up")),
}


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_the_same_update(tmp_path, name, dtype):
    weights = adapter(3, 1)
    path = write(tmp_path / "theirs.safetensors", named(weights, *FORMATS[name]), dtype)
    config = convert([Ingredient(path, alpha=6.0)], BASE, tmp_path / "ours")
    assert (config.dmd_rank, config.lora_alpha, config.target_modules) == (3, 6.0, ("attn", "ffn"))
    near(delta_of(tmp_path / "ours"), expected((weights, 2.0)), 1e-12)


def test_alpha_tensors_of_kohya_and_none_of_them(tmp_path):
    weights = adapter(4, 2)
    tensors = named(weights, *FORMATS["kohya"])
    write(tmp_path / "none.safetensors", tensors)
    convert([Ingredient(tmp_path / "none.safetensors")], BASE, tmp_path / "plain")
    near(delta_of(tmp_path / "plain"), expected((weights, 1.0)), 1e-12)
    alphas = {"lora_unet_" + module.replace(".", "_") + ".alpha": 2.0 for module in weights}
    write(tmp_path / "said.safetensors", tensors | alphas)
    convert([Ingredient(tmp_path / "said.safetensors")], BASE, tmp_path / "half")
    near(delta_of(tmp_path / "half"), expected((weights, 0.5)), 1e-12)


def test_pefts_own_description(tmp_path):
    weights = adapter(4, 3)
    path = write(tmp_path / "adapter_model.safetensors", named(weights, *FORMATS["peft"]))
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 8}))
    convert([Ingredient(path)], BASE, tmp_path / "plain")
    near(delta_of(tmp_path / "plain"), expected((weights, 2.0)), 1e-12)
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 8, "use_rslora": True}))
    convert([Ingredient(path)], BASE, tmp_path / "root")
    near(delta_of(tmp_path / "root"), expected((weights, 4.0)), 1e-12)
    described = {"lora_alpha": 8, "alpha_pattern": {"ffn.0": 16, "n.0": 99}}
    (tmp_path / "adapter_config.json").write_text(json.dumps(described))
    convert([Ingredient(path)], BASE, tmp_path / "pattern")
    special = {"blocks.0.ffn.0": weights.pop("blocks.0.ffn.0")}
    near(delta_of(tmp_path / "pattern"), expected((weights, 2.0), (special, 4.0)), 1e-12)


def test_a_stack_is_the_sum_of_its_adapters(tmp_path):
    one, two = adapter(2, 4), adapter(3, 5, ("blocks.0.self_attn.q",))
    first = write(tmp_path / "one.safetensors", named(one, *FORMATS["kohya"]))
    second = write(tmp_path / "two.safetensors", named(two, *FORMATS["diffusers"]))
    config = convert([Ingredient(first), Ingredient(second, -0.5)], BASE, tmp_path / "stack")
    assert config.dmd_rank == 5
    near(delta_of(tmp_path / "stack"), expected((one, 1.0), (two, -0.5)), 1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [("F32", 1e-6), ("F16", 2**-10), ("BF16", 2**-7)])
def test_a_strength_that_is_no_power_of_two_costs_one_rounding(tmp_path, dtype, tolerance):
    one, two = adapter(2, 6), adapter(2, 7)
    first = write(tmp_path / "one.safetensors", named(one, *FORMATS["kohya"]), dtype)
    second = write(tmp_path / "two.safetensors", named(two, *FORMATS["kohya"]), dtype)
    convert([Ingredient(first), Ingredient(second, 0.7)], BASE, tmp_path / "stack")
    near(delta_of(tmp_path / "stack"), expected((one, 1.0), (two, 0.7)), tolerance)


def test_mixed_types_become_the_widest(tmp_path):
    one, two = adapter(2, 8), adapter(2, 9)
    first = write(tmp_path / "one.safetensors", named(one, *FORMATS["kohya"]), "F16")
    second = write(tmp_path / "two.safetensors", named(two, *FORMATS["kohya"]), "BF16")
    convert([Ingredient(first), Ingredient(second)], BASE, tmp_path / "stack")
    near(delta_of(tmp_path / "stack"), expected((one, 1.0), (two, 1.0)), 1e-12)
    header = read_header(tmp_path / "stack" / "dmd_lora.safetensors")
    assert {tensor.dtype for tensor in header.tensors.values()} == {"F32"}


def test_mixed_ranks_in_one_file(tmp_path):
    tensors = adapter(2, 10, ("blocks.0.self_attn.q",)) | adapter(4, 11, ("blocks.0.ffn.0",))
    path = write(tmp_path / "x.safetensors", named(tensors, *FORMATS["kohya"]))
    assert convert([Ingredient(path)], BASE, tmp_path / "ours").dmd_rank == 4
    near(delta_of(tmp_path / "ours"), expected((tensors, 1.0)), 1e-12)


def test_what_cannot_be_read_is_refused(tmp_path):
    weights = adapter(2, 12)
    path = tmp_path / "x.safetensors"
    good = named(weights, *FORMATS["peft"])

    def refused(tensors, code, dtype="BF16"):
        write(path, tensors, dtype)
        with pytest.raises(Problem) as caught:
            read_foreign(path, BASE, 2.0)
        assert caught.value.finding.code == code

    refused(good | {"blocks.9.self_attn.q.lora_A.weight": [[1.0]]}, "LORA015")
    refused(good | {"blocks.0.ffn.0.diff_b": [[1.0]]}, "LORA015")
    refused({}, "LORA015")
    refused(dict(list(good.items())[:3]), "LORA016")
    refused(good | {next(iter(good)): [[1.0] * 3] * 2}, "LORA017")
    write(path, good)
    with pytest.raises(Problem) as caught:
        read_foreign(path, BASE)
    assert caught.value.finding.code == "LORA019"
    with pytest.raises(Problem):
        read_foreign(write(path, good), DIT, 2.0)
    with pytest.raises(ValueError):
        convert([Ingredient(path, 0.0)], BASE, tmp_path / "none")


FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**100), max_value=2.0**100)


@given(st.lists(FINITE, max_size=20), st.sampled_from(["BF16", "F32"]), st.integers(-3, 0))
def test_powers_of_two_change_no_digit(numbers, dtype, power):
    stored = from_floats(array("f", numbers), dtype)
    exact = [number for number in to_floats(stored, dtype) if abs(number) > 1e-30 or number == 0]
    stored = from_floats(array("f", exact), dtype)
    assert list(to_floats(scaled(stored, dtype, 2.0**power), dtype)) == [number * 2.0**power for number in exact]


@given(st.lists(FINITE, max_size=20))
def test_rounding_to_bf16_is_to_the_nearest(numbers):
    for number, rounded in zip(numbers, to_floats(from_floats(array("f", numbers), "BF16"), "BF16"), strict=True):
        assert abs(rounded - number) <= max(abs(number) * 2**-8, 2.0**-134)
