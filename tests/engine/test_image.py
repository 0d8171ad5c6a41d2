"""Portraits become pictures: sizes, covering without borders, upstream's borders in parity mode, odd files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.image import cover, open_portrait, prepare, to_tensor
from engine.media import blocks_for, size_for, upstream_clips
from engine.model.vae import VaeConfig, WanVae
from lora_repository.finding import Problem
from tests.engine.tiny_run import CHECKPOINT, GOLDENS, PORTRAIT

SIZE_RULE = json.loads((GOLDENS / "image" / "size_rule.json").read_text())
PREPROCESS = json.loads((GOLDENS / "image" / "preprocess.json").read_text())
torch.set_num_threads(1)


def picture(
    tmp_path: Path, width: int, height: int, colour: tuple[int, ...] = (200, 255, 10), mode: str = "RGB"
) -> Path:
    path = tmp_path / f"{width}x{height}.png"
    Image.new(mode, (width, height), colour if len(colour) > 1 else colour[0]).save(path)
    return path


@pytest.mark.parametrize("row", SIZE_RULE)
def test_the_size_follows_upstreams_rule(row: list[object]) -> None:
    area, height, width, expected_height, expected_width = row
    wide, high = str(area).split("*")
    assert size_for(height, width, int(wide) * int(high)) == (expected_height, expected_width)  # type: ignore[arg-type]


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(64 * 64, 1280 * 720))
def test_every_size_can_be_generated(height: int, width: int, area: int) -> None:
    high, wide = size_for(height, width, area)
    assert high % 64 == 0 == wide % 64
    assert high >= 64 <= wide
    assert high * wide <= max(area, 64 * 64)


@pytest.mark.parametrize(("height", "width", "area"), [(0, 5, 100), (5, -1, 100), (5, 5, 0)])
def test_no_size_for_nothing(height: int, width: int, area: int) -> None:
    with pytest.raises(ValueError, match="no video fits"):
        size_for(height, width, area)


def test_upstreams_picture_is_reproduced() -> None:
    """Through the autoencoder, whose recorded latents show the picture that upstream made."""
    golden = torch.load(CHECKPOINT / "Wan2.1_VAE.pth", weights_only=True)
    vae = WanVae(VaeConfig.from_state_dict(golden))
    vae.load_state_dict(golden)
    from safetensors import safe_open

    with safe_open(GOLDENS / "pipeline" / "offline.safetensors", "pt") as file, torch.no_grad():
        still = prepare(PORTRAIT, *size_for(150, 300, 8192), parity=True).expand(-1, -1, 5, -1, -1)
        assert torch.allclose(vae.encode(still)[:, :, 1:], file.get_tensor("sink_ref0"), atol=1e-4)


@pytest.mark.parametrize("name", PREPROCESS)
def test_upstreams_borders_in_parity_mode_and_none_otherwise(tmp_path: Path, name: str) -> None:
    height, width = (int(side) for side in name.split("x"))
    golden = PREPROCESS[name]
    path = picture(tmp_path, width, height)
    theirs = prepare(path, *golden["target"], parity=True)[0, :, 0]
    assert int((theirs.amax((0, 1)) == -1).sum()) == golden["black_cols"]
    assert int((theirs.amax((0, 2)) == -1).sum()) == golden["black_rows"]
    ours = prepare(path, *golden["target"])
    assert ours.shape == (1, 3, 1, *golden["target"])
    assert torch.equal(ours, ours[..., :1, :1].expand_as(ours))


def test_upstreams_odd_border_is_wider_behind(tmp_path: Path) -> None:
    columns = prepare(picture(tmp_path, 101, 64), 64, 128, parity=True)[0, :, 0].amax((0, 1))
    assert columns.ne(-1).nonzero().flatten().tolist() == list(range(13, 114))


@given(st.integers(64, 300), st.integers(64, 300), st.sampled_from([64, 128, 192]), st.sampled_from([64, 128, 192]))
def test_a_covering_cut_keeps_the_middle_and_the_shape(width: int, height: int, high: int, wide: int) -> None:
    y, x = np.mgrid[0:height, 0:width]
    ramps = np.stack([x * 255 / (width - 1), y * 255 / (height - 1), 0 * x], -1).astype(np.uint8)
    cut = np.asarray(cover(Image.fromarray(ramps), high, wide)).astype(float)
    assert abs(cut[..., 0].mean() - 127) < 4
    assert abs(cut[..., 1].mean() - 127) < 4
    slope_x = (cut[high // 2, -1, 0] - cut[high // 2, 0, 0]) * width / wide
    slope_y = (cut[-1, wide // 2, 1] - cut[0, wide // 2, 1]) * height / high
    assert slope_x == pytest.approx(slope_y, rel=0.12)


def test_pixels_become_minus_one_to_one() -> None:
    ramp = Image.fromarray(np.array([[[0, 127, 255]]], np.uint8))
    assert to_tensor(ramp).flatten().tolist() == pytest.approx([-1, -1 / 255, 1])


def test_a_phone_portrait_is_turned_upright(tmp_path: Path) -> None:
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, :64] = 255
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(pixels).save(tmp_path / "phone.png", exif=exif)
    upright = open_portrait(tmp_path / "phone.png")
    assert upright.size == (64, 128)
    assert upright.getpixel((32, 10)) == (255, 255, 255)
    assert open_portrait(tmp_path / "phone.png", parity=True).size == (128, 64)


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    path = picture(tmp_path, 64, 64, (10, 20, 30, 0), "RGBA")
    assert open_portrait(path).getpixel((5, 5)) == (255, 255, 255)


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    Image.fromarray(np.full((64, 64), 257 * 100, np.uint16)).save(tmp_path / "deep.png")
    assert open_portrait(tmp_path / "deep.png").getpixel((0, 0)) == (100, 100, 100)


@pytest.mark.parametrize(("width", "height"), [(63, 500), (500, 63), (1, 1)])
def test_a_portrait_that_is_too_small_is_refused(tmp_path: Path, width: int, height: int) -> None:
    with pytest.raises(Problem) as caught:
        open_portrait(picture(tmp_path, width, height))
    assert caught.value.finding.code == "RUN023"
    assert f"{width}x{height}" in caught.value.finding.message


@pytest.mark.parametrize("damage", ["cut", "text", "missing"])
def test_a_portrait_that_cannot_be_read_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "portrait.png"
    if damage == "cut":
        path.write_bytes(PORTRAIT.read_bytes()[:20_000])
    elif damage == "text":
        path.write_text("a portrait")
    with pytest.raises(Problem) as caught:
        open_portrait(path)
    assert caught.value.finding.code == "RUN021"
    assert "portrait.png" in caught.value.finding.message


def test_a_video_is_as_long_as_the_speech() -> None:
    assert [blocks_for(seconds) for seconds in (0.01, 0.48, 0.481, 4.3, 7200)] == [1, 1, 2, 9, 15000]
    assert blocks_for(7200, num_clip=2) == 8
    assert blocks_for(1, num_clip=100) == 3


def test_upstream_makes_one_clip_more_than_fit() -> None:
    tables = json.loads((GOLDENS / "audio" / "window_tables.json").read_text())
    assert {int(vectors): table["clips"] for vectors, table in tables.items()} == {
        int(vectors): upstream_clips(int(vectors)) for vectors in tables
    }
