"""The decoder's training: a wider one draws the same, strips are read where they lie, edges are asked for until met."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.checkpoint_layout import find_layout
from engine.embedded.train.clips import ClipSource, Takes
from engine.embedded.train.footage import MEMORY, WINDOW, FootagePool
from engine.embedded.train.losses import Whetstone, edge_energy, psnr
from engine.embedded.train.widen import widen
from engine.load import load_models
from engine.model.vae import VaeConfig, WanVae
from tests.engine.embedded.tapes import recorded_tape

SMALL = VaeConfig(
    dim=8, decoder_dim=8, z_dim=4, dim_mult=(1, 2), num_res_blocks=1, temporal_downsample=(True,), patch_size=2
)


def test_a_wider_decoder_begins_with_the_same_picture() -> None:
    torch.manual_seed(3)
    narrow = WanVae(SMALL)
    for parameter in narrow.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    wide = widen(WanVae(VaeConfig(**{**vars(SMALL), "decoder_dim": 14})), narrow.state_dict())
    latents = torch.randn(1, 4, 3, 6, 6)
    with torch.no_grad():
        torch.testing.assert_close(wide.decode_whole(latents), narrow.decode_whole(latents), atol=1e-4, rtol=1e-4)
    wide.decode_whole(latents).square().mean().backward()
    silent = wide.decoder.conv1.weight.grad
    assert silent is not None and bool((silent[16:].abs().amax((1, 2, 3, 4)) > 0).all())  # and can learn


def test_a_window_of_latents_stands_for_its_frames() -> None:
    vae = load_models(find_layout("embedded"), torch.device("cpu"), torch.float32).vae
    pool = FootagePool(ClipSource(Takes(recorded_tape(), torch.device("cpu")), 0), vae, capacity=2, lot=2)
    pool.add()
    torch.manual_seed(1)
    footage = pool.sample(4)
    assert footage.latents.shape[2] == WINDOW and footage.frames.shape[2] == 1 + 4 * (WINDOW - 1)
    with torch.no_grad():
        drawn = vae.decode_whole(footage.latents)
    seen = footage.focus.amax((2, 3, 4)) > 0  # [B, T]
    assert seen[0].all() and not seen[1, : 1 + 4 * (MEMORY - 1)].any() and seen[1, 1 + 4 * (MEMORY - 1) :].all()
    for row in range(4):
        assert float(psnr(_frames(drawn, row, seen), _frames(footage.frames, row, seen))) > 27


def _frames(video: Tensor, row: int, seen: Tensor) -> Tensor:
    return video[row].transpose(0, 1)[seen[row]]


@pytest.mark.parametrize(("energy", "rises"), [(0.5, True), (0.9, False)])
def test_edges_weigh_more_until_they_are_sharp_enough(energy: float, rises: bool) -> None:
    stone = Whetstone(0.77, torch.device("cpu"))
    weights = [float(stone.press(torch.tensor(energy))) for _ in range(10)]
    assert (weights[-1] > weights[0]) is rises


def test_a_blurred_picture_has_less_edge_energy_and_noise_outside_the_focus_adds_none() -> None:
    torch.manual_seed(0)
    sharp = torch.rand(2, 3, 32, 32) * 2 - 1
    focus = torch.zeros(2, 1, 32, 32)
    focus[..., :16, :] = 1
    soft = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1)
    assert float(edge_energy(soft, sharp, focus)) < 0.3
    noisy = sharp.clone()
    noisy[..., 18:, :] += torch.randn(2, 3, 14, 32)
    assert float(edge_energy(noisy, sharp, focus)) == pytest.approx(1.0)
