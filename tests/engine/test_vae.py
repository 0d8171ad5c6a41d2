"""The video autoencoder: upstream's numbers, any cutting of a stream, two ways of convolving, training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from engine.model.vae import WAN21_MEAN, WAN21_STD, VaeConfig, WanVae
from engine.model.vae_parts import CausalConv3d
from engine.model.vae_state import VaeState, join_past

GOLDENS = Path(__file__).parent / "goldens"
GOLDEN = load_file(GOLDENS / "vae" / "wan21_tiny.safetensors")
EMBEDDED_KIND = VaeConfig(
    dim=4, decoder_dim=6, z_dim=5, dim_mult=(1, 2, 4), num_res_blocks=1, temporal_downsample=(True, True), patch_size=2
)
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def upstreams() -> WanVae:
    """The autoencoder with the weights that the recorded outputs come from."""
    weights = torch.load(GOLDENS / "ckpt_tiny" / "Wan2.1_VAE.pth", weights_only=True)
    vae = WanVae(VaeConfig.from_state_dict(weights))
    vae.load_state_dict(weights, strict=True)
    return vae.requires_grad_(False)


def lively(config: VaeConfig = EMBEDDED_KIND) -> WanVae:
    """A small autoencoder none of whose parts is silent."""
    torch.manual_seed(3)
    vae = WanVae(config)
    for parameter in vae.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return vae.requires_grad_(False)


def video(frames: int, side: int = 16, batch: int = 1) -> Tensor:
    return torch.rand(batch, 3, frames, side, side, generator=torch.Generator().manual_seed(frames)) * 2 - 1


def latents(frames: int, batch: int = 1, z_dim: int = 5) -> Tensor:
    return torch.randn(batch, z_dim, frames, 2, 2, generator=torch.Generator().manual_seed(frames))


def apart(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return float((one - other).detach().abs().max())


@pytest.mark.parametrize(("frames", "name"), [(1, "encoded_image"), (5, "encoded_still5"), (73, "encoded_still73")])
def test_a_still_is_encoded_as_upstream_does(upstreams: WanVae, frames: int, name: str) -> None:
    still = GOLDEN["video9"][None, :, :1].expand(-1, -1, frames, -1, -1)
    assert apart(upstreams.encode(still)[0], GOLDEN[name]) < 1e-4


def test_motion_is_encoded_as_upstream_does(upstreams: WanVae) -> None:
    assert apart(upstreams.encode(GOLDEN["video9"][None])[0], GOLDEN["encoded_video9"]) < 1e-4


def test_a_stream_is_decoded_as_upstream_does(upstreams: WanVae) -> None:
    z = GOLDEN["z"][None]
    first, state = upstreams.decode(z[:, :, :7])
    then, _ = upstreams.decode(z[:, :, 7:], state)
    assert (first.shape[2], then.shape[2]) == (25, 12)
    assert apart(first[0, :, :, ::4, ::4].clamp(-1, 1), GOLDEN["decoded7_every4"]) < 1e-4
    assert apart(then[0, :, :, ::4, ::4].clamp(-1, 1), GOLDEN["decoded10_last12_every4"]) < 1e-4
    assert apart(torch.cat([first, then], dim=2), upstreams.decode_whole(z)) < 1e-4


def test_the_full_size_has_upstreams_parameters() -> None:
    with torch.device("meta"):
        state = WanVae(VaeConfig()).state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == 126_892_531
    assert state["decoder.upsamples.3.time_conv.weight"].shape == (768, 384, 3, 1, 1)
    assert VaeConfig.from_state_dict(state) == VaeConfig(mean=WAN21_MEAN, std=WAN21_STD)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_any_cutting_of_a_stream_gives_the_same_frames(cuts: list[int]) -> None:
    vae = lively()
    z = latents(sum(cuts))
    state: VaeState | None = None
    parts = []
    for part in z.split(cuts, dim=2):
        frames, state = vae.decode(part, state)
        parts.append(frames)
    assert apart(torch.cat(parts, dim=2), vae.decode_whole(z)) < 1e-4


@pytest.mark.parametrize("frames_per_pass", [4, 8, 12])
def test_encoding_in_passes_gives_the_same_latents(frames_per_pass: int) -> None:
    vae = lively()
    assert apart(vae.encode(video(21), frames_per_pass), vae.encode(video(21))) < 1e-4
    assert apart(vae.encode(video(1), frames_per_pass), vae.encode(video(1))) < 1e-4


def test_members_of_a_batch_do_not_see_each_other() -> None:
    vae = lively()
    clips = video(9, batch=3)
    assert apart(vae.encode(clips)[1:2], vae.encode(clips[1:2])) < 1e-5
    z = latents(3, batch=3)
    assert apart(vae.decode_whole(z)[1:2], vae.decode_whole(z[1:2])) < 1e-5


def test_both_ways_of_convolving_agree() -> None:
    conv = CausalConv3d(3, 4)
    torch.nn.init.normal_(conv.weight)
    torch.nn.init.normal_(conv.bias)
    x = torch.randn(2, 5, 6, 7, 3)
    volume = join_past(x, 2, 0, None).permute(0, 4, 1, 2, 3)
    plain = F.conv3d(volume, conv.weight, conv.bias, padding=(0, 1, 1)).permute(0, 2, 3, 4, 1)
    assert apart(conv(x, None), plain) < 1e-5


def test_a_frozen_weight_that_changes_is_laid_out_anew() -> None:
    vae = lively()
    before = vae.decode_whole(latents(2))
    vae.decoder.conv1.weight.mul_(2)
    after = vae.decode_whole(latents(2))
    assert apart(before, after) > 1e-3
    assert apart(after, lively_with_doubled_start().decode_whole(latents(2))) < 1e-6


def lively_with_doubled_start() -> WanVae:
    vae = lively()
    vae.decoder.conv1.weight.mul_(2)
    return vae


def test_a_state_is_bounded_and_belongs_to_one_stream() -> None:
    vae = lively()
    _, one = vae.decode(latents(4))
    size = one.nbytes()
    vae.decode(latents(9), one)
    assert one.nbytes() == size
    _, other = vae.decode(latents(2))
    assert (
        apart(vae.decode(latents(3), other)[0], vae.decode_whole(torch.cat([latents(2), latents(3)], 2))[:, :, 5:])
        < 1e-4
    )


def test_a_fresh_one_can_be_trained() -> None:
    torch.manual_seed(0)
    vae = WanVae(EMBEDDED_KIND)
    optimiser = torch.optim.AdamW(vae.parameters(), lr=4e-3)
    rows = torch.linspace(-1, 1, 16).view(1, 1, 1, 16, 1)
    clips = rows * torch.linspace(0.3, 1, 5).view(1, 1, 5, 1, 1) * torch.ones(2, 3, 5, 16, 16)
    losses = []
    for _ in range(60):
        loss = (vae.decode_whole(vae.encode(clips)) - clips).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert all(parameter.grad is not None for parameter in vae.parameters())
    assert losses[-1] < losses[0] / 3


def test_reduced_precision_stays_near() -> None:
    vae = lively()
    exact = vae.decode_whole(latents(3))
    with torch.autocast("cpu", torch.bfloat16):
        near = vae.decode_whole(latents(3))
    assert near.dtype == torch.bfloat16
    assert apart(near.float(), exact) < 0.1 * float(exact.abs().max())


def test_latents_are_normalised_by_the_statistics() -> None:
    vae = lively()
    raw, frames = vae.encode(video(5)), vae.decode_whole(latents(2))
    vae.set_statistics([1.0, 2.0, 3.0, 4.0, 5.0], [0.5, 1.0, 2.0, 4.0, 8.0])
    mean = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]).view(1, -1, 1, 1, 1)
    std = torch.tensor([0.5, 1.0, 2.0, 4.0, 8.0]).view(1, -1, 1, 1, 1)
    assert apart(vae.encode(video(5)), (raw - mean) / std) < 1e-5
    assert apart(vae.decode_whole((latents(2) - mean) / std), frames) < 1e-4


@pytest.mark.parametrize("config", [EMBEDDED_KIND, VaeConfig(4, 4, 16, (1, 2, 2, 4), 3, (False, True, True))])
def test_every_size_is_read_from_the_shapes(config: VaeConfig) -> None:
    statistics = {"mean": [0.5] * config.z_dim, "std": [2.0] * config.z_dim}
    read = VaeConfig.from_state_dict(WanVae(config).state_dict(), json.loads(json.dumps(statistics)))
    assert read == VaeConfig(**{**vars(config), "mean": (0.5,) * config.z_dim, "std": (2.0,) * config.z_dim})


def test_other_latents_than_wans_need_their_statistics() -> None:
    with pytest.raises(ValueError, match=r"vae\.json"):
        VaeConfig.from_state_dict(WanVae(EMBEDDED_KIND).state_dict())


def test_strides_follow_from_the_config() -> None:
    assert (VaeConfig().spatial_stride, VaeConfig().temporal_stride) == (8, 4)
    assert (EMBEDDED_KIND.spatial_stride, EMBEDDED_KIND.temporal_stride) == (8, 4)
    assert lively().encode(video(9)).shape == (1, 5, 3, 2, 2)
