"""Rotary positions: upstream's layout and rounding, relativity, and no end."""

import numpy as np
import pytest
import torch

from engine.model.rope import (
    apply_rope,
    axis_pairs,
    condition_positions,
    motion_positions,
    noisy_positions,
    reference_frame,
    rope_table,
)

FAR = (45_000, 10_000_000)


def test_a_head_is_shared_among_time_rows_and_columns_as_upstream_does() -> None:
    assert axis_pairs(128) == (22, 21, 21)
    assert axis_pairs(32) == (6, 5, 5)
    assert axis_pairs(16) == (4, 2, 2)


def test_angles_are_positions_times_frequencies_of_each_axis() -> None:
    table = rope_table(torch.tensor([[7, 3, 5]]), 128)[0].numpy()
    dims = np.array([44] * 22 + [42] * 42)
    index = np.concatenate([np.arange(22), np.arange(21), np.arange(21)])
    position = np.array([7] * 22 + [3] * 21 + [5] * 21)
    angle = position * 10000.0 ** (-2 * index / dims)
    np.testing.assert_allclose(table, np.stack((np.cos(angle), np.sin(angle)), -1), atol=1e-6)


def test_rounding_is_that_of_half_floats_and_off_by_default() -> None:
    positions = noisy_positions(9, 4, 4)
    exact, rounded = rope_table(positions, 32), rope_table(positions, 32, rounded=True)
    assert torch.equal(rounded, exact.half().float())
    assert 1e-5 < (rounded - exact).abs().max() < 2.5e-4


def test_negative_frames_turn_backwards() -> None:
    ahead, behind = rope_table(torch.tensor([[19, 0, 0], [-19, 0, 0]]), 32)
    torch.testing.assert_close(behind, ahead * torch.tensor([1.0, -1.0]))


def test_condition_positions_are_reference_then_motion_by_age() -> None:
    positions = condition_positions(30, 8, 12)
    assert positions.shape == (96 + 96 + 24 + 4 * 6, 3)
    assert positions[:, 0].unique_consecutive().tolist() == [30, -1, -3, -19, -14, -9, -4]
    half = positions[192 : 192 + 24]
    assert half[:, 1].unique().tolist() == [0, 2, 4, 7]  # trunc(linspace(0, 7, 4))
    assert half[:6, 2].tolist() == [0, 2, 4, 6, 8, 11]
    assert motion_positions(8, 12).shape == (96 + 24 + 24, 3)


def test_noisy_positions_count_frames_rows_columns() -> None:
    positions = noisy_positions(6, 2, 3)
    assert positions.shape == (18, 3)
    assert positions[0].tolist() == [6, 0, 0]
    assert positions[4].tolist() == [6, 1, 1]
    assert positions[-1].tolist() == [8, 1, 2]


@pytest.mark.parametrize("distance", [4, 17, 30])
def test_the_reference_stands_still_then_stays_ahead(distance: int) -> None:
    assert reference_frame(0, distance) == 30
    assert reference_frame(30 - distance, distance) == 30
    assert reference_frame(31 - distance, distance) == 31
    assert reference_frame(10_000_000, distance) == 10_000_000 + distance


def scores(first_frame: int) -> torch.Tensor:
    """Unscaled attention of two blocks three frames apart."""
    generator = torch.Generator().manual_seed(1)
    query, key = torch.randn(2, 12, 4, 32, generator=generator)
    query = apply_rope(query, rope_table(noisy_positions(first_frame + 3, 2, 2), 32))
    key = apply_rope(key, rope_table(noisy_positions(first_frame, 2, 2), 32))
    return torch.einsum("qhd,khd->hqk", query, key)


@pytest.mark.parametrize("frame", FAR)
def test_attention_among_noisy_tokens_depends_on_distance_only_however_far(frame: int) -> None:
    torch.testing.assert_close(scores(frame), scores(0), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("frame", FAR)
def test_neighbouring_frames_stay_apart_however_far(frame: int) -> None:
    table = rope_table(noisy_positions(frame, 1, 1), 32)
    assert table.isfinite().all()
    assert (table[1] - table[0]).abs().max() > 0.1


def test_turning_keeps_lengths_dtype_and_batch() -> None:
    x = torch.randn(2, 12, 4, 32)
    table = rope_table(noisy_positions(5, 2, 2), 32)
    turned = apply_rope(x, table)
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    torch.testing.assert_close(apply_rope(x, table.expand(2, -1, -1, -1)), turned)
    assert apply_rope(x.bfloat16(), table).dtype == torch.bfloat16
