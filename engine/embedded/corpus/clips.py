"""Clips by the batch: who, what is said, what is asked for, and the video that answers.

    bank = SpeechBank.from_tape(Tape.load(path), device)     # the whole tape on the device, int16
    draw = DrawSource(seed=0, device=device)                 # held_out=True for tests
    batch = make_batch(bank, draw, clips=64, frames=72)
    batch.video(128)                                         # [64, 72, 3, 128, 128] f32 in 0..1
    batch.portrait(128)                                      # [64, 3, 128, 128]
    augment(batch.audio, draw.device_rng)                    # [64, 72 * 640] f32, as a recording would sound

Layouts: audio 16 kHz, 640 samples a frame; tracks [B, T, ...] at 25 fps, frame k shows the sound at (k + 0.5) / 25 s;
motion [B, T, 15] in the order of `scene.MOTION`. Every clip starts from rest, as a run of the engine does. Prompts are
drawn on the CPU; identities, tracks and pixels are made on the device without waiting for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.embedded.corpus import prompts as prompting
from engine.embedded.corpus.dynamics import motion, reference_pose
from engine.embedded.corpus.identity import Identity, generator, sample
from engine.embedded.corpus.prompts import Prompt
from engine.embedded.corpus.renderer import render
from engine.embedded.corpus.speech import Tape
from engine.embedded.corpus.visemes import SAMPLES_PER_FRAME

Renderer = Callable[[Identity, Tensor, int], Tensor]


@dataclass(frozen=True)
class SpeechBank:
    """A tape on a device. Shapes as in `speech.Tape`; `start` and `frames` [N] int64."""

    audio: Tensor
    mouth: Tensor
    loudness: Tensor
    viseme: Tensor
    start: Tensor
    frames: Tensor

    @classmethod
    def from_tape(cls, tape: Tape, device: torch.device | str = "cpu") -> SpeechBank:
        """Two bytes a sample on the device: 10 h are 1.2 GB."""
        parts = (tape.audio, tape.mouth, tape.loudness, tape.viseme, tape.start, tape.frames)
        return cls(*(torch.from_numpy(part).to(device) for part in parts))

    def cut(self, first: Tensor, frames: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Audio [B, frames*640] f32, mouth [B, frames, 4] f32, loudness [B, frames] f32, viseme [B, frames] int64 of
        the stretches that begin at tape frame `first` [B]."""
        rows = first[:, None] + torch.arange(frames, device=first.device)
        samples = self.audio.view(-1, SAMPLES_PER_FRAME)[rows].reshape(len(first), -1)
        return samples.float() / 32768, self.mouth[rows].float(), self.loudness[rows].float(), self.viseme[rows].long()


class DrawSource:
    """The random streams of one side, training or held out: `words` for prompts, `device_rng` for the rest.

    Mutable: each draw moves it on.
    """

    def __init__(self, seed: int, *, held_out: bool = False, device: torch.device | str = "cpu") -> None:
        self.words = random.Random(f"{'held out' if held_out else 'training'} {seed}")
        self.device_rng = generator(seed, held_out=held_out, device=device)
        self.device = torch.device(device)


@dataclass(frozen=True)
class Batch:
    """B clips of T frames. `cast` are the avatars as filmed (in front of the background asked for), `sitters` as in the
    portrait. Pixels are drawn when asked for."""

    cast: Identity
    sitters: Identity
    motion: Tensor
    pose: Tensor
    audio: Tensor
    mouth: Tensor
    loudness: Tensor
    viseme: Tensor
    prompts: list[Prompt]

    def video(self, size: int = 128, renderer: Renderer = render, chunk: int = 2304) -> Tensor:
        """[B, T, 3, size, size] in 0..1, drawn about `chunk` frames at a time."""
        return film(self.cast, self.motion, size, renderer, chunk)

    def portrait(self, size: int = 128, renderer: Renderer = render) -> Tensor:
        """[B, 3, size, size] in 0..1: calm face, mouth shut, the sitter's own background."""
        return renderer(self.sitters, self.pose, size)

    @property
    def opening(self) -> Tensor:
        """How far the mouth is truly open in the video, [B, T]."""
        return self.motion[..., 0]


def film(who: Identity, moves: Tensor, size: int = 128, renderer: Renderer = render, chunk: int = 2304) -> Tensor:
    """[B, T, 3, size, size] of B avatars moving as `moves` [B, T, 15]. Chunks are whole clips, all of one shape."""
    clips, frames = moves.shape[:2]
    at_once = max(1, chunk // frames)
    parts = []
    for first in range(0, clips, at_once):
        index = torch.arange(first, min(first + at_once, clips), device=moves.device)
        drawn = renderer(who.select(index).repeat(frames), moves[index].flatten(0, 1), size)
        parts.append(drawn.view(len(index), frames, *drawn.shape[1:]))
    return torch.cat(parts)


def make_batch(
    bank: SpeechBank,
    draw: DrawSource,
    clips: int,
    frames: int,
    *,
    sitters: Identity | None = None,
    prompts: list[Prompt] | None = None,
    from_start: float = 0.3,
) -> Batch:
    """`clips` clips of `frames` frames: random avatars (or `sitters`), speech and prompts (or `prompts`).

    A share `from_start` begins where a take does. Takes must be at least `frames` long: 13 s is the shortest made.
    """
    who = sitters if sitters is not None else sample(clips, draw.device_rng)
    said = prompts if prompts is not None else [prompting.sample(draw.words) for _ in range(clips)]
    audio, mouth, loudness, viseme = bank.cut(_places(bank, clips, frames, from_start, draw.device_rng), frames)
    return Batch(
        cast=who.with_background(*prompting.background_index(said, draw.device)),
        sitters=who,
        motion=motion(mouth, loudness, viseme, prompting.emotion_index(said, draw.device)),
        pose=reference_pose(clips, draw.device_rng),
        audio=audio,
        mouth=mouth,
        loudness=loudness,
        viseme=viseme,
        prompts=said,
    )


def _places(bank: SpeechBank, clips: int, frames: int, from_start: float, rng: torch.Generator) -> Tensor:
    """Tape frames [clips] at which clips of `frames` frames begin, each within one take."""
    take = (torch.rand(clips, generator=rng, device=rng.device) * len(bank.start)).long()
    room = (bank.frames[take] - frames).clamp(min=0)
    offset = (torch.rand(clips, generator=rng, device=rng.device) * (room + 1)).long()
    anywhere = torch.rand(clips, generator=rng, device=rng.device) >= from_start
    return bank.start[take] + offset.clamp(max=room) * anywhere
