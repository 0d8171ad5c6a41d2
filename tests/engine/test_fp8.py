"""Numbers of eight bits: rounding by rows, linears that hold them, models loaded into them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engine.checkpoint_layout import find_layout
from engine.execution import Execution
from engine.fp8 import CODE, LARGEST, Fp8Linear, Rows, narrow, narrowed, to_rows
from engine.load import Models
from engine.weights import Weights
from tests.engine.tiny_run import CHECKPOINT

torch.set_num_threads(1)
STEP = 2.0**-4
"""Largest relative error of three bits of mantissa: half a step of an eighth."""


@given(st.integers(0, 2**16), st.floats(1e-6, 1e6))
@settings(max_examples=30, deadline=None)
def test_a_row_is_rounded_to_its_own_largest_number(seed: int, size: float) -> None:
    x = torch.randn(3, 64, generator=torch.Generator().manual_seed(seed)) * torch.tensor([[1.0], [size], [1e-3]])
    rows = to_rows(x)
    assert rows.codes.dtype == CODE
    assert torch.equal(rows.codes.float().abs().amax(1), torch.full((3,), LARGEST))
    error = (rows.wide(torch.float32) - x).abs() / x.abs().amax(1, keepdim=True)
    assert error.max() <= STEP


def test_a_row_of_zeros_stays_zeros() -> None:
    assert not to_rows(torch.zeros(2, 16)).wide(torch.float32).any()


def test_a_linear_of_eight_bits_is_near_the_one_it_stands_for() -> None:
    torch.manual_seed(0)
    exact = nn.Linear(64, 32)
    near = Fp8Linear(64, 32, exact.bias.data)
    near.hold(exact.weight.data)
    x = torch.randn(2, 5, 64)
    with torch.no_grad():
        expected = exact(x)
        found = near(x)
    assert found.shape == (2, 5, 32)
    assert 1e-4 < (found - expected).norm() / expected.norm() < 0.05
    assert torch.equal(near(to_rows(x)), found), "an input that is rounded already is the same input"


def test_storage_stays_when_another_weight_is_held() -> None:
    linear = Fp8Linear(16, 16, torch.zeros(16))
    place = linear.codes.data_ptr()
    linear.hold(torch.eye(16))
    assert linear.codes.data_ptr() == place
    assert torch.equal(Rows(linear.codes, linear.scale.view(-1, 1)).wide(torch.float32), torch.eye(16))


def test_only_linears_that_the_matrix_unit_takes_are_replaced() -> None:
    model = nn.Sequential(nn.Linear(16, 32), nn.ModuleDict({"inner": nn.Linear(32, 16)}), nn.Linear(16, 3))
    narrow(model)
    assert sorted(narrowed(model)) == ["0.weight", "1.inner.weight"]
    assert isinstance(model[2], nn.Linear)


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(find_layout(CHECKPOINT), Execution(narrow_weights=True))


def test_a_checkpoint_is_rounded_as_it_arrives(models: Models) -> None:
    stored = Weights(models.layout.dit_files)
    held = narrowed(models.dit)
    blocks = [name for name in stored if name.startswith("blocks.") and name.endswith("weight") and ".norm" not in name]
    assert set(blocks) <= held.keys()
    assert all(name.startswith(("blocks.", "audio_injector.")) for name in held)
    for name, linear in held.items():
        expected = to_rows(stored[name])
        assert torch.equal(linear.codes.view(torch.uint8), expected.codes.view(torch.uint8))
        assert torch.equal(linear.scale.flatten(), expected.scale.flatten())
    assert isinstance(models.dit.text_embedding[0], nn.Linear)
