"""Merging adapters: equal to upstream's merge, and never a trace of one adapter in the next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.lora import ActiveWeights, Delta, materialise
from engine.model.config import DiTConfig
from engine.model.dit import DiT
from engine.weights import Weights
from lora_repository.base import BaseTable
from lora_repository.proof import PartProof, prove

GOLDENS = Path(__file__).parent / "goldens"
TINY = DiTConfig(
    dim=64,
    ffn_dim=128,
    freq_dim=32,
    num_heads=4,
    num_layers=4,
    text_dim=48,
    text_len=24,
    audio_dim=32,
    audio_inject_layers=(0, 2, 3),
)


def contract(folder: Path, tensors: Mapping[str, Tensor], rank: int, alpha: float) -> Path:
    feed_forward = ["ffn"] if any(".ffn." in name for name in tensors) else []
    folder.mkdir()
    save_file(dict(tensors), folder / "dmd_lora.safetensors")
    config = {"r": rank, "lora_alpha": alpha, "target_modules": ["attn", *feed_forward], "dmd_rank": rank}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def table(model: nn.Module) -> BaseTable:
    linears = {name: part for name, part in model.named_modules() if isinstance(part, nn.Linear)}
    return BaseTable("tiny", {name: (part.out_features, part.in_features) for name, part in linears.items()})


def parts_of(folder: Path, model: nn.Module) -> tuple[PartProof, ...]:
    proof = prove(folder, table(model), None)
    assert proof.ok, proof.findings
    return proof.parts


def bits(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Little(nn.Module):
    """Two linears and their names, as small as a base model can be."""

    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Linear(6, 4)
        self.o = nn.Linear(4, 6)


def adapter(model: nn.Module, seed: int, rank: int, only: str | None = None) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    tensors = {}
    for module, (rows, columns) in table(model).modules.items():
        if only in (None, module):
            tensors[f"{module}.lora_A.default.weight"] = torch.randn(rank, columns, generator=draw)
            tensors[f"{module}.lora_B.default.weight"] = torch.randn(rows, rank, generator=draw)
    return tensors


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=["f32", "bf16"])
def little(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Little, ActiveWeights]:
    torch.manual_seed(1)
    model = Little().to(request.param)
    save_file(bits(model), tmp_path / "base.safetensors")
    return model, ActiveWeights(model, Weights([tmp_path / "base.safetensors"]))


def test_the_merge_equals_upstreams_to_the_last_bit(tmp_path: Path) -> None:
    golden = load_file(GOLDENS / "lora_tiny_merged.safetensors")
    said = json.loads((GOLDENS / "lora_tiny.json").read_text())
    model = DiT(TINY)
    known = {name.removeprefix("base."): tensor for name, tensor in golden.items() if name.startswith("base.")}
    model.load_state_dict(known, strict=False)
    before = bits(model)
    lora = contract(tmp_path / "lora", load_file(GOLDENS / "lora_tiny.safetensors"), said["rank"], said["alpha"])
    assert ActiveWeights(model, {}).apply(parts_of(lora, model)) == said["n_target_modules"] == 52
    after = bits(model)
    assert sorted(name for name in after if not torch.equal(after[name], before[name])) == sorted(
        said["changed_weights"]
    )
    for name in known:
        assert torch.equal(after[name], golden[f"merged.{name}"]), name


def test_a_swap_is_bit_identical_to_a_cold_start(little: tuple[Little, ActiveWeights], tmp_path: Path) -> None:
    model, active = little
    base = bits(model)
    a = parts_of(contract(tmp_path / "a", adapter(model, 1, 2), 2, 3), model)
    b = parts_of(contract(tmp_path / "b", adapter(model, 2, 4, only="q"), 4, 4), model)
    active.apply(a)
    cold_a = bits(model)
    active.apply(b)
    cold_b = bits(model)
    assert torch.equal(cold_b["o.weight"], base["o.weight"]), "the second adapter leaves o alone"
    for stack, expected in ((a, cold_a), (b, cold_b), (a, cold_a), ((), base), (a, cold_a)):
        active.apply(stack)
        assert same(bits(model), expected)
    assert not same(cold_a, base) and not same(cold_a, cold_b)


def test_a_stack_is_the_sum_of_its_adapters_in_order(little: tuple[Little, ActiveWeights], tmp_path: Path) -> None:
    model, active = little
    base = bits(model)
    one, two = adapter(model, 1, 2), adapter(model, 2, 3)
    stack = [
        *parts_of(contract(tmp_path / "a", one, 2, 1), model),
        *parts_of(contract(tmp_path / "b", two, 3, 6), model),
    ]
    assert active.apply(stack) == 2
    for module in ("q", "o"):
        first, second = (
            tensors[f"{module}.lora_B.default.weight"] @ tensors[f"{module}.lora_A.default.weight"]
            for tensors in (one, two)
        )
        expected = (base[f"{module}.weight"].float() + first * 0.5 + second * 2.0).to(base[f"{module}.weight"].dtype)
        assert torch.equal(model.get_parameter(f"{module}.weight"), expected)
    assert torch.equal(model.q.bias, base["q.bias"])


def test_rounding_happens_once(tmp_path: Path) -> None:
    base = torch.tensor([[256.0]], dtype=torch.bfloat16)
    half = Delta(torch.ones(1, 1), torch.ones(1, 1), 0.6)
    # Twice 0.6 on 256 is lost if rounded after each (bf16 steps by 2 there), and is 258 if rounded once: 257.2 -> 258.
    assert materialise(base, [half, half]).item() == 258
    assert materialise(materialise(base, [half]), [half]).item() == 256


def test_a_strength_of_nothing_touches_nothing(little: tuple[Little, ActiveWeights], tmp_path: Path) -> None:
    model, active = little
    base = bits(model)
    part = parts_of(contract(tmp_path / "a", adapter(model, 1, 2), 2, 3), model)[0]
    none = replace(part, strength=0.0)
    assert active.apply([none]) == 0
    assert same(bits(model), base)


def test_storage_stays_in_place(little: tuple[Little, ActiveWeights], tmp_path: Path) -> None:
    model, active = little
    address = model.q.weight.data_ptr()
    active.apply(parts_of(contract(tmp_path / "a", adapter(model, 1, 2), 2, 3), model))
    assert model.q.weight.data_ptr() == address and model.q.weight.requires_grad


def test_a_swap_that_breaks_off_can_be_undone(little: tuple[Little, ActiveWeights], tmp_path: Path) -> None:
    model, active = little
    base = bits(model)
    part = parts_of(contract(tmp_path / "a", adapter(model, 1, 2), 2, 3), model)[0]
    wrong = replace(part, pairs=(part.pairs[0], replace(part.pairs[1], key_a="gone")))
    with pytest.raises(Exception, match="gone"):
        active.apply([wrong])
    active.apply([])
    assert same(bits(model), base)


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.floats(-2, 2), st.integers(0, 2**16))
def test_materialise_is_the_formula(rank: int, rows: int, columns: int, strength: float, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    base = torch.randn(rows, columns, generator=draw)
    kept = base.clone()
    delta = Delta(torch.randn(rank, columns, generator=draw), torch.randn(rows, rank, generator=draw), strength)
    exact = base.double() + strength * (delta.b.double() @ delta.a.double())
    assert torch.allclose(materialise(base, [delta]).double(), exact, atol=1e-5)
    assert torch.equal(base, kept), "the base is not written to"
    assert torch.equal(materialise(base, []), base)
