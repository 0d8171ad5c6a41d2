"""Speeches: one voice, clear, of the right length and rate. Knows no torch and no model.

Noise and music are heard in the quietest tenth: the pauses of clear speech lie 19 dB below it and more (ten recordings
of people). What fills them is noise where its spectrum is flat, and music where it is a few lines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from engine.dataset import codes
from engine.dataset.grades import Graded
from engine.speech import RATE, read_mono
from lora_repository.finding import Finding, Problem

LONGEST_S: Final = 30.0
SHORTEST_S: Final = 2.4
"""A clip of five blocks."""
LEAST_DB: Final = 15.0
_LINES, _FLAT = 4e-4, 0.01
"""Flatness of the quietest tenth: below the first it is a chord (5e-5), above the second noise (0.5)."""
_CLIPPED: Final = 0.002
_FULL: Final = 0.99
_SILENT: Final = 0.7
_FRAME: Final = 1024
_FLOOR: Final = 1e-6

Floats = NDArray[np.float64]


class Heard(NamedTuple):
    """Of one sound: seconds, share of samples as loud as can be, share of silence, decibels from the quietest tenth to
    the loudest, and how flat the spectrum of the quietest tenth is, 0 a tone to 1 white noise."""

    seconds: float
    clipped: float
    silent: float
    range_db: float
    flatness: float


def grade(path: Path, name: str) -> Graded:
    """One file."""
    try:
        rate, channels = _format(path)
        heard = listen(np.concatenate([*read_mono(path), np.zeros(0, np.float32)]))
    except Problem as fault:
        return Graded(name, (codes.SOUND_UNREADABLE.finding(reason=fault.finding.message.rstrip(".")),))
    except (av.FFmpegError, IndexError, ValueError) as fault:
        return Graded(name, (codes.SOUND_UNREADABLE.finding(reason=str(fault)),))
    return Graded(name, (*_of_format(rate, channels), *_of_length(heard.seconds), *_of_voice(heard)))


def listen(samples: NDArray[np.float32]) -> Heard:
    """Measures of samples at 16 kHz; raises ValueError for less than a tenth of a second."""
    count = len(samples) // _FRAME
    if count < 2:
        raise ValueError("it is shorter than a tenth of a second")
    frames: Floats = samples[: count * _FRAME].astype(np.float64).reshape(count, _FRAME)
    level = 20 * np.log10(np.sqrt((frames**2).mean(axis=1)) + _FLOOR)
    quiet, loud = np.percentile(level, (10, 90))
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(_FRAME), axis=1)) ** 2 + _FLOOR**2
    flat = np.exp(np.log(spectrum).mean(axis=1)) / spectrum.mean(axis=1)
    return Heard(
        seconds=len(samples) / RATE,
        clipped=float((np.abs(samples) > _FULL).mean()),
        silent=float((level < loud - 30).mean()) if loud > -60 else 1.0,
        range_db=float(loud - quiet),
        flatness=float(np.median(flat[level <= quiet + 1e-9])),
    )


def _of_format(rate: int, channels: int) -> list[Finding]:
    found = []
    if rate != RATE:
        found.append(codes.warning(codes.SOUND_RATE, found=rate))
    if channels != 1:
        found.append(codes.warning(codes.SOUND_CHANNELS, found=channels))
    return found


def _of_length(seconds: float) -> list[Finding]:
    if seconds > LONGEST_S:
        return [codes.warning(codes.SOUND_LONG, found=f"{seconds:.1f}")]
    return [codes.SOUND_SHORT.finding(found=f"{seconds:.1f}", least=SHORTEST_S)] if seconds < SHORTEST_S else []


def _of_voice(heard: Heard) -> list[Finding]:
    if heard.silent > _SILENT:
        return [codes.SOUND_SILENT.finding(percent=f"{100 * heard.silent:.0f}")]
    found = []
    if heard.clipped > _CLIPPED:
        found.append(codes.SOUND_CLIPPED.finding(percent=f"{100 * heard.clipped:.1f}"))
    if heard.range_db < LEAST_DB and heard.flatness < _LINES:
        found.append(codes.SOUND_MUSIC.finding())
    elif heard.range_db < LEAST_DB and heard.flatness > _FLAT:
        found.append(codes.SOUND_NOISY.finding(found=f"{heard.range_db:.0f}", least=f"{LEAST_DB:.0f}"))
    return found


def _format(path: Path) -> tuple[int, int]:
    """Samples a second and channels."""
    with av.open(str(path.absolute())) as container:
        stream = container.streams.audio[0]
        return int(stream.rate), int(stream.channels)
