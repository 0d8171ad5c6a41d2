"""Training clips drawn on the device: a tape of speech, random avatars, random prompts, rendered in one batch.

Most clips move from rest, as a run does when it begins: all that they show follows from what they hear. The others are
cuts of a take that goes on, as the later blocks of a run are. Knows no autoencoder and no model.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.embedded.corpus import prompts
from engine.embedded.corpus.clips import SpeechBank
from engine.embedded.corpus.dynamics import feeling, motion, reference_pose
from engine.embedded.corpus.identity import Identity, generator, sample
from engine.embedded.corpus.renderer import render
from engine.embedded.corpus.scene import MOTION
from engine.embedded.corpus.speech import Tape
from engine.embedded.train.shapes import SIZE

RENDER_CHUNK = 2304
FROM_REST = 0.6
"""Share of the clips that begin from rest."""
OPEN, SURPRISE = MOTION.index("open"), MOTION.index("surprise")


class Takes:
    """A tape on the device with the motion of a neutral face in `motion` [F, 15], every take moving on from its start;
    the speech model fills `features` [F, layers, C]."""

    def __init__(self, tape: Tape, device: torch.device) -> None:
        self.device = device
        self.bank = SpeechBank.from_tape(tape, device)
        self.motion = _whole_takes(tape, device)
        self.features: Tensor | None = None

    def cut(self, count: int, frames: int, generator: torch.Generator) -> Tensor:
        """First frames [count] of random cuts that lie inside a take."""
        fits = (self.bank.frames >= frames).nonzero()[:, 0]
        take = fits[torch.randint(len(fits), (count,), generator=generator, device=self.device)]
        room = (self.bank.frames[take] - frames).float()
        place = (torch.rand(count, generator=generator, device=self.device) * (room + 1)).long()
        return self.bank.start[take] + place


def _whole_takes(tape: Tape, device: torch.device) -> Tensor:
    """[F, 15] neutral motion, every take from rest."""
    longest = int(tape.frames.max())
    index = torch.from_numpy(tape.start)[:, None] + torch.arange(longest)
    inside = torch.arange(longest) < torch.from_numpy(tape.frames)[:, None]
    index = index.clamp(max=len(tape.viseme) - 1)
    mouth, loudness, viseme = (
        torch.from_numpy(part)[index].to(device) for part in (tape.mouth, tape.loudness, tape.viseme)
    )
    neutral = torch.zeros(len(tape.start), dtype=torch.long, device=device)
    takes = motion(mouth.float(), loudness.float(), viseme.long(), neutral)
    return takes[inside.to(device)]


@dataclass(frozen=True)
class Pictures:
    """video [B, 3, T, H, W] and still [B, 3, H, W] in [-1, 1]; `mouth` [B, T, 2] and `mouth_still` [B, 2]: where the
    mouth is, x and y in -1..1; `reach` [B]: half a head."""

    video: Tensor
    still: Tensor
    mouth: Tensor
    mouth_still: Tensor
    reach: Tensor


@dataclass(frozen=True)
class Clips(Pictures):
    """Who (as filmed), how they move [B, T, 15], the clips' first frames on the tape [B], and what was asked for."""

    identity: Identity
    motion: Tensor
    first: Tensor
    prompts: list[prompts.Prompt]


Persona = Callable[[Identity, Tensor, torch.Generator], tuple[Identity, Tensor]]
"""Changes what the clips (not the stills) show: (identity, motion [B, T, 15]) -> the same, altered."""


class ClipSource:
    """Draws clips; `persona` makes those of an adapter."""

    def __init__(
        self,
        takes: Takes,
        seed: int,
        *,
        held_out: bool = False,
        persona: Persona | None = None,
    ) -> None:
        self.takes, self.device, self.persona = takes, takes.device, persona
        self.generator = generator(seed, held_out=held_out, device=takes.device)
        self.rng = random.Random(f"{seed} {held_out}")

    def sample(self, count: int, frames: int, share: int = 1) -> Clips:
        """`count` clips of `frames` frames; `share` of them in a row show the same avatar's still."""
        who = sample(count // share, self.generator)
        still_motion = reference_pose(count // share, self.generator)
        still = self._pictures(who, still_motion) * 2 - 1
        who, still, still_motion = who.repeat(share), _again(still, share), _again(still_motion, share)
        said = [prompts.sample(self.rng) for _ in range(count)]
        clip_who, moving, first = self._direct(who, said, frames)
        video = self._pictures(clip_who.repeat(frames), moving.flatten(0, 1)) * 2 - 1
        video = video.unflatten(0, (count, frames)).transpose(1, 2)
        return Clips(
            video=video,
            still=still,
            identity=clip_who,
            motion=moving,
            first=first,
            prompts=said,
            mouth=_mouth_place(who, moving),
            mouth_still=_mouth_place(who, still_motion[:, None])[:, 0],
            reach=who.scalar("scale"),
        )

    def features(self, clips: Clips) -> Tensor:
        """Speech features of the clips [B, layers, C, T]."""
        assert self.takes.features is not None
        index = clips.first[:, None] + torch.arange(clips.motion.shape[1], device=self.device)
        return self.takes.features[index].permute(0, 2, 3, 1).float()

    def _direct(self, who: Identity, said: list[prompts.Prompt], frames: int) -> tuple[Identity, Tensor, Tensor]:
        """Who stands before which wall and moves how."""
        first = self.takes.cut(len(said), frames, self.generator)
        index = first[:, None] + torch.arange(frames, device=self.device)
        _, mouth, loudness, viseme = self.takes.bank.cut(first, frames)
        emotion = prompts.emotion_index(said, self.device)
        rested = torch.rand(len(said), 1, 1, generator=self.generator, device=self.device) < FROM_REST
        moving = torch.where(
            rested, motion(mouth, loudness, viseme, emotion), _felt(self.takes.motion[index], feeling(emotion)[:, None])
        )
        who = who.with_background(*prompts.background_index(said, self.device))
        if self.persona is not None:
            who, moving = self.persona(who, moving, self.generator)
        return who, moving, first

    @torch.no_grad()
    def _pictures(self, who: Identity, moving: Tensor) -> Tensor:
        parts = torch.arange(len(who), device=self.device).tensor_split(-(-len(who) // RENDER_CHUNK))
        return torch.cat([render(who.select(index), moving[index], SIZE) for index in parts])


class PicturePool:
    """Mutable: rendered clips kept as bytes and drawn again and again; the oldest are replaced as it goes.

    Drawing costs a thousand small launches however few the clips, so it is done in lots.
    """

    def __init__(self, source: ClipSource, frames: int, capacity: int = 768, lot: int = 64) -> None:
        self.source, self.frames, self.capacity, self.lot = source, frames, capacity, lot
        self._kept: list[Tensor] = []
        self._filled = self._next = 0

    def add(self) -> None:
        """One fresh lot over the oldest."""
        clips = self.source.sample(self.lot, self.frames)
        pixels = [((x + 1) * 127.5).round().to(torch.uint8) for x in (clips.video, clips.still)]
        parts = [*pixels, clips.mouth, clips.mouth_still, clips.reach]
        if not self._kept:
            self._kept = [part.new_empty(self.capacity, *part.shape[1:]) for part in parts]
        for kept, part in zip(self._kept, parts, strict=True):
            kept[self._next : self._next + self.lot] = part
        self._next = (self._next + self.lot) % self.capacity
        self._filled = min(self.capacity, self._filled + self.lot)

    def sample(self, count: int) -> Pictures:
        """Random clips of those kept."""
        index = torch.randint(self._filled, (count,), device=self.source.device)
        video, still, *places = (kept[index] for kept in self._kept)
        return Pictures(video.float() / 127.5 - 1, still.float() / 127.5 - 1, *places)


def focus_map(clips: Pictures, size: int, frames: int, face: float = 1.5, mouth: float = 5.0) -> Tensor:
    """Weights [B, frames, 1, size, size] around 1: more in the face, most at the mouth. Frames before the clip's own
    (a still put in front) look where the still's mouth is."""
    lead = frames - clips.mouth.shape[1]
    place = torch.cat((clips.mouth_still[:, None].expand(-1, lead, -1), clips.mouth), 1)
    line = (torch.arange(size, device=place.device) + 0.5) / size * 2 - 1
    dx = line.view(1, 1, 1, -1) - place[:, :, 0, None, None]
    dy = line.view(1, 1, -1, 1) - place[:, :, 1, None, None]
    reach = clips.reach[:, None, None, None]
    near = torch.exp(-((dx / (0.38 * reach)) ** 2) - (dy / (0.30 * reach)) ** 2)
    head = torch.exp(-((dx / (0.95 * reach)) ** 2) - ((dy + 0.45 * reach) / (1.0 * reach)) ** 2)
    return (1 + face * head + mouth * near)[:, :, None] / 1.6


def _felt(neutral: Tensor, felt: Tensor) -> Tensor:
    """The motion of a feeling [B, 1, 15] laid over a neutral one [B, T, 15], as `dynamics.motion` does."""
    moving = neutral + felt
    moving[..., OPEN] = neutral[..., OPEN] + felt[..., SURPRISE] * (0.13 - 0.13 * neutral[..., OPEN])
    return moving


def _mouth_place(who: Identity, moving: Tensor) -> Tensor:
    """Middle of the mouth [B, T, 2] in picture units, from identity and motion."""
    x = who.scalar("cx")[:, None] + moving[..., MOTION.index("x")]
    y = who.scalar("cy")[:, None] + moving[..., MOTION.index("y")] + 0.5 * who.scalar("scale")[:, None]
    return torch.stack((x, y), -1)


def _again(x: Tensor, times: int) -> Tensor:
    return x.repeat_interleave(times, 0)
