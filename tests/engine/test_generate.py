"""The whole way: upstream's recorded run reproduced, and our own rules (every frame, in step with the sound)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from engine.checkpoint_layout import find_layout
from engine.decoding import to_pixels
from engine.generate import FrameBlock, Inputs, Scene, generate, generate_as_upstream, set_scene, upstream_blocks
from engine.load import Models, load_models

torch.set_num_threads(1)
GOLDENS = Path(__file__).parent / "goldens"
PIPELINE = GOLDENS / "pipeline"
SPEECH = PIPELINE / "audio_4s3_16k.wav"
INPUTS = Inputs(
    prompt="a person talks to the camera in warm light",
    image=PIPELINE / "ref_150x300.png",
    audio=SPEECH,
    height=64,
    width=128,
    blocks=3,
)
HALF = 2.6e-4
"""Rounding of a half float near 1, which most recorded frames are stored in, and our 1e-5."""


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models(find_layout(GOLDENS / "ckpt_tiny"), torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def scene(models: Models) -> Scene:
    return set_scene(models, INPUTS)


@pytest.fixture(scope="module")
def video(models: Models, scene: Scene) -> list[FrameBlock]:
    return list(generate(models, scene, seed=3))


@pytest.mark.slow
def test_upstreams_run_is_reproduced_from_files_to_frames(models: Models) -> None:
    assert upstream_blocks(models, SPEECH) == 12
    assert upstream_blocks(models, SPEECH, num_clip=2) == 8
    inputs = replace(INPUTS, blocks=8, parity=True)
    scene = set_scene(models, inputs)
    blocks = list(generate_as_upstream(models, scene, steps=4, seed=420))
    assert [block.shape[2] for block in blocks] == [9, *[12] * 7]
    frames = torch.cat(blocks, dim=2)[0]
    assert frames.shape[1] == inputs.frames == 93
    with safe_open(PIPELINE / "offline.safetensors", "pt") as golden:
        still, first, last, some = map(
            golden.get_tensor, ("sink_motion0_last19", "video_frame0_f32", "video_last_f32", "video_f16")
        )
        numbers = json.loads(golden.metadata()["f16_frames"])
    torch.testing.assert_close(scene.condition.motion[:, :, -19:], still, atol=1e-4, rtol=0)
    torch.testing.assert_close(frames[:, :1], first, atol=1e-4, rtol=0)
    torch.testing.assert_close(frames[:, -1:], last, atol=1e-4, rtol=0)
    torch.testing.assert_close(frames[:, numbers], some.float(), atol=HALF, rtol=0)


def test_every_frame_is_kept_twelve_a_block(video: list[FrameBlock]) -> None:
    assert [block.index for block in video] == [0, 1, 2]
    assert {block.frames.shape for block in video} == {(12, 64, 128, 3)}
    assert {block.frames.dtype for block in video} == {np.dtype(np.uint8)}
    assert INPUTS.frames == 36
    assert len({block.frames.tobytes() for block in video}) == 3


def test_the_video_goes_on_from_the_still_without_decoding_anything_twice(
    models: Models, scene: Scene, video: list[FrameBlock]
) -> None:
    """Latents decoded in one piece after the still's give the same frames as block by block."""
    caught: list[torch.Tensor] = []
    decode = models.vae.decode

    def watch(latents: torch.Tensor, *state: object) -> object:
        caught.append(latents.clone())
        return decode(latents, *state)

    models.vae.decode = watch  # type: ignore[method-assign, assignment]
    try:
        list(generate(models, scene, seed=3))
    finally:
        models.vae.decode = decode  # type: ignore[method-assign]
    assert [latents.shape[2] for latents in caught] == [1, 3, 3, 3, 3, 3]
    with torch.no_grad():
        whole = models.vae.decode_whole(torch.cat(caught, dim=2))[:, :, 25:]
    found = np.concatenate([block.frames for block in video]).astype(int)
    assert np.abs(found - to_pixels(whole.clamp(-1, 1)).numpy().astype(int)).max() <= 1


def test_same_seed_same_frames_other_seed_other_frames(models: Models, scene: Scene, video: list[FrameBlock]) -> None:
    again = next(generate(models, scene, seed=3))
    other = next(generate(models, scene, seed=4))
    assert np.array_equal(again.frames, video[0].frames)
    assert not np.array_equal(other.frames, video[0].frames)


def test_what_is_said_next_does_not_change_what_was_shown(
    models: Models, scene: Scene, video: list[FrameBlock]
) -> None:
    """Blocks stream: the second block's sound reaches the second block and no earlier one."""

    class Cut:
        def __iter__(self) -> Iterator[torch.Tensor]:
            for index, features in enumerate(scene.speech):
                yield features if index < 1 else features + 1

    changed = list(generate(models, replace(scene, speech=Cut()), seed=3))  # type: ignore[arg-type]
    same = [np.array_equal(ours.frames, theirs.frames) for ours, theirs in zip(video, changed, strict=True)]
    assert same == [True, False, False]


def test_pixels_are_truncated_as_upstream_writes_them() -> None:
    video = torch.tensor([-1.0, -0.999, 0.0, 0.999, 1.0]).view(1, 1, 1, 1, 5).expand(1, 3, 2, 1, 5)
    assert to_pixels(video)[0, 0, :, 0].tolist() == [0, 0, 127, 254, 255]
