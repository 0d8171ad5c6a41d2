"""A tape for tests, cut from the recordings of people: no synthesiser is needed."""

from __future__ import annotations

import numpy as np

from engine.embedded.corpus.speech import Tape, joined
from engine.embedded.corpus.visemes import SAMPLES_PER_FRAME
from engine.embedded.metrics import real_speech


def recorded_tape(count: int = 5) -> Tape:
    """The first `count` recordings, a take each."""
    takes = []
    for recording in real_speech.load()[:count]:
        track, frames = recording.track(), recording.frames
        takes.append(
            Tape(
                (recording.audio[: frames * SAMPLES_PER_FRAME] * 32767).astype(np.int16),
                track.mouth.astype(np.float16),
                track.loudness.astype(np.float16),
                track.viseme,
                np.zeros(1, np.int64),
                np.array([frames], np.int64),
                np.array([recording.name]),
            )
        )
    return joined(takes)
