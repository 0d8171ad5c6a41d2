"""Clips: speech, prompt and video of one batch belong together; prompts say what they ask for; noise shifts nothing."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.embedded.corpus import prompts
from engine.embedded.corpus.augment import augment, equalised, noise, reverberated
from engine.embedded.corpus.clips import Batch, DrawSource, SpeechBank, make_batch
from engine.embedded.corpus.dynamics import EMOTIONS
from engine.embedded.corpus.identity import BACKGROUNDS, generator
from engine.embedded.corpus.prompts import ATTRIBUTES, UNSAID
from engine.embedded.corpus.scene import MOTION
from tests.engine.embedded.tapes import recorded_tape

TAPE = recorded_tape()
FRAMES = 40


@pytest.fixture(scope="module")
def batch() -> Batch:
    return make_batch(SpeechBank.from_tape(TAPE), DrawSource(0), 24, FRAMES)


def test_a_batch_is_repeatable_and_both_sides_differ(batch: Batch) -> None:
    again = make_batch(SpeechBank.from_tape(TAPE), DrawSource(0), 24, FRAMES)
    other = make_batch(SpeechBank.from_tape(TAPE), DrawSource(0, held_out=True), 24, FRAMES)
    assert torch.equal(batch.motion, again.motion) and [p.text for p in batch.prompts] == [
        p.text for p in again.prompts
    ]
    assert not torch.equal(batch.sitters.values, other.sitters.values)


def test_sound_and_mouth_come_from_one_place_of_one_take(batch: Batch) -> None:
    assert batch.audio.shape == (24, FRAMES * 640) and batch.mouth.shape == (24, FRAMES, 4)
    audio, mouth = torch.from_numpy(TAPE.audio).float() / 32768, torch.from_numpy(TAPE.mouth).float()
    for clip in range(6):
        match = (mouth.unfold(0, FRAMES, 1).transpose(1, 2) - batch.mouth[clip]).abs().amax((1, 2))
        first = int(match.argmin())
        torch.testing.assert_close(audio[first * 640 : (first + FRAMES) * 640], batch.audio[clip])
        take = max(i for i, start in enumerate(TAPE.start) if start <= first)
        assert first + FRAMES <= TAPE.start[take] + TAPE.frames[take]


def test_the_video_shows_what_the_prompt_asks_for(batch: Batch) -> None:
    channels = {"smiling": "smile", "angry": "angry", "sad": "sad", "surprised": "surprise"}
    for clip, prompt in enumerate(batch.prompts):
        emotion = prompt.attributes["emotion"]
        if emotion in channels:
            assert float(batch.motion[clip, :, MOTION.index(channels[emotion])].min()) > 0.5
    video = batch.video(32)
    assert video.shape == (24, FRAMES, 3, 32, 32)
    portrait = batch.portrait(32)
    named = 0
    for clip, prompt in enumerate(batch.prompts):
        wall, place = video[clip, 0, :, 1, 1], prompt.attributes["background"]
        if place == UNSAID:
            torch.testing.assert_close(wall, portrait[clip, :, 1, 1])
        else:
            named += 1
            assert float((wall - torch.tensor(BACKGROUNDS[place])).abs().max()) < 0.16, place
    assert 4 < named < 18


@given(st.integers(0, 10_000))
def test_a_prompt_says_what_it_asks_for(seed: int) -> None:
    prompt = prompts.sample(random.Random(seed))
    text = prompt.text.lower().replace("grey", "gray")
    assert set(prompt.attributes) == set(ATTRIBUTES)
    assert all(prompt.attributes[key] in names for key, names in ATTRIBUTES.items())
    for key, word in (("hair", " hair"), ("cloth", " clothes")):
        said = prompt.attributes[key]
        assert (word in text) == (said != UNSAID)
        assert said == UNSAID or said + word in text
    place = prompt.attributes["background"]
    assert place == UNSAID or place in text
    assert any(word in text for word in ("wall", "background", "backdrop")) == (place != UNSAID)


def test_labels_of_prompts() -> None:
    rng = random.Random(0)
    said = [prompts.sample(rng, emotion="sad", background="pink"), prompts.sample(rng, background=UNSAID)]
    index, chosen = prompts.background_index(said)
    assert chosen.tolist() == [True, False]
    assert int(index[0]) == tuple(BACKGROUNDS).index("pink")
    assert int(prompts.emotion_index(said)[0]) == EMOTIONS.index("sad")


def test_augmentation_moves_nothing_in_time() -> None:
    torch.manual_seed(0)
    click = torch.zeros(4, 16_000)
    click[:, 8_000] = 1
    for change in (reverberated, equalised):
        changed = change(click, generator(0))
        assert changed.shape == click.shape
        assert (changed.abs().argmax(-1) - 8_000).abs().max() <= 2, change.__name__


def test_augmentation_keeps_speech_in_range_and_silence_silent() -> None:
    speech = torch.from_numpy(TAPE.audio[: 2 * 16_000]).float()[None].expand(8, -1) / 32768
    loud = augment(speech, generator(1))
    assert bool(torch.isfinite(loud).all()) and float(loud.abs().max()) <= 0.99
    assert len({round(float(peak), 3) for peak in loud.abs().amax(-1)}) > 4
    quiet = augment(torch.zeros(4, 16_000), generator(2))
    assert bool(torch.isfinite(quiet).all())
    assert float(noise(torch.zeros(4, 16_000), generator(3)).abs().max()) < 1e-3
