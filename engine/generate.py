"""The way of a frame, read top to bottom: prompt, portrait and speech become a condition, noise held to it becomes
latents, latents become blocks of frames, one after another, as fast as they are made.

Knows no file format, no job and no adapter. Nothing grows with the length of the speech: a block is handed out and
forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.audio import AudioFeatures
from engine.conditioning import (
    ENCODED_AT_ONCE,
    STILL_FRAMES,
    UPSTREAM_STILL_FRAMES,
    Condition,
    encode_still,
    make_condition,
)
from engine.decoding import StreamDecoder, primed, to_pixels
from engine.image import prepare
from engine.media import upstream_clips
from engine.model.vae import WanVae
from engine.randomness import CounterDraws, UpstreamDraws
from engine.rollout import LatentBlock, Turn, rollout
from engine.spec import BLOCKS_PER_CLIP, FRAMES_PER_BLOCK
from engine.transfer import Landing

if TYPE_CHECKING:
    from engine.load import Models

DROPPED_FRAMES: Final = 3
"""Frames at the start that upstream leaves out: its pictures then run 120 ms ahead of their sound."""


@dataclass(frozen=True)
class Inputs:
    """What a video is made from. `height` x `width` in pixels; `blocks` of 12 frames each."""

    prompt: str
    image: Path
    audio: Path
    height: int
    width: int
    blocks: int
    parity: bool = False
    """Upstream's single-GPU script in its offline mode, flaws included (SPEC section 12)."""

    @property
    def frames(self) -> int:
        """Frames of the whole video."""
        return self.blocks * FRAMES_PER_BLOCK - (DROPPED_FRAMES if self.parity else 0)


@dataclass(frozen=True)
class Scene:
    """The inputs as the models see them: `picture` [1, 3, 1, H, W], `still` its latents [1, z, F, h, w]."""

    inputs: Inputs
    picture: Tensor
    still: Tensor
    context: Tensor
    """The prompt's rows [1, tokens, text_dim]."""
    condition: Condition
    speech: AudioFeatures


@dataclass(frozen=True)
class FrameBlock:
    """The frames [T, H, W, 3] of block `index`, RGB: twelve, but nine in the first block of parity mode."""

    index: int
    frames: NDArray[np.uint8]
    latents: NDArray[np.float32] | None = None
    """What they were decoded from [1, z, 3, h, w]; not told in parity mode."""


def upstream_blocks(models: Models, audio: Path, num_clip: int | None = None) -> int:
    """Blocks that upstream makes of a speech: whole clips, the last one partly or wholly silent."""
    clips = upstream_clips(AudioFeatures(models.audio, audio).vectors)
    return BLOCKS_PER_CLIP * (clips if num_clip is None else min(clips, num_clip))


@torch.no_grad()
def set_scene(models: Models, inputs: Inputs) -> Scene:
    """Read prompt, portrait and speech; everything that is computed once a video."""
    weight = models.vae.conv1.weight
    picture = prepare(inputs.image, inputs.height, inputs.width, parity=inputs.parity).to(weight.device)
    still = encode_still(models.vae, picture, UPSTREAM_STILL_FRAMES if inputs.parity else STILL_FRAMES)
    context = models.text.encode(inputs.prompt)
    condition = make_condition(models.dit, still, context)
    speech = AudioFeatures(models.audio, inputs.audio, blocks=inputs.blocks, whole=inputs.parity)
    return Scene(inputs, picture, still, context, condition, speech)


def generate(
    models: Models,
    scene: Scene,
    *,
    steps: int = 4,
    passes: int | None = None,
    seed: int = 420,
    turn: Callable[[], Turn | None] = lambda: None,
) -> Iterator[FrameBlock]:
    """Blocks of frames, in order. The same scene, steps, passes and seed give the same frames on the same machine.

    `turn` and `passes` as in `rollout`.
    """
    if scene.inputs.parity:
        for index, video in enumerate(generate_as_upstream(models, scene, steps=steps, seed=seed)):
            yield FrameBlock(index, to_pixels(video).numpy())
        return
    blocks = rollout(
        models.dit,
        scene.condition,
        scene.speech,
        CounterDraws(seed),
        steps,
        passes=passes,
        execution=models.execution,
        turn=turn,
    )
    decoder = StreamDecoder(models.vae, scene.still, models.execution)
    pending: deque[_Coming] = deque()
    for block in blocks:
        pending.append(_Coming(block.index, Landing(block.latents), decoder.decode(block)))
        # The first frames are shown at once; later blocks wait while the device is given the next.
        while len(pending) > (models.execution.ahead if block.index > 0 else 0):
            yield pending.popleft().wait()
    for coming in pending:
        yield coming.wait()


class _Coming(NamedTuple):
    """A block on its way to the host."""

    number: int
    latents: Landing
    frames: Landing

    def wait(self) -> FrameBlock:
        return FrameBlock(self.number, self.frames.wait().numpy(), self.latents.wait().numpy())


def generate_as_upstream(models: Models, scene: Scene, *, steps: int, seed: int) -> Iterator[Tensor]:
    """Parity mode: blocks [1, 3, T, H, W] in [-1, 1]."""
    draws = UpstreamDraws(seed, steps)
    blocks = rollout(models.dit, scene.condition, scene.speech, draws, steps, anchor_update=False, rounded=True)
    return _clips_as_upstream(models.vae, scene, blocks)


@torch.no_grad()
def _clips_as_upstream(vae: WanVae, scene: Scene, blocks: Iterable[LatentBlock]) -> Iterator[Tensor]:
    """Clip by clip: encode the last 365 frames anew, decode them and the clip from scratch, keep what is new."""
    past = scene.picture.expand(-1, -1, UPSTREAM_STILL_FRAMES, -1, -1)
    motion = scene.still
    stream = iter(blocks)
    for clip in range(scene.inputs.blocks // BLOCKS_PER_CLIP):
        latents = torch.cat([block.latents for block in islice(stream, BLOCKS_PER_CLIP)], dim=2)
        if clip > 0:
            motion = vae.encode(past, frames_per_pass=ENCODED_AT_ONCE)
        video = vae.decode(latents, primed(vae, motion))[0].clamp(-1, 1)
        video = video if clip > 0 else video[:, :, DROPPED_FRAMES:]
        past = torch.cat((past, video), dim=2)[:, :, -UPSTREAM_STILL_FRAMES:]
        first = video.shape[2] % FRAMES_PER_BLOCK or FRAMES_PER_BLOCK
        yield video[:, :, :first]
        yield from torch.split(video[:, :, first:], FRAMES_PER_BLOCK, dim=2)
