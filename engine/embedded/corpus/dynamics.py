"""How an avatar moves: a fixed function of what is said and of the feeling asked for, with nothing left to chance.

A model that hears the same speech can therefore know every motion; random sway or blinks would force it to average
over what it cannot know, and an average of faces is blurred. Every filter is causal and forgets within two seconds,
the reach of the model's memory, and starts from rest with the clip, as a run does. Knows no pixels.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from engine.embedded.corpus.scene import MOTION, rest
from engine.embedded.corpus.visemes import CLOSURE, FPS, SILENCE

EMOTIONS: Final = ("neutral", "smiling", "angry", "sad", "surprised")
_FEELINGS: Final[dict[str, dict[str, float]]] = {
    "neutral": {},
    "smiling": {"smile": 0.85},
    "angry": {"angry": 1.0, "smile": -0.62},
    "sad": {"sad": 1.0, "smile": -0.85, "pitch": 0.05},
    "surprised": {"surprise": 1.0},
}
_KERNEL: Final = 50  # frames: exp(-50 / (0.6 * 25)) = 4 % of the slowest filter is left out, by definition
_BLINK: Final = (0.55, 0.08, 0.0, 0.35, 0.8)  # what is left of the eye's opening, frame by frame
_PAUSE: Final = 3  # frames of silence that make a phrase's end: 120 ms
_SOONEST: Final = 20  # frames between two blinks at least
_LATEST: Final = 45  # frames of speech after which the next closure of the lips brings a blink


def motion(mouth: Tensor, loudness: Tensor, viseme: Tensor, emotion: Tensor) -> Tensor:
    """Motion [B, T, 15] (`scene.MOTION`) from `mouth` [B, T, 4], `loudness` [B, T], `viseme` [B, T], `emotion` [B]."""
    speaking = (viseme != SILENCE).to(mouth.dtype)
    jaw, spread = mouth[..., 0], mouth[..., 1] - mouth[..., 2]
    strength = loudness * speaking
    yaw = 0.30 * _low(spread, 0.28) - 0.18 * _low(spread, 0.6)
    pitch = 0.42 * (_low(jaw, 0.12) - _low(jaw, 0.6)) + 0.035 * _low(speaking, 0.4)
    roll = 0.12 * (_low(strength, 0.25) - _low(_low(strength, 0.6), 0.6)) + 0.25 * (_low(yaw, 0.5) - 0.1 * yaw)
    felt = feeling(emotion)[:, None]
    opened = jaw + felt[..., MOTION.index("surprise")] * (0.13 - 0.13 * jaw)
    channels = {
        "open": opened,
        "wide": mouth[..., 1],
        "round": mouth[..., 2],
        "teeth": mouth[..., 3],
        "eye": blinks(viseme).to(mouth.dtype),
        "gaze": (7.0 * yaw).clamp(-1, 1),
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "x": -0.14 * yaw,
        "y": 0.10 * pitch,
    }
    own = torch.stack([channels.get(name, torch.zeros_like(jaw)) for name in MOTION], -1)
    return own + felt


def feeling(emotion: Tensor) -> Tensor:
    """What an emotion [B] (index into EMOTIONS) adds to the motion of a whole clip: [B, 15]."""
    table = [[_FEELINGS[name].get(channel, 0.0) for channel in MOTION] for name in EMOTIONS]
    return torch.tensor(table, device=emotion.device)[emotion]


def blinks(viseme: Tensor) -> Tensor:
    """Opening of the eyes [B, T], 1 open: they blink as a phrase ends, and in long speech as the lips close."""
    silent, closing = viseme == SILENCE, viseme == CLOSURE
    since = torch.zeros_like(viseme[:, 0], dtype=torch.int32)
    quiet = torch.zeros_like(since)
    starts = []
    for k in range(viseme.shape[1]):
        quiet = (quiet + 1) * silent[:, k]
        start = ((quiet == _PAUSE) & (since >= _SOONEST)) | (closing[:, k] & (since >= _LATEST))
        since = (since + 1) * ~start
        starts.append(start)
    started = torch.stack(starts, 1).float()
    shut = 1 - torch.tensor(_BLINK, device=viseme.device)
    return 1 - _causal(started, shut)


def reference_pose(count: int, rng: torch.Generator) -> Tensor:
    """Motion [count, 15] of portraits: calm, mouth shut, the head a little off straight, as portraits are."""
    pose = rest(count, device=rng.device)
    for name, reach in (("yaw", 0.05), ("pitch", 0.03), ("roll", 0.02), ("gaze", 0.2)):
        pose[:, MOTION.index(name)] = (torch.rand(count, generator=rng, device=rng.device) * 2 - 1) * reach
    return pose


def _low(signal: Tensor, seconds: float) -> Tensor:
    """Causal one-pole low-pass of [B, T] along T with the given time constant, from rest."""
    decay = math.exp(-1 / (FPS * seconds))
    steps = torch.arange(_KERNEL, device=signal.device, dtype=signal.dtype)
    return _causal(signal, (1 - decay) * decay**steps)


def _causal(signal: Tensor, kernel: Tensor) -> Tensor:
    padded = torch.nn.functional.pad(signal[:, None], (kernel.shape[0] - 1, 0))
    return torch.nn.functional.conv1d(padded, kernel.flip(0)[None, None].to(signal.dtype))[:, 0]
