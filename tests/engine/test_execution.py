"""Ways of computing: each gives what the plain way gives, as near as its numbers allow."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.cache import Narrow, Ring, Shape
from engine.compiling import compile_blocks
from engine.conditioning import Condition
from engine.execution import Execution
from engine.fp8 import narrow, narrowed
from engine.model.attention import KeyValue, attend, attend_parts
from engine.model.dit import DiT
from engine.randomness import CounterDraws
from engine.rollout import Turn, rollout
from engine.sampler import schedule, sigmas
from tests.engine.test_rollout import make_condition, speech
from tests.engine.tiny_dit import CONFIG, make_dit

torch.set_num_threads(1)
SIXTEENS = replace(CONFIG, dim=64, ffn_dim=128)


def made(execution: Execution, dit: DiT | None = None, blocks: int = 6, passes: int | None = None) -> Tensor:
    dit = make_dit(SIXTEENS) if dit is None else dit
    parts = rollout(dit, make_condition(dit), speech(blocks), CounterDraws(1), 4, passes=passes, execution=execution)
    return torch.cat([block.latents for block in parts], dim=2)


def distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


@torch.no_grad()
def test_attention_over_parts_with_empty_places_is_attention_over_what_is_there() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, n, 3, 8, generator=generator) for n in (5, 11, 11))
    nothing = torch.zeros(2, 4, 3, 8)
    first = KeyValue(torch.cat((key[:, :6], nothing), 1), torch.cat((value[:, :6], nothing), 1))
    second = KeyValue(torch.cat((key[:, 6:], nothing), 1), torch.cat((value[:, 6:], nothing), 1))
    for strength in (0.01, 1.0, 8.0):
        found = attend_parts(query * strength, (first, second), torch.tensor(8.0))
        torch.testing.assert_close(found, attend(query * strength, key, value), atol=1e-5, rtol=1e-5)


def test_padded_keys_change_nothing() -> None:
    torch.testing.assert_close(made(Execution(key_multiple=128)), made(Execution()), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_compiled_blocks_compute_what_plain_ones_do() -> None:
    dit = make_dit(SIXTEENS)
    compile_blocks(dit)
    found = made(Execution(compiled=True, key_multiple=128), dit, blocks=5)
    torch.testing.assert_close(found, made(Execution(), blocks=5), atol=1e-4, rtol=1e-4)


def test_a_ring_of_eight_bits_is_near_and_a_third_the_size() -> None:
    assert 1e-6 < distance(made(Execution(narrow_cache=True)), made(Execution())) < 0.02
    like, shape = torch.empty(0, dtype=torch.bfloat16), Shape(layers=2, batch=1, heads=4, width=128)
    narrow_ring, exact = (Ring(shape, 10, like, narrow=one) for one in (True, False))
    assert isinstance(narrow_ring.layers[0], Narrow)
    key = torch.randn(1, 3, 4, 128).to(torch.bfloat16)
    for ring in (narrow_ring, exact):
        ring.layers[1].put(torch.tensor([9, 0, 4]), key, -key)
    found, expected = narrow_ring.layers[1].read(), exact.layers[1].read()
    assert found.key.dtype == torch.bfloat16
    torch.testing.assert_close(found.value, expected.value, atol=0.2, rtol=0.07)
    assert not found.key[:, 1].any()
    narrow_ring.clear()
    assert not narrow_ring.layers[1].read().key.any()


def test_weights_of_eight_bits_are_near() -> None:
    dit = make_dit(SIXTEENS)
    weights = {name: tensor.clone() for name, tensor in dit.state_dict().items()}
    narrow(dit.blocks)
    narrow(dit.audio_injector)
    for name, linear in narrowed(dit).items():
        linear.hold(weights[name])
    assert 1e-4 < distance(made(Execution(), dit), made(Execution())) < 0.1


def test_the_last_of_four_passes_may_be_left_out() -> None:
    assert schedule(4) == sigmas(4)
    assert schedule(4, 3) == (*sigmas(4)[:3], 0.0)
    four, three = made(Execution(), blocks=3), made(Execution(), blocks=3, passes=3)
    # The rule is exact in the velocities: 0.0089 of what the last one differs by.
    assert 0 < distance(three, four) < 0.02


def turned(at: int, turn: Callable[[Condition], Turn], blocks: int = 7) -> list[tuple[bool, Tensor]]:
    """A rollout that is asked for something before block `at`."""
    dit = make_dit(replace(CONFIG, anchor_update=True))
    condition = make_condition(dit)
    asked = iter([None] * at + [turn(make_condition(dit))] + [None] * blocks)
    parts = rollout(dit, condition, speech(blocks), CounterDraws(1), 4, turn=lambda: next(asked))
    return [(block.begins, block.latents) for block in parts]


def test_a_restart_is_a_cold_start_on_the_rest_of_the_speech() -> None:
    found = turned(2, lambda condition: Turn(condition, restart=True))
    assert [begins for begins, _ in found] == [True, False, True, False, False, False, False]
    dit = make_dit(replace(CONFIG, anchor_update=True))
    cold = rollout(dit, make_condition(dit), speech(7)[2:], CounterDraws(1), 4)
    for (_begins, latents), block in zip(found[2:], cold, strict=True):
        assert torch.equal(latents, block.latents)


def test_to_go_on_with_the_same_condition_is_to_go_on() -> None:
    plain = turned(99, Turn)
    for at in (2, 6):
        found = turned(at, Turn)
        assert not any(begins for begins, _ in found[1:])
        for (_, latents), (_, expected) in zip(found, plain, strict=True):
            assert torch.equal(latents, expected)


def test_to_go_on_with_another_is_seen_from_the_next_block_on() -> None:
    other = turned(2, lambda condition: Turn(replace(condition, reference=condition.reference + 1)))
    plain = turned(99, Turn)
    same = [torch.equal(one, two) for (_, one), (_, two) in zip(other, plain, strict=True)]
    assert same == [True, True, *[False] * 5]
