"""The test's questions: portraits, voices and sentences never trained on, recordings of people, and the true answers.

Knows no model: an answer is judged elsewhere.
"""

from __future__ import annotations

import random
import wave
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from engine.embedded.corpus import prompts
from engine.embedded.corpus.clips import film
from engine.embedded.corpus.dynamics import EMOTIONS, motion
from engine.embedded.corpus.identity import BACKGROUNDS, Identity, generator, sample
from engine.embedded.corpus.prompts import UNSAID, Prompt
from engine.embedded.corpus.renderer import render
from engine.embedded.corpus.scene import rest
from engine.embedded.corpus.speech import HELD_OUT_FLITE_VOICES, HELD_OUT_VOICES, Tape, take
from engine.embedded.corpus.visemes import SAMPLE_RATE, SAMPLES_PER_FRAME, Track
from engine.embedded.metrics.real_speech import Recording

SIZE: Final = 128


@dataclass(frozen=True)
class Case:
    """One question: this avatar, this speech (`audio` [T * 640] f32), this prompt; and the mouth's true track."""

    name: str
    sitter: Identity
    audio: NDArray[np.float32]
    track: Track
    prompt: Prompt

    @property
    def frames(self) -> int:
        """T."""
        return len(self.track.viseme)

    @cached_property
    def cast(self) -> Identity:
        """The avatar in front of the background that the prompt asks for."""
        return self.sitter.with_background(*prompts.background_index([self.prompt]))

    @cached_property
    def moves(self) -> Tensor:
        """[T, 15]."""
        mouth, loudness = torch.from_numpy(self.track.mouth), torch.from_numpy(self.track.loudness)
        viseme = torch.from_numpy(self.track.viseme).long()
        return motion(mouth[None], loudness[None], viseme[None], prompts.emotion_index([self.prompt]))[0]

    @property
    def opening(self) -> Tensor:
        """How far the mouth is truly open, [T]."""
        return self.moves[:, 0]

    def portrait(self) -> Tensor:
        """[3, 128, 128] in 0..1."""
        return render(self.sitter, rest(1), SIZE)[0]

    def truth(self) -> Tensor:
        """The true video, [T, 3, 128, 128] in 0..1."""
        with torch.no_grad():
            return film(self.cast, self.moves[None], SIZE, chunk=64)[0]

    def frozen(self) -> Tensor:
        """The true video with the lips shut throughout: everything moves but what matters."""
        still = self.moves.clone()
        still[:, :4] = 0
        with torch.no_grad():
            return film(self.cast, still[None], SIZE)[0]

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Portrait and speech as files, as a user gives them."""
        image, audio = folder / f"{self.name}.png", folder / f"{self.name}.wav"
        pixels = (self.portrait().permute(1, 2, 0) * 255).round().byte().numpy()
        Image.fromarray(pixels).save(image)
        write_wav(audio, self.audio)
        return image, audio


def write_wav(path: Path, audio: NDArray[np.float32]) -> None:
    """16-bit mono at 16 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((audio * 32767).clip(-32768, 32767).astype("<i2").tobytes())


def people(count: int) -> list[Identity]:
    """Avatars never trained on, the same on every machine."""
    crowd = sample(count, generator(1, held_out=True))
    return [crowd.select(torch.tensor([index])) for index in range(count)]


def synthetic(count: int, seconds: float, *, flite_command: str | None = None) -> list[Case]:
    """`count` cases in voices never trained on, a take of `seconds` each; feelings and backgrounds take turns."""
    voices = (*HELD_OUT_VOICES, *HELD_OUT_FLITE_VOICES)
    cases = []
    for index, sitter in enumerate(people(count)):
        rng = random.Random(f"held out case {index}")
        said = take(voices[index % len(voices)], rng, seconds, flite_command)
        audio, track = cut(said, int(seconds * SAMPLE_RATE) // SAMPLES_PER_FRAME)
        cases.append(Case(f"voice-{index:02d}", sitter, audio, track, _wish(index, rng)))
    return cases


def recorded(recordings: list[Recording]) -> list[Case]:
    """The recordings of people, each with another avatar, calm, in front of its own background."""
    cases = []
    for recording, sitter in zip(recordings, people(len(recordings)), strict=True):
        audio = recording.audio[: recording.frames * SAMPLES_PER_FRAME]
        prompt = prompts.Prompt("a person talking", {**_CALM})
        cases.append(Case(recording.name, sitter, audio, recording.track(), prompt))
    return cases


def cut(tape: Tape, frames: int) -> tuple[NDArray[np.float32], Track]:
    """The first `frames` frames of a tape."""
    audio = tape.audio[: frames * SAMPLES_PER_FRAME].astype(np.float32) / np.float32(32768)
    mouth, loudness = tape.mouth[:frames].astype(np.float32), tape.loudness[:frames].astype(np.float32)
    return audio, Track(mouth, loudness, tape.viseme[:frames])


_CALM: Final = {"emotion": "neutral", "background": UNSAID, "hair": UNSAID, "cloth": UNSAID}


def _wish(index: int, rng: random.Random) -> Prompt:
    """Feelings in turn; every other case names a background."""
    place = tuple(BACKGROUNDS)[index // 2 % len(BACKGROUNDS)] if index % 2 else UNSAID
    return prompts.sample(rng, emotion=EMOTIONS[index % len(EMOTIONS)], background=place)
