"""Sound files as streams of samples: any format, any length, constant memory.

Knows no torch and no model. One number: an hour of speech is 230 MB of samples at 16 kHz; nobody here holds more than a
few seconds of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeVar

import av
import numpy as np
from numpy.typing import NDArray

from engine import codes
from engine.job_folder import reason
from lora_repository.i18n import _

Samples = NDArray[np.float32]

RATE: Final = 16_000
"""Samples a second that the speech encoder hears."""
_SILENCE: Final = 1e-4
"""A peak below this, -80 dB of full scale, is silence."""
_QUIET: Final = 10 ** (-50 / 20)
"""A piece below this on average, -50 dB of full scale, is a pause."""
_FULL: Final = 0.999
"""A sample above this is as loud as the file can be."""


@dataclass(frozen=True, slots=True)
class Loudness:
    """What one pass over a file tells: samples at 16 kHz, their mean and variance (population), the loudest of them,
    how many are as loud as can be, and how many lie in pauses."""

    samples: int
    mean: float
    variance: float
    peak: float = 0.0
    clipped: int = 0
    silent: int = 0

    @property
    def seconds(self) -> float:
        """Length of the speech."""
        return self.samples / RATE


def read_mono(path: Path) -> Iterator[Samples]:
    """The file at 16 kHz, channels averaged, as pieces `[n]` in [-1, 1]; raises Problem RUN026."""
    for piece in read_channels(path, RATE):
        yield piece.mean(axis=0, dtype=np.float32)


def read_channels(path: Path, rate: int) -> Iterator[Samples]:
    """The first sound track at `rate` as pieces `[channels, n]`; raises Problem RUN026."""
    with _opened(path) as container:
        resampler = av.AudioResampler(format="fltp", rate=rate)
        for frame in container.decode(container.streams.audio[0]):
            yield from _pieces(resampler.resample(frame))
        yield from _pieces(resampler.resample(None))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A file with a sound track; whatever goes wrong while it is read is Problem RUN026."""
    try:
        # Absolute: a name such as `concat:a` would be taken for a protocol.
        with av.open(str(path.absolute())) as container:
            if not container.streams.audio:
                raise codes.AUDIO_UNREADABLE.problem(path=str(path), reason=_("it has no sound track"))
            yield container
    except av.FFmpegError as fault:
        raise codes.AUDIO_UNREADABLE.problem(path=str(path), reason=fault.strerror.lower()) from fault
    except OSError as fault:
        raise codes.AUDIO_UNREADABLE.problem(path=str(path), reason=reason(fault)) from fault


def native_rate(path: Path) -> int:
    """Samples a second of the first sound track; raises Problem RUN026."""
    with _opened(path) as container:
        return int(container.streams.audio[0].rate)


def _pieces(frames: Iterable[Any]) -> Iterator[Samples]:
    for frame in frames:
        yield frame.to_ndarray()


def measure(pieces: Iterable[Samples], path: Path) -> Loudness:
    """Length and statistics of mono pieces; raises Problem RUN027 where there is nothing to hear."""
    samples, total, squares, peak = 0, 0.0, 0.0, 0.0
    clipped, silent = 0, 0
    for piece in pieces:
        power, loud = float(np.square(piece, dtype=np.float64).sum()), np.abs(piece)
        samples += piece.size
        total += float(piece.sum(dtype=np.float64))
        squares += power
        peak = max(peak, float(loud.max(initial=0.0)))
        clipped += int((loud > _FULL).sum())
        silent += piece.size if power < _QUIET**2 * piece.size else 0
    if peak < _SILENCE:
        raise codes.AUDIO_EMPTY.problem(path=str(path))
    mean = total / samples
    return Loudness(samples, mean, max(0.0, squares / samples - mean * mean), peak, clipped, silent)


class Sliceable(Protocol):
    """What `windows` cuts: an array or a tensor, along its first axis."""

    def __len__(self) -> int: ...
    def __getitem__(self, where: slice, /) -> Self: ...


Piece = TypeVar("Piece", bound=Sliceable)


def windows(
    pieces: Iterator[Piece], spans: Iterable[tuple[int, int]], join: Callable[[list[Piece]], Piece]
) -> Iterator[Piece]:
    """Cut a stream of pieces into the stretches `(start, stop)`, which may overlap and never step back.

    Holds no more than one stretch and one piece. A stretch that reaches beyond the end of the stream comes out shorter.
    """
    held: list[Piece] = []
    origin, end = 0, 0
    for start, stop in spans:
        while end < stop and (piece := next(pieces, None)) is not None:
            held.append(piece)
            end += len(piece)
        whole = held[0] if len(held) == 1 else join(held)
        held = [whole[max(0, start - origin) :]]
        origin = max(origin, start)
        yield held[0][: max(0, stop - origin)]


def stretches(total: int, core: int, margin: int) -> Iterator[tuple[range, range]]:
    """Cut `total` steps into cores of `core`, each heard with `margin` steps on both sides: pairs (core, heard).

    What fits into one core with its margins is one stretch.
    """
    if total <= core + 2 * margin:
        core = max(1, total)
    for index in range(math.ceil(total / core)):
        inner = range(index * core, min(total, (index + 1) * core))
        yield inner, range(max(0, inner.start - margin), min(total, inner.stop + margin))
