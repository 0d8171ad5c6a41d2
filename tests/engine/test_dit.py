"""The diffusion transformer: upstream's names and shapes, its parts against plain ones, batches, gradients, dtypes."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from engine.model.attention import attend
from engine.model.audio_encoder import CausalAudioEncoder
from engine.model.config import DiTConfig
from engine.model.dit import DiT
from engine.model.framepack import FramePacker, Patches
from lora_repository.finding import Problem
from tests.engine.tiny_dit import CONFIG, make_dit

GOLDENS = Path(__file__).parent / "goldens"
torch.set_num_threads(1)


def plain_attention(_layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return attend(query, key, value)


def arguments(dit: DiT, batch: int, frames: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Latents, times, text rows, audio features, all different."""
    generator = torch.Generator().manual_seed(batch)
    config = dit.config
    latents = torch.randn(batch, config.in_dim, frames, 8, 16, generator=generator)
    times = torch.rand(batch, frames, generator=generator) * 1000
    context = torch.randn(batch, 5, config.text_dim, generator=generator)
    features = torch.randn(batch, config.audio_layers, config.audio_dim, 4 * frames, generator=generator)
    return latents, times, context, features


def velocity(dit: DiT, latents: Tensor, times: Tensor, context: Tensor, features: Tensor) -> Tensor:
    text = dit.text_kv(dit.embed_text(context))
    audio = dit.audio_injections(dit.encode_audio(features))
    return dit(latents, dit.modulate(times), text, audio, plain_attention)


def test_the_14b_config_has_upstreams_names_and_shapes() -> None:
    expected: dict[str, list[int]] = {}
    for name, entry in json.loads((GOLDENS / "dit" / "state_dict_14b.json").read_text()).items():
        numbers = range(entry["count"]) if "*" in name else [0]
        expected |= {name.replace("*", str(number)): entry["shape"] for number in numbers}
    with torch.device("meta"):
        found = {name: list(tensor.shape) for name, tensor in DiT(DiTConfig()).state_dict().items()}
    assert len(expected) == 1260
    assert found == expected


def test_the_14b_model_runs_at_704x384_without_reading_a_value() -> None:
    """On the meta device there are shapes and no numbers, so whatever asks for one fails."""
    config = DiTConfig()
    with torch.device("meta"):
        dit = DiT(config).to(torch.bfloat16)
        latents, context = torch.empty(1, 16, 3, 48, 88), torch.empty(1, 20, 4096)
        tokens = dit.condition_tokens(latents[:, :, :1], torch.empty(1, 16, 19, 48, 88))
        text, time = dit.text_kv(dit.embed_text(context)), dit.modulate(torch.empty(1, 1))
        audio = dit.audio_injections(dit.encode_audio(torch.empty(1, 25, 1024, 12)))
        dit.prefill(tokens, time, text, plain_attention)
        out = dit(latents, time, text, audio, plain_attention)
    assert tokens.shape == (1, config.condition_tokens(48, 88), 5120) == (1, 2640, 5120)
    assert config.tokens_per_frame(48, 88) == 1056
    assert out.shape == latents.shape
    assert text[0].key.dtype == audio[0].context.key.dtype == torch.bfloat16


@torch.no_grad()
def test_patches_are_a_convolution_whose_step_is_its_kernel() -> None:
    patches = Patches(3, 8, (2, 4, 4))
    video = torch.randn(2, 3, 5, 9, 12)
    plain = functional.conv3d(video, patches.weight, patches.bias, stride=(2, 4, 4)).flatten(2).transpose(1, 2)
    torch.testing.assert_close(patches(video), plain, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_motion_tokens_are_newest_first_and_coarser_with_age() -> None:
    packer = FramePacker(4, 8)
    motion = torch.randn(1, 4, 23, 16, 16)
    near, middle, far = motion[:, :, -1:], motion[:, :, -3:-1], motion[:, :, -19:-3]
    plain = [
        nn.Conv3d.forward(conv, part).flatten(2).transpose(1, 2)
        for conv, part in ((packer.proj, near), (packer.proj_2x, middle), (packer.proj_4x, far))
    ]
    assert [part.shape[1] for part in plain] == [64, 16, 16]
    torch.testing.assert_close(packer(motion), torch.cat(plain, dim=1), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_missing_motion_is_zeros_in_front() -> None:
    packer = FramePacker(4, 8)
    motion = torch.randn(1, 4, 2, 16, 16)
    assert torch.equal(packer(motion), packer(torch.cat((torch.zeros(1, 4, 17, 16, 16), motion), dim=2)))


def long_way_round(encoder: CausalAudioEncoder, features: Tensor) -> tuple[Tensor, Tensor]:
    """SPEC section 3 word by word for one block: the first frame repeated 73 times, 22 outputs, 19 dropped."""
    weights = functional.silu(encoder.weights)
    mixed = (features * weights).sum(1) / weights.sum(1)
    mixed = torch.cat((mixed[:, :, :1].expand(-1, -1, 73), mixed), dim=2)
    parts = encoder.encoder

    def conv(layer: nn.Module, x: Tensor, stride: int) -> Tensor:
        padded = functional.pad(x, (2, 0), mode="replicate")
        return functional.conv1d(padded, layer.conv.weight, layer.conv.bias, stride)

    def settle(x: Tensor) -> Tensor:
        return functional.silu(functional.layer_norm(x.transpose(1, 2), (x.shape[1],), eps=1e-6)).transpose(1, 2)

    def rest(x: Tensor) -> Tensor:
        deep = settle(conv(parts.conv3, settle(conv(parts.conv2, settle(x), 2)), 2))
        assert deep.shape[2] == 22
        return deep[:, :, 19:].transpose(1, 2)

    sequences = conv(parts.conv1_local, mixed, 1).chunk(parts.tokens, dim=1)
    local = torch.stack([rest(sequence) for sequence in sequences], dim=2)
    local = torch.cat((local, parts.padding_tokens.expand(1, 3, 1, -1)), dim=2)
    return local, parts.final_linear(rest(conv(parts.conv1_global, mixed, 1)))


@torch.no_grad()
def test_audio_of_each_block_is_encoded_by_itself_as_upstream_does() -> None:
    encoder = make_dit().casual_audio_encoder
    features = torch.randn(1, CONFIG.audio_layers, CONFIG.audio_dim, 24)
    tokens = encoder(features)
    for block in range(2):
        local, glob = long_way_round(encoder, features[..., 12 * block : 12 * block + 12])
        torch.testing.assert_close(tokens.local[:, 3 * block : 3 * block + 3], local, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(tokens.glob[:, 3 * block : 3 * block + 3], glob, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_batch_is_its_members() -> None:
    dit = make_dit()
    whole = arguments(dit, batch=3)
    together = velocity(dit, *whole)
    for member in range(3):
        alone = velocity(dit, *(part[member : member + 1] for part in whole))
        torch.testing.assert_close(together[member : member + 1], alone, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_one_time_for_all_frames_equals_that_time_for_each() -> None:
    dit = make_dit()
    latents, _times, context, features = arguments(dit, batch=2)
    shared = velocity(dit, latents, torch.full((2, 1), 602.0), context, features)
    each = velocity(dit, latents, torch.full((2, 3), 602.0), context, features)
    torch.testing.assert_close(shared, each, atol=1e-4, rtol=1e-4)
    other = velocity(dit, latents, torch.tensor([[602.0, 8.0, 602.0]]).expand(2, -1), context, features)
    assert (other - each).abs().max() > 1e-2


@torch.no_grad()
def test_audio_and_time_of_a_frame_reach_that_frame_only_when_nothing_else_mixes_frames() -> None:
    dit = make_dit()
    latents, times, context, features = arguments(dit, batch=1)
    changed = features.clone()
    changed[..., 8:] += 1  # the last four feature frames belong to the third latent frame alone

    def alone(_layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        split = [part.unflatten(1, (3, -1)).flatten(0, 1) for part in (query, key, value)]
        return attend(*split).unflatten(0, (1, 3)).flatten(1, 2)

    text = dit.text_kv(dit.embed_text(context))
    outputs = []
    for sound in (features, changed):
        audio = dit.audio_injections(dit.encode_audio(sound))
        outputs.append(dit(latents, dit.modulate(times), text, audio, alone))
    difference = (outputs[0] - outputs[1]).abs().amax(dim=(0, 1, 3, 4))
    assert difference[0] == 0
    assert difference[1] == 0
    assert difference[2] > 1e-3


@torch.no_grad()
def test_a_pose_of_zeros_is_no_pose_and_another_is_not() -> None:
    dit = make_dit()
    latents, times, context, features = arguments(dit, batch=1)
    text, time = dit.text_kv(dit.embed_text(context)), dit.modulate(times)
    audio = dit.audio_injections(dit.encode_audio(features))
    none = dit(latents, time, text, audio, plain_attention)
    zeros = dit(latents, time, text, audio, plain_attention, torch.zeros_like(latents))
    ones = dit(latents, time, text, audio, plain_attention, torch.ones_like(latents))
    torch.testing.assert_close(none, zeros)
    assert (ones - none).abs().max() > 1e-2


def test_every_parameter_learns() -> None:
    dit = make_dit()
    latents, times, context, features = arguments(dit, batch=2)
    tokens = dit.condition_tokens(latents[:, :, :1], latents.repeat(1, 1, 7, 1, 1))
    text = dit.text_kv(dit.embed_text(context))
    seen: list[Tensor] = []

    def keep(_layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        seen.extend((key, value))
        return attend(query, key, value)

    dit.prefill(tokens, dit.modulate(torch.zeros(1, 1)), text, keep)
    audio = dit.audio_injections(dit.encode_audio(features))
    out = dit(latents, dit.modulate(times), text, audio, plain_attention, latents)
    (out.square().mean() + sum(part.square().mean() for part in seen)).backward()
    without = [name for name, weight in dit.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == []


def test_a_fresh_model_predicts_no_velocity_and_hears_nothing() -> None:
    torch.manual_seed(0)
    dit = DiT(CONFIG)
    assert not velocity(dit, *arguments(dit, batch=1)).any()


@torch.no_grad()
def test_half_weights_stay_near_single_ones() -> None:
    dit = make_dit()
    inputs = arguments(dit, batch=1)
    single = velocity(dit, *inputs)
    half = velocity(dit.to(torch.bfloat16), *inputs)
    assert half.dtype == torch.float32
    assert (half - single).abs().mean() / single.abs().mean() < 0.05


def test_config_reads_upstreams_document_and_fills_in_from_shapes() -> None:
    document = {"_class_name": "CausalWanModel_S2V", "dim": 64, "num_heads": 4, "audio_inject_layers": [0, 2]}
    shapes = {"text_embedding.0.weight": (64, 48), "casual_audio_encoder.weights": (1, 4, 1, 1)}
    config = DiTConfig.from_json(document | {"text_len": 24, "enable_tsm": False}, shapes)
    assert (config.text_dim, config.audio_layers, config.text_len) == (48, 4, 24)
    assert (config.head_dim, config.audio_inject_layers) == (16, (0, 2))
    assert DiTConfig.from_json({}) == DiTConfig()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"num_head": 40}, "num_heads"),
        ({"zzz": 1}, "zzz"),
        ({"enable_tsm": True}, "enable_tsm"),
        ({"adain_mode": "full"}, "attn_norm"),
        ({"dim": 100, "num_heads": 3}, "num_heads"),
        ({"num_layers": 0}, "num_layers"),
        ({"dim": "wide"}, "dim"),
        ({"audio_inject_layers": [40]}, "audio_inject_layers"),
    ],
)
def test_config_refuses_what_it_does_not_know(document: dict[str, object], said: str) -> None:
    with pytest.raises(Problem, match=said) as caught:
        DiTConfig.from_json(document, path="base/config.json")
    assert caught.value.finding.code == "RUN012"
    assert caught.value.finding.path == "base/config.json"
