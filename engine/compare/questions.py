"""What both versions are asked: a portrait, a speech, a prompt; and what is known of the right answer.

The speeches are recordings of people that ship with the product, their mouths known by alignment; no prompt, no voice
and none of the drawn people was ever trained on. Knows no version.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from engine.embedded.corpus import prompts
from engine.embedded.corpus.dynamics import EMOTIONS, motion
from engine.embedded.corpus.identity import BACKGROUNDS
from engine.embedded.corpus.prompts import UNSAID
from engine.embedded.corpus.visemes import SAMPLES_PER_FRAME
from engine.embedded.metrics.cases import SIZE, people, write_wav
from engine.embedded.metrics.real_speech import Recording
from engine.embedded.metrics.real_speech import load as recordings
from engine.image import cover, open_portrait, to_tensor
from engine.spec import FPS, FRAMES_PER_BLOCK

PLAIN: Final = "a person talking"
_AUDIBLE: Final = 1e-3


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """How much is asked: speeches for consistency, prompts for generalisation, runs for stability, seconds of each."""

    speeches: int = 8
    prompts: int = 10
    runs: int = 10
    seconds: float = 4.0


QUICK: Final = Extent(speeches=4, prompts=4, runs=4, seconds=3.0)


@dataclass(frozen=True)
class Question:
    """`audio` [T * 640] at 16 kHz; `opening` [T] of the mouth where it is known; `person` [D] as a reader sees it;
    `asked` as `corpus.prompts.ATTRIBUTES`."""

    name: str
    image: Path
    sound: Path
    prompt: str
    audio: NDArray[np.float32]
    opening: Tensor | None = None
    person: Tensor | None = None
    asked: Mapping[str, str] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        return len(self.audio) // SAMPLES_PER_FRAME

    @property
    def blocks(self) -> int:
        """Whole blocks: what they show beyond the speech is not looked at."""
        return max(1, -(-self.frames // FRAMES_PER_BLOCK))

    @property
    def speaks(self) -> bool:
        """Whether there is anything to hear."""
        return float(np.abs(self.audio).max(initial=0.0)) > _AUDIBLE


@dataclass(frozen=True)
class Exam:
    """All questions: `same` differ in the speech only, `new` in prompt and person; `repeated` is asked `runs` times."""

    same: tuple[Question, ...]
    new: tuple[Question, ...]
    repeated: Question
    runs: int


def make_exam(extent: Extent, folder: Path, portraits: Sequence[Path] = ()) -> Exam:
    """Questions of this extent, their files in `folder`; with no portraits, drawn people are asked."""
    given = list(portraits) or drawn(folder, max(2, extent.prompts))
    voices = recordings()
    frames = round(extent.seconds * FPS) // FRAMES_PER_BLOCK * FRAMES_PER_BLOCK
    same = [
        _question(f"speech-{index}", given[0], voices[index % len(voices)], folder, frames, _plain())
        for index in range(extent.speeches)
    ]
    new = [
        _question(f"prompt-{index}", given[index % len(given)], voices[-1 - index % len(voices)], folder, frames, wish)
        for index, wish in enumerate(wishes(extent.prompts))
    ]
    short = 2 * FRAMES_PER_BLOCK
    repeated = _question("again", given[0], voices[0], folder, short, _plain())
    return Exam(tuple(same), tuple(new), repeated, extent.runs)


def drawn(folder: Path, count: int) -> list[Path]:
    """Portraits of avatars that no model was trained on."""
    from engine.embedded.corpus.renderer import render
    from engine.embedded.corpus.scene import rest

    made = []
    for index, person in enumerate(people(count)):
        path = folder / f"person-{index:02d}.png"
        pixels = (render(person, rest(1), SIZE)[0].permute(1, 2, 0) * 255).round().byte().numpy()
        Image.fromarray(pixels).save(path)
        made.append(path)
    return made


def wishes(count: int) -> list[prompts.Prompt]:
    """Prompts that ask for a feeling, every other one for a background too; the same on every machine."""
    rng = random.Random("comparison")  # noqa: S311  # no secret
    places = tuple(BACKGROUNDS)
    return [
        prompts.sample(
            rng,
            emotion=EMOTIONS[index % len(EMOTIONS)],
            background=places[index % len(places)] if index % 2 else UNSAID,
        )
        for index in range(count)
    ]


def pictures(paths: Sequence[Path], size: tuple[int, int]) -> Tensor:
    """Portraits as a reader takes them: [N, 3, H, W] in 0..1."""
    return torch.cat([(to_tensor(cover(open_portrait(path), *size))[:, :, 0] + 1) / 2 for path in paths])


def _plain() -> prompts.Prompt:
    return prompts.Prompt(PLAIN, {"emotion": UNSAID, "background": UNSAID})


def _question(name: str, image: Path, voice: Recording, folder: Path, frames: int, wish: prompts.Prompt) -> Question:
    count = min(frames, voice.frames)
    sound = folder / f"{voice.name}-{count}.wav"
    audio = voice.audio[: count * SAMPLES_PER_FRAME]
    if not sound.exists():
        write_wav(sound, audio)
    return Question(name, image, sound, wish.text, audio, _opening(voice, wish, count), None, dict(wish.attributes))


def _opening(voice: Recording, wish: prompts.Prompt, frames: int) -> Tensor:
    """How far the mouth of this speech is open, [frames]: a smile's or a sorrow's own way included."""
    track = voice.track()
    mouth, loudness = torch.from_numpy(track.mouth)[None], torch.from_numpy(track.loudness)[None]
    feeling = wish.attributes["emotion"]
    index = torch.tensor([EMOTIONS.index(feeling) if feeling in EMOTIONS else 0])
    moving = motion(mouth, loudness, torch.from_numpy(track.viseme).long()[None], index)
    return moving[0, :frames, 0]
