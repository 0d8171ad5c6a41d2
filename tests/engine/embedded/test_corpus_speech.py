"""Synthetic speech: needs espeak-ng and flite, and is skipped with the reason where they are not installed."""

from __future__ import annotations

import ctypes.util
import importlib.util
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.embedded.corpus import speech
from engine.embedded.corpus.synthesis import flite, resampled
from engine.embedded.corpus.visemes import CLOSURE, SILENCE, VISEMES
from lora_repository.finding import Problem

espeak_here = ctypes.util.find_library("espeak-ng") is not None or importlib.util.find_spec("espeakng_loader")
needs_espeak = pytest.mark.skipif(not espeak_here, reason="espeak-ng is not installed")
needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


def agrees_with_sound(tape: speech.Tape) -> bool:
    """Where the track says speech there is sound, where it says silence there is little."""
    energy = np.sqrt((tape.audio.astype(float).reshape(-1, 640) ** 2).mean(1))
    silent = tape.viseme == SILENCE
    return bool(np.median(energy[~silent]) > 10 * np.median(energy[silent]))


@needs_espeak
@pytest.mark.parametrize("voice", ["en-us", "de+f2", *speech.HELD_OUT_VOICES])
def test_espeak_takes(voice: str) -> None:
    tape = speech.take(voice, random.Random(1), 4.0)
    assert tape.frames[0] >= 100 and len(tape.audio) == tape.frames[0] * 640
    assert agrees_with_sound(tape)
    assert len(set(tape.viseme.tolist())) > 8


@needs_flite
@pytest.mark.parametrize("voice", [*speech.FLITE_VOICES, *speech.HELD_OUT_FLITE_VOICES])
def test_flite_takes(voice: str) -> None:
    assert agrees_with_sound(speech.take(voice, random.Random(1), 3.0))


@needs_flite
def test_phonemes_lie_where_they_are_heard() -> None:
    """In 'papa' lips are shut twice, and the vowel after each closure is the loudest."""
    said = flite("papa", "slt")
    closures = [segment for segment in said.segments if segment.viseme == CLOSURE]
    assert len(closures) == 2
    shut = said.audio[int(closures[1].start * 16_000) : int(closures[1].end * 16_000) - 320]
    after = said.audio[int(closures[1].end * 16_000) :][:1600]
    assert np.abs(after).mean() > 3 * np.abs(shut).mean()


@needs_espeak
def test_a_tape_is_whole_and_its_voices_follow_from_the_seed(tmp_path: Path) -> None:
    one, two = (speech.synthesise(0.02, 3, workers, flite_share=0) for workers in (1, 2))
    assert one.voice.tolist() == two.voice.tolist()
    assert set(one.voice.tolist()) <= set(speech.VOICES)
    two.save(tmp_path / "tape.npz")
    read = speech.Tape.load(tmp_path / "tape.npz")
    np.testing.assert_array_equal(read.mouth, two.mouth)
    assert int(read.start[-1] + read.frames[-1]) == len(read.viseme) == len(read.audio) // 640
    assert [path.name for path in tmp_path.iterdir()] == ["tape.npz"]
    assert agrees_with_sound(read)


def test_voices_are_kept_apart_and_the_vocabulary_is_broad() -> None:
    assert not set(speech.VOICES) & set(speech.HELD_OUT_VOICES)
    assert not set(speech.FLITE_VOICES) & set(speech.HELD_OUT_FLITE_VOICES)
    assert len(set(speech.words())) > 600


@needs_espeak
def test_an_unknown_voice_is_refused() -> None:
    with pytest.raises(Problem, match="AVATAR003"):
        speech.take("xx-nobody", random.Random(0), 1.0)


def test_resampling_keeps_time_and_tone() -> None:
    time = np.arange(22_050) / 22_050
    tone = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    out = resampled(tone, 22_050)
    assert len(out) == 16_000
    expected = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    np.testing.assert_allclose(out[1000:15_000], expected[1000:15_000], atol=0.02)
    assert len(VISEMES) == 20
