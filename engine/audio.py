"""From a speech to the audio features of every block (SPEC section 1, item 6), for a speech of any length.

The encoder hears stretches of 20 seconds with one more second on both sides; only the features of the stretch and of
the block at hand are held. In whole mode it hears the file at once, as upstream does. Knows no picture and no text. One
number: upstream holds 50 KiB a frame on the device, 9 GB for two hours; here it is 51 MB whatever the length.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.media import blocks_for
from engine.model.wav2vec2 import Wav2Vec2
from engine.spec import FPS, FRAMES_PER_BLOCK
from engine.speech import RATE, Loudness, Samples, measure, read_mono, stretches, windows
from engine.transfer import upload

STRETCH_SECONDS: Final = 20
MARGIN_SECONDS: Final = 1
_VECTOR_RATE: Final = 30
"""Upstream resamples the states to this rate before it picks one for each video frame."""
_VARIANCE_FLOOR: Final = 1e-7


class AudioFeatures:
    """The features of a speech block by block: `[1, layers, C, 12]`, in order, as often as one iterates.

    `blocks` defaults to as many as the speech needs; frames beyond its end are zero vectors, as upstream's.
    """

    def __init__(self, model: Wav2Vec2, path: Path, *, blocks: int | None = None, whole: bool = False) -> None:
        self._model = model
        self._path = path
        self._whole = whole
        self.loudness: Loudness = measure(read_mono(path), path)
        self.blocks = blocks_for(self.loudness.seconds) if blocks is None else blocks

    @property
    def seconds(self) -> float:
        """Length of the speech."""
        return self.loudness.seconds

    @property
    def states(self) -> int:
        """States of the encoder, 50 a second."""
        return self._model.config.states(self.loudness.samples)

    @property
    def vectors(self) -> int:
        """Vectors at upstream's 30 Hz."""
        return int(self.states / (RATE / self._model.config.hop) * _VECTOR_RATE)

    def __len__(self) -> int:
        return self.blocks

    def __iter__(self) -> Iterator[Tensor]:
        config, weight = self._model.config, self._model.encoder.layer_norm.weight
        silence = weight.new_zeros(FRAMES_PER_BLOCK, config.num_hidden_layers + 1, config.hidden_size)
        places = [state_positions(block, self.vectors, self.states) for block in range(self.blocks)]
        heard = [place for place in places if place.size]
        spans = [(int(place[0]), min(self.states, int(place[-1]) + 2)) for place in heard]
        for place, states in zip(heard, windows(self._stream(), spans, torch.cat), strict=True):
            features = silence.clone()
            features[: place.size] = _between(states, place - int(place[0]))
            yield features.permute(1, 2, 0).unsqueeze(0)
        for _ in range(self.blocks - len(heard)):
            yield silence.permute(1, 2, 0).unsqueeze(0)

    @torch.no_grad()
    def _stream(self) -> Iterator[Tensor]:
        """States `[t, layers, C]` of one stretch after another, each stretch's own."""
        hop, reach = self._model.config.hop, self._model.config.reach
        second = RATE // hop
        core = self.states if self._whole else STRETCH_SECONDS * second
        plan = list(stretches(self.states, core, MARGIN_SECONDS * second))
        spans = [(hop * heard.start, hop * (heard.stop - 1) + reach) for _, heard in plan]
        for (inner, heard), wave in zip(plan, windows(read_mono(self._path), spans, np.concatenate), strict=True):
            states = self._model(self._normalised(wave).unsqueeze(0))[0].transpose(0, 1)
            yield states[inner.start - heard.start : inner.stop - heard.start]

    def _normalised(self, wave: Samples) -> Tensor:
        """Mean 0 and variance 1 over the whole file, in the model's precision and place."""
        spread = math.sqrt(self.loudness.variance + _VARIANCE_FLOOR)
        weight = self._model.encoder.layer_norm.weight
        normal = torch.from_numpy((wave - np.float32(self.loudness.mean)) / np.float32(spread))
        return upload(normal, weight.device).to(weight.dtype)


def state_positions(block: int, vectors: int, states: int) -> NDArray[np.float64]:
    """Where in the encoder's states the frames of a block lie, as fractions of a step; fewer than 12 at the end.

    Frame j takes vector round(j / 25 * 30) of those at 30 Hz, and vector i lies at i (states - 1) / (vectors - 1).
    """
    frames = np.arange(FRAMES_PER_BLOCK * block, FRAMES_PER_BLOCK * (block + 1))
    wanted = np.rint(frames / FPS * _VECTOR_RATE)
    return wanted[wanted < vectors] * ((states - 1) / max(1, vectors - 1))


def _between(states: Tensor, places: NDArray[np.float64]) -> Tensor:
    """States `[t, ...]` interpolated at `places`: `[places, ...]`."""
    floor = np.floor(places).astype(np.int64)
    before, after = (
        upload(torch.from_numpy(index), states.device) for index in (floor, np.minimum(floor + 1, len(states) - 1))
    )
    share = upload(torch.from_numpy(places - floor), states.device).to(states.dtype).view(-1, 1, 1)
    return torch.lerp(states.index_select(0, before), states.index_select(0, after), share)
