"""Video files as frames at 25 a second, in the size that is trained. Knows no model."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.image import cover
from engine.spec import FPS
from engine.training import codes


def cuts(path: Path, height: int, width: int, frames: int) -> Iterator[Tensor]:
    """Whole stretches of `frames` frames, [1, 3, frames, height, width] in [-1, 1]; raises Problem TRAIN003."""
    shown = _frames(path, height, width)
    while len(stretch := list(islice(shown, frames))) == frames:
        pixels = torch.from_numpy(np.stack(stretch)).permute(3, 0, 1, 2)[None].float()
        yield pixels / 127.5 - 1


def shape(path: Path) -> tuple[int, int]:
    """Height and width of a video's pictures; raises Problem TRAIN003."""
    try:
        with av.open(str(path.absolute())) as container:
            stream = container.streams.video[0]
            return int(stream.height), int(stream.width)
    except (av.FFmpegError, IndexError) as fault:
        raise codes.FOLDER_UNREADABLE.problem(path=str(path), reason=str(fault)) from fault


def _frames(path: Path, height: int, width: int) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """What is seen at each 25th of a second: the newest picture that is not later."""
    moment, last = Fraction(0), None
    try:
        with av.open(str(path.absolute())) as container:
            for frame in container.decode(container.streams.video[0]):
                while last is not None and frame.time is not None and moment < Fraction(frame.time):
                    yield last
                    moment += Fraction(1, FPS)
                picture: Image.Image = frame.to_image()
                last = np.asarray(cover(picture, height, width))
            if last is not None:
                yield last
    except (av.FFmpegError, IndexError) as fault:
        raise codes.FOLDER_UNREADABLE.problem(path=str(path), reason=str(fault)) from fault
