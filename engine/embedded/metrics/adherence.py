"""Does the video obey the prompt? The feeling that the probe reads, and the colour behind the head. Knows no sound."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from engine.embedded.corpus.identity import BACKGROUNDS
from engine.embedded.metrics.probe import Reading

_CORNER: Final = 0.12
"""Side of the two upper corners, of the picture's: no head reaches there."""


_STATES: Final = {"smiling": "smile", "angry": "angry", "sad": "sad", "surprised": "surprise"}
_CALM: Final = 0.4
"""A feeling weaker than this is none."""


def feeling(reading: Reading) -> str:
    """The emotion (`dynamics.EMOTIONS`) that a video shows: the strongest of the probe's readings, or neutral."""
    strengths = {word: float(reading.state(state).mean()) for word, state in _STATES.items()}
    strengths["neutral"] = _CALM
    return max(strengths, key=lambda word: strengths[word])


def background(video: Tensor) -> Tensor:
    """Median colour [3] of the upper corners of video [T, 3, H, W] in 0..1."""
    side = max(2, round(_CORNER * video.shape[-1]))
    corners = torch.cat([video[:, :, :side, :side], video[:, :, :side, -side:]], -1)
    return corners.transpose(0, 1).flatten(1).median(1).values


def background_name(video: Tensor) -> str:
    """The palette colour nearest to the background of a video."""
    colour = background(video)
    palette = colour.new_tensor(list(BACKGROUNDS.values()))
    return tuple(BACKGROUNDS)[int((palette - colour).norm(dim=-1).argmin())]
