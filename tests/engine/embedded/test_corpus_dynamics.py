"""Motion is a fixed, causal, forgetful function of the speech and of the feeling asked for."""

from __future__ import annotations

import torch

from engine.embedded.corpus.dynamics import EMOTIONS, blinks, feeling, motion
from engine.embedded.corpus.scene import MOTION, rest
from engine.embedded.corpus.visemes import CLOSURE, SILENCE, VISEMES
from engine.embedded.metrics import real_speech

SPEAKING = VISEMES.index("AA")
Speech = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def speech() -> Speech:
    """A recording of a person, as tracks [1, T, ...]."""
    track = real_speech.load()[0].track()
    return (
        torch.from_numpy(track.mouth)[None],
        torch.from_numpy(track.loudness)[None],
        torch.from_numpy(track.viseme).long()[None],
    )


def moved(said: Speech, emotion: str = "neutral") -> torch.Tensor:
    return motion(*said, torch.tensor([EMOTIONS.index(emotion)]))


def channel(moves: torch.Tensor, name: str) -> torch.Tensor:
    return moves[..., MOTION.index(name)]


def test_what_comes_later_changes_nothing_before() -> None:
    said = speech()
    whole = moved(said)
    start = moved(tuple(part[:, :60] for part in said))  # type: ignore[arg-type]
    torch.testing.assert_close(whole[:, :60], start, atol=1e-6, rtol=0)


def test_in_silence_the_face_is_still() -> None:
    frames = 150
    silence = (torch.zeros(1, frames, 4), torch.zeros(1, frames), torch.full((1, frames), SILENCE))
    torch.testing.assert_close(moved(silence), rest(1, frames))


def test_speech_moves_the_head_visibly_but_moderately() -> None:
    moves = moved(speech())
    for name, least, most in (("yaw", 0.02, 0.30), ("pitch", 0.02, 0.30), ("roll", 0.008, 0.12)):
        assert float(channel(moves, name).std()) > least, name
        assert float(channel(moves, name).abs().max()) < most, name


def test_the_head_forgets_after_four_seconds() -> None:
    """What was said before reaches no further than the two filters in a row: a hundred frames."""
    said = speech()
    other = tuple(torch.cat([part[:, 40:] * 0 if part.dtype != torch.long else part[:, 40:] * 0 + SILENCE, part], 1)
                  for part in said)  # fmt: skip
    lead = other[0].shape[1] - said[0].shape[1]
    alone, after_silence = moved(said), moved(other)[:, lead:]  # type: ignore[arg-type]
    for name in ("open", "yaw", "pitch", "roll", "x", "y", "gaze"):
        torch.testing.assert_close(channel(alone, name), channel(after_silence, name), atol=1e-5, rtol=0)


def test_a_feeling_lasts_and_differs() -> None:
    said = speech()
    calm = moved(said)
    for emotion in EMOTIONS[1:]:
        added = moved(said, emotion) - calm
        steady = [i for i, name in enumerate(MOTION) if name != "open"]
        assert float(added[..., steady].std(1).max()) < 1e-6, emotion
    table = feeling(torch.arange(len(EMOTIONS)))
    apart = torch.cdist(table, table)[~torch.eye(len(EMOTIONS), dtype=torch.bool)]
    assert float(apart.min()) > 0.8


def test_eyes_blink_as_a_phrase_ends() -> None:
    viseme = torch.full((1, 80), SPEAKING)
    viseme[:, 40:] = SILENCE
    eyes = blinks(viseme)[0]
    assert bool((eyes[:42] == 1).all())
    assert int(eyes.argmin()) == 44, "120 ms of silence, and two frames until the lids meet"
    assert bool((eyes[48:] == 1).all()), "once"


def test_in_long_speech_eyes_blink_as_the_lips_close_and_never_twice_in_a_row() -> None:
    viseme = torch.full((1, 200), SPEAKING)
    viseme[:, ::10] = CLOSURE
    shut = (blinks(viseme)[0] < 0.01).nonzero()[:, 0]
    assert len(shut) >= 3
    assert int(shut.diff().min()) >= 20
