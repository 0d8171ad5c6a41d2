"""Hours of speech with the mouth's track, as one file: `python -m engine.embedded.corpus.speech OUT --hours H`.

A *take* is some fifteen seconds of one voice, sentences of random words with pauses between; takes lie end to end on
one tape at 640 samples a video frame. The same seed gives the same sentences in the same voices; espeak-ng itself never
says a sentence twice alike (its noise and pitch go on from the last one). Knows no faces.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import time
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.embedded.corpus.synthesis import Spoken, espeak, flite
from engine.embedded.corpus.visemes import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, Segment, track

VOICES: Final = (
    *("en-us", "en", "en-gb-scotland", "en-029", "en-us-nyc", "en-gb-x-gbclan", "en-us+f1", "en-us+f2", "en-us+f3"),
    *("en-us+m1", "en-us+m2", "en-us+m3", "en-us+m4", "en-us+m6", "en-us+m7", "en+f5", "en+m8", "en-us+klatt2"),
    *("en-us+klatt4", "en-us+Annie", "en-us+linda", "en-us+steph", "en+f3", "en-029+m3", "en-gb-scotland+f2", "de"),
    *("de+f2", "es", "es+f4", "fr", "pt", "nl", "en-us+croak", "en+Alicia", "en-us+Andy", "en-us+Gene"),
)
HELD_OUT_VOICES: Final = ("en-gb-x-rp", "en-us+f4", "en-us+m5", "it")
FLITE_VOICES: Final = ("slt", "awb", "kal16")
HELD_OUT_FLITE_VOICES: Final = ("rms",)
_TAKE_SECONDS: Final = 13.0
_MEAN_TAKE_SECONDS: Final = 15.5  # what takes of at least 13 s come to, with silences and the last sentence: measured


@dataclass(frozen=True)
class Tape:
    """Takes end to end. `audio` [F*640] int16 at 16 kHz; `mouth` [F, 4] f16, `loudness` [F] f16, `viseme` [F] uint8;
    `start` and `frames` [N] int64: where each take begins and how long it is, in frames; `voice` [N] its name."""

    audio: NDArray[np.int16]
    mouth: NDArray[np.float16]
    loudness: NDArray[np.float16]
    viseme: NDArray[np.uint8]
    start: NDArray[np.int64]
    frames: NDArray[np.int64]
    voice: NDArray[np.str_]

    def save(self, path: Path) -> None:
        """One uncompressed .npz, written beside and renamed."""
        beside = path.with_name(path.name + ".tmp.npz")
        np.savez(beside, **{field.name: getattr(self, field.name) for field in fields(self)})
        beside.replace(path)

    @classmethod
    def load(cls, path: Path) -> Tape:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            return cls(**{field.name: data[field.name] for field in fields(cls)})


@cache
def words() -> tuple[str, ...]:
    """The vocabulary: some thousand common words rich in sounds."""
    return tuple(Path(__file__).with_name("words.txt").read_text(encoding="utf-8").split())


def sentence(rng: random.Random) -> str:
    """Three to ten random words, sometimes with a comma."""
    chosen = [rng.choice(words()) for _count in range(rng.randint(3, 10))]
    if len(chosen) > 4 and rng.random() < 0.35:
        chosen[len(chosen) // 2] += ","
    return " ".join(chosen).capitalize() + rng.choice(".?!")


def spoken(text: str, voice: str, rng: random.Random, flite_command: str | None = None) -> Spoken:
    """`text` in an espeak or flite voice at a random rate, pitch and liveliness."""
    if voice in FLITE_VOICES + HELD_OUT_FLITE_VOICES:
        return flite(text, voice, rng.uniform(0.82, 1.25), flite_command)
    pitch, pitch_range = rng.randint(20, 80), rng.randint(30, 80)
    return espeak().speak(text, voice, rng.randint(125, 210), pitch, pitch_range)


def take(voice: str, rng: random.Random, seconds: float = _TAKE_SECONDS, flite_command: str | None = None) -> Tape:
    """One take of at least `seconds`."""
    pieces: list[NDArray[np.float32]] = [_silence(rng.uniform(0.05, 0.5))]
    segments: list[Segment] = []
    while sum(map(len, pieces)) < seconds * SAMPLE_RATE:
        offset = sum(map(len, pieces)) / SAMPLE_RATE
        said = spoken(sentence(rng), voice, rng, flite_command)
        segments += [Segment(a + offset, b + offset, v) for a, b, v in said.segments]
        pieces += [said.audio, _silence(_pause(rng))]
    audio = np.concatenate(pieces)
    frames = len(audio) // SAMPLES_PER_FRAME
    audio = audio[: frames * SAMPLES_PER_FRAME]
    audio = audio / (np.abs(audio).max() + 1e-6) * rng.uniform(0.3, 0.95)
    mouth = track(segments, audio, frames)
    return Tape(
        (audio * 32767).astype(np.int16),
        mouth.mouth.astype(np.float16),
        mouth.loudness.astype(np.float16),
        mouth.viseme,
        np.zeros(1, np.int64),
        np.array([frames], np.int64),
        np.array([voice]),
    )


def joined(takes: list[Tape]) -> Tape:
    """Takes (or tapes) end to end."""
    parts = {f.name: np.concatenate([getattr(tape, f.name) for tape in takes]) for f in fields(Tape)}
    parts["start"] = np.concatenate([[0], np.cumsum(parts["frames"])[:-1]])
    return Tape(**parts)


def synthesise(
    hours: float,
    seed: int,
    workers: int,
    *,
    flite_share: float = 0.25,
    held_out: bool = False,
    flite_command: str | None = None,
) -> Tape:
    """A tape of about `hours`; held-out voices and sentences when `held_out`, training ones otherwise."""
    voices = (HELD_OUT_VOICES, HELD_OUT_FLITE_VOICES) if held_out else (VOICES, FLITE_VOICES)
    count = max(1, round(hours * 3600 / _MEAN_TAKE_SECONDS))
    side = "held out" if held_out else "training"
    jobs = []
    for index in range(count):
        rng = random.Random(f"{side} {seed} {index}")
        family = voices[rng.random() < flite_share]
        jobs.append((rng.choice(family), rng.random(), flite_command))
    if workers <= 1:
        return joined([_take_of(job) for job in jobs])
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return joined(pool.map(_take_of, jobs, chunksize=max(1, min(16, count // (4 * workers)))))


def _take_of(job: tuple[str, float, str | None]) -> Tape:
    voice, seed, flite_command = job
    return take(voice, random.Random(seed), flite_command=flite_command)


def _silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(int(seconds * SAMPLE_RATE), np.float32)


def _pause(rng: random.Random) -> float:
    """Mostly a breath, sometimes a thought, now and then a long silence in which the face must come to rest."""
    low, high = rng.choices([(0.12, 0.55), (0.55, 1.1), (1.4, 2.8)], [0.78, 0.16, 0.06])[0]
    return rng.uniform(low, high)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make training speech with the mouth's track.")
    parser.add_argument("out", type=Path, help="file to write, .npz")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--held-out", action="store_true", help="voices and sentences kept out of training")
    parser.add_argument("--flite", help="path of the flite command")
    parser.add_argument("--flite-share", type=float, default=0.25, help="share of takes in flite's voices")
    chosen = parser.parse_args()
    began = time.monotonic()
    tape = synthesise(
        chosen.hours,
        chosen.seed,
        chosen.workers,
        flite_share=chosen.flite_share,
        held_out=chosen.held_out,
        flite_command=chosen.flite,
    )
    tape.save(chosen.out)
    made = int(tape.frames.sum()) / FPS / 3600
    print(f"{made:.2f} h in {len(tape.start)} takes, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
