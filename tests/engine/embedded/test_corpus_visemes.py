"""Phonemes become a mouth at the right frame, with lips that meet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.embedded.corpus.visemes import (
    FPS,
    SAMPLES_PER_FRAME,
    SHAPES,
    VISEMES,
    Segment,
    from_arpabet,
    from_ipa,
    loudness_of,
    track,
)

AA, MBP, SIL = (VISEMES.index(name) for name in ("AA", "MBP", "sil"))


def noise(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    rng = np.random.default_rng(0)
    return (0.1 * rng.standard_normal(int(seconds * 16_000))).astype(np.float32)


def test_frame_k_shows_the_sound_at_its_middle_twenty_milliseconds_ahead() -> None:
    """A vowel from 0.42 to 0.62 s: its middle, 0.50 s after anticipation, is the boundary of frames 12 and 13."""
    opened = track([Segment(0.42, 0.62, AA)], noise(1.2), 30).mouth[:, 0]
    middle = float((opened * (np.arange(30) + 0.5)).sum() / opened.sum()) / FPS
    assert middle == pytest.approx(0.50, abs=0.005)
    assert opened[:7].max() == 0 and opened[18:].max() == 0


def test_lips_meet_between_vowels() -> None:
    segments = [Segment(0, 0.4, AA), Segment(0.4, 0.47, MBP), Segment(0.47, 1.0, AA)]
    opened = track(segments, noise(1.0), 25).mouth[:, 0]
    assert opened[5] > 0.8 and opened[20] > 0.8
    assert opened[9:12].min() < 0.1


def test_a_diphthong_is_two_shapes() -> None:
    first, second = from_arpabet(0.0, 1.0, "AY1")
    assert (VISEMES[first.viseme], VISEMES[second.viseme]) == ("AA", "IY")
    assert first.end == second.start == pytest.approx(0.55)
    assert [VISEMES[s.viseme] for s in from_ipa(0, 1, "aɪ")] == ["AA", "IY"]


@pytest.mark.parametrize(
    ("phoneme", "name"),
    [("p", "MBP"), ("ˈɑː", "AA"), ("tʃ", "SH"), ("_:", "sil"), ("(en)", "sil"), ("ʙ", "TDN"), ("ɹ", "R")],
)
def test_ipa(phoneme: str, name: str) -> None:
    assert [VISEMES[s.viseme] for s in from_ipa(0, 1, phoneme)] == [name]


def test_every_arpabet_phone_has_a_shape() -> None:
    phones = "aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh"
    assert all(SIL not in [s.viseme for s in from_arpabet(0, 1, phone)] for phone in phones.split())
    assert [s.viseme for s in from_arpabet(0, 1, "pau")] == [SIL]


def test_loudness_is_relative_to_the_speech_itself() -> None:
    """Neither the gain nor the silence around it changes how loud a word is."""
    audio = noise(1.0) * np.linspace(0.1, 1, 16_000, dtype=np.float32)
    plain = loudness_of(audio, 25)
    np.testing.assert_allclose(loudness_of(audio * 0.1, 25), plain, atol=1e-3)
    padded = np.concatenate([audio, np.zeros(3 * 16_000, np.float32)])
    np.testing.assert_allclose(loudness_of(padded, 100)[:22], plain[:22], atol=0.03)
    assert loudness_of(np.zeros(16_000, np.float32), 25).max() == 0


@given(
    st.lists(st.tuples(st.floats(-1, 4), st.floats(-0.5, 1), st.integers(0, len(SHAPES) - 1)), max_size=20),
    st.integers(1, 60),
)
def test_any_segments_give_a_mouth_within_bounds(parts: list[tuple[float, float, int]], frames: int) -> None:
    segments = [Segment(start, start + length, viseme) for start, length, viseme in parts]
    made = track(segments, np.zeros(frames * SAMPLES_PER_FRAME, np.float32), frames)
    assert made.mouth.shape == (frames, 4) and made.viseme.shape == made.loudness.shape == (frames,)
    assert np.isfinite(made.mouth).all()
    assert made.mouth[:, 0].min() >= 0 and np.abs(made.mouth).max() <= 1.0001
