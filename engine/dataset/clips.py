"""Videos of the person speaking: sound and picture together, long enough, lips and sound in step. Knows no torch.

The offset is where the gap of the lips and the loudness of the sound agree best; it is told only where they agree.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from engine.dataset import codes, mesh
from engine.dataset.grades import Graded
from engine.dataset.sounds import SHORTEST_S
from engine.speech import RATE, read_mono
from lora_repository.finding import Finding, Problem

REACH: Final = 12
MOST_OFFSET: Final = 2
_AGREE: Final = 0.3
_SECONDS: Final = 8

Track = NDArray[np.float64]


def grade(path: Path, name: str, *, faces: bool) -> Graded:
    """One file; `faces`: whether lips can be looked at."""
    try:
        with av.open(str(path.absolute())) as container:
            rate = float(container.streams.video[0].average_rate or 25)
            mute = not container.streams.audio
            shown = container.decode(container.streams.video[0])
            frames = [frame.to_ndarray(format="rgb24") for frame in islice(shown, round(_SECONDS * rate))]
            seconds = float(container.duration or 0) / av.time_base
    except (av.FFmpegError, IndexError, OSError) as fault:
        return Graded(name, (codes.VIDEO_UNREADABLE.finding(reason=str(fault)),))
    found: list[Finding] = [codes.VIDEO_MUTE.finding()] if mute else []
    if seconds < SHORTEST_S:
        found.append(codes.VIDEO_SHORT.finding(found=f"{seconds:.1f}", least=SHORTEST_S))
    if faces and frames:
        found += _of_lips(path, np.stack(frames), rate, mute=mute)
    return Graded(name, tuple(found))


def offset(gap: Track, loudness: Track) -> tuple[int, float]:
    """Frames by which the sound comes late, and the correlation there."""
    inner = slice(REACH, len(gap) - REACH)
    tried = {}
    for lag in range(-REACH, REACH + 1):
        shifted = loudness[REACH + lag : len(gap) - REACH + lag]
        tried[lag] = _correlation(gap[inner], shifted)
    best = max(tried, key=lambda lag: tried[lag])
    return best, tried[best]


def _of_lips(path: Path, frames: NDArray[np.uint8], rate: float, *, mute: bool) -> list[Finding]:
    seen = mesh.read(frames)
    if seen.found < 0.5:
        return [codes.FACE_MISSING.finding()]
    if mute or len(frames) < 4 * REACH:
        return []
    try:
        loud = _loudness(path, rate, len(frames))
    except Problem as fault:
        return [codes.SOUND_UNREADABLE.finding(reason=fault.finding.message.rstrip("."))]
    lag, agreement = offset(seen.gap.astype(np.float64), loud)
    if agreement < _AGREE or abs(lag) <= MOST_OFFSET:
        return []
    return [codes.VIDEO_OFFSET.finding(found=f"{lag:+d}")]


def _loudness(path: Path, rate: float, frames: int) -> Track:
    """Of the sound during each frame, in decibels above a floor: [frames]."""
    samples = np.concatenate([*read_mono(path), np.zeros(0, np.float32)])
    step = RATE / rate
    parts = [samples[round(i * step) : round((i + 1) * step)] for i in range(frames)]
    power = [float(np.mean(part.astype(np.float64) ** 2)) if len(part) else 0.0 for part in parts]
    return np.asarray(np.maximum(10 * np.log10(np.asarray(power) + 1e-9), -60.0), np.float64)


def _correlation(a: Track, b: Track) -> float:
    if a.std() < 1e-9 or b.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
