"""The loop: against upstream's recorded latents, against a plain reference, long, batched, seeded."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.cache import RING_BLOCKS
from engine.conditioning import Condition
from engine.model.attention import KeyValue, attend
from engine.model.dit import DiT
from engine.model.rope import apply_rope, condition_positions, noisy_positions, reference_frame, rope_table
from engine.randomness import CounterDraws, UpstreamDraws
from engine.rollout import Denoiser, rollout
from engine.sampler import schedule, sigmas, timesteps
from tests.engine.tiny_dit import CONFIG, golden_dit, make_dit

GOLDEN = Path(__file__).parent / "goldens" / "pipeline" / "offline.safetensors"
torch.set_num_threads(1)


def make_condition(dit: DiT, batch: int = 1) -> Condition:
    generator = torch.Generator().manual_seed(5)
    motion = torch.randn(batch, CONFIG.in_dim, 19, 16, 16, generator=generator)
    reference = torch.randn(batch, CONFIG.in_dim, 1, 16, 16, generator=generator)
    context = torch.randn(batch, 5, CONFIG.text_dim, generator=generator)
    with torch.no_grad():
        return Condition(dit.text_kv(dit.embed_text(context)), reference, motion)


def speech(blocks: int, batch: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(6)
    return list(torch.randn(blocks, batch, CONFIG.audio_layers, CONFIG.audio_dim, 12, generator=generator))


def latents(dit: DiT, condition: Condition, audio: list[Tensor], seed: int = 1, **options: bool) -> list[Tensor]:
    return [block.latents for block in rollout(dit, condition, audio, CounterDraws(seed), 4, **options)]


@pytest.mark.parametrize(("rounded", "tolerance"), [(True, 1e-4), (False, 2e-4)])
def test_latents_are_upstreams(rounded: bool, tolerance: float) -> None:
    golden = load_file(GOLDEN)
    dit = golden_dit()
    with torch.no_grad():
        text = dit.text_kv(dit.embed_text(golden["context"][None]))
    condition = Condition(text, golden["sink_ref0"], golden["sink_motion0_last19"])
    draws = UpstreamDraws(420, 4)
    assert torch.equal(draws.noise(6, (16, 3, 8, 16)), golden["noise.block6"])
    assert [draws.distance(i // 4, i % 4) for i in range(32)] == golden["rope.relative_dist"].tolist()
    audio = [golden[f"audio.block{block}"] for block in range(8)]
    blocks = rollout(dit, condition, audio, draws, 4, anchor_update=False, rounded=rounded)
    found = torch.cat([block.latents for block in blocks], dim=2)
    torch.testing.assert_close(found, golden["latents"], atol=tolerance, rtol=0)


def plain_prefill(dit: DiT, condition: Condition) -> list[KeyValue]:
    """Un-roped keys, and values, of the condition tokens in every layer."""
    sink: list[KeyValue] = []
    table = rope_table(condition_positions(30, *condition.grid), dit.config.head_dim)

    def keep(_layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        sink.append(KeyValue(key, value))
        return attend(apply_rope(query, table), apply_rope(key, table), value)

    tokens = dit.condition_tokens(condition.reference, condition.motion)
    dit.prefill(tokens, dit.modulate(torch.zeros(1, 1)), condition.text, keep)
    return sink


@torch.no_grad()
def plain_rollout(
    dit: DiT, condition: Condition, audio: list[Tensor], seed: int, anchor: bool = False
) -> Iterator[Tensor]:
    """SPEC sections 4 and 5 with lists and `cat`: nothing kept roped but the ring, the condition roped every time."""
    draws, levels, width = CounterDraws(seed), sigmas(4), dit.config.head_dim
    sink: list[KeyValue] = plain_prefill(dit, condition)
    made: list[Tensor] = []
    rings: list[list[list[tuple[Tensor, Tensor]]]] = [[[] for _ in dit.blocks] for _ in range(4)]
    for block, features in enumerate(audio):
        if anchor and block == 4:
            sink = plain_prefill(dit, replace(condition, reference=made[0][:, :, :1]))
        table = rope_table(noisy_positions(3 * block, *condition.grid), width)
        injections = dit.audio_injections(dit.encode_audio(features))
        x = draws.noise(block, (CONFIG.in_dim, 3, 16, 16))[None]
        for step in range(4):
            frame = reference_frame(3 * block, draws.distance(block, step))
            fixed = rope_table(condition_positions(frame, *condition.grid), width)
            ring = rings[step]

            def attention(
                layer: int, q: Tensor, k: Tensor, v: Tensor, ring=ring, table=table, fixed=fixed, sink=sink
            ) -> Tensor:
                ring[layer] = [*ring[layer], (apply_rope(k, table), v)][-4:]
                keys = [*(past[0] for past in ring[layer]), apply_rope(sink[layer].key, fixed)]
                values = [*(past[1] for past in ring[layer]), sink[layer].value]
                return attend(apply_rope(q, table), torch.cat(keys, 1), torch.cat(values, 1))

            time = dit.modulate(timesteps(levels)[step].view(1, 1))
            x = x + (levels[step + 1] - levels[step]) * dit(x, time, condition.text, injections, attention)
        made.append(x)
        yield x


def test_rings_equal_lists() -> None:
    dit = make_dit()
    condition, audio = make_condition(dit), speech(11)
    plain = list(plain_rollout(dit, condition, audio, seed=1))
    for found, expected in zip(latents(dit, condition, audio), plain, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_batch_is_its_members() -> None:
    dit = make_dit()
    condition, audio = make_condition(dit, batch=2), speech(6, batch=2)
    together = latents(dit, condition, audio)
    for member in range(2):
        part = slice(member, member + 1)
        text = [type(pair)(pair.key[part], pair.value[part]) for pair in condition.text]
        alone = Condition(text, condition.reference[part], condition.motion[part])
        for whole, single in zip(together, latents(dit, alone, [a[part] for a in audio]), strict=True):
            torch.testing.assert_close(whole[part], single, atol=1e-4, rtol=1e-4)


def test_same_seed_same_bits_other_seed_other_video() -> None:
    dit = make_dit()
    condition, audio = make_condition(dit), speech(5)
    once, again, other = (latents(dit, condition, audio, seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
    assert not torch.equal(once[0], other[0])


def test_blocks_come_as_audio_comes_and_know_nothing_of_its_end() -> None:
    dit = make_dit()
    condition, audio = make_condition(dit), speech(4)
    taken: list[int] = []

    def microphone() -> Iterator[Tensor]:
        for index, features in enumerate(audio):
            taken.append(index)
            yield features

    stream = rollout(dit, condition, microphone(), CounterDraws(1), 4)
    first = next(stream)
    assert taken == [0]
    assert (first.index, first.latents.shape) == (0, (1, CONFIG.in_dim, 3, 16, 16))
    assert torch.equal(first.latents, latents(dit, condition, audio[:1])[0])


def test_the_anchor_becomes_the_first_generated_frame_from_clip_one_on() -> None:
    dit = make_dit(replace(CONFIG, anchor_update=True))
    condition, audio = make_condition(dit), speech(6)
    moved, held = latents(dit, condition, audio), latents(dit, condition, audio, anchor_update=False)
    assert all(torch.equal(moved[block], held[block]) for block in range(4))
    assert (moved[4] - held[4]).abs().max() > 1e-3
    for found, expected in zip(moved, plain_rollout(dit, condition, audio, seed=1, anchor=True), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("block", [15_000, 3_333_333])
def test_positions_never_run_out(block: int) -> None:
    """Latent frames 45,000 (where upstream's table ends, after two hours) and 10,000,000 (after eighteen days)."""
    dit = make_dit()
    denoiser = Denoiser(dit, make_condition(dit), schedule(1))
    draws, features = CounterDraws(1), speech(1)[0]
    for index in [*range(RING_BLOCKS), *range(block, block + RING_BLOCKS)]:
        noise = draws.noise(index, (CONFIG.in_dim, 3, 16, 16))
        x = denoiser.denoise(index, features, noise, [7])
    assert x.isfinite().all()
    assert 0.1 < (x - noise).std() < 10


def test_a_block_sees_three_blocks_back_and_no_more() -> None:
    dit = make_dit()
    condition, audio = make_condition(dit), speech(10)
    changed = [audio[0] + 1, *audio[1:]]
    # What block 0 heard reaches block 3 directly and later ones only through what it changed: less and less.
    pairs = zip(latents(dit, condition, audio), latents(dit, condition, changed), strict=True)
    effect = [float((a - b).abs().mean()) for a, b in pairs]
    assert effect[0] > effect[3] > 0


def test_the_hot_loop_asks_the_device_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a tensor's value stalls a GPU; on a CPU it costs nothing, so forbid it by name."""
    dit = make_dit()
    stream = rollout(dit, make_condition(dit), speech(4), CounterDraws(1), 4)
    next(stream)

    def refuse(*_arguments: object) -> None:
        raise AssertionError("a tensor's value was read inside the loop")

    for name in ("item", "tolist", "__bool__", "__int__", "__float__", "__index__", "numpy", "cpu"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    assert [block.index for block in stream] == [1, 2, 3]
