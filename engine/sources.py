"""Portrait and speech as files: are they there, can they be read, how large and how long are they.

Opens what a person gives, so every fault is a Problem with the command that mends it. Knows no model and no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine import codes
from engine.codes import Code
from engine.job_folder import reason
from lora_repository.i18n import _

if TYPE_CHECKING:
    import av

_TURNED: Final = frozenset({5, 6, 7, 8})
"""Orientations of EXIF tag 274 that swap width and height."""
_ORIENTATION: Final = 274
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture that can be decoded; `width` and `height` in pixels, turned upright."""

    path: Path
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Speech:
    """A file with a sound track that can be decoded, `seconds` long."""

    path: Path
    seconds: float


def read_portrait(path: Path) -> Portrait:
    """Decode the picture once; raises Problem RUN020, RUN021, RUN028."""
    from PIL import Image, UnidentifiedImageError

    with _explained(path, codes.IMAGE_MISSING, codes.IMAGE_UNREADABLE):
        try:
            with Image.open(path) as picture:
                picture.load()
                turned = picture.getexif().get(_ORIENTATION) in _TURNED
                width, height = picture.size[::-1] if turned else picture.size
        except UnidentifiedImageError as fault:
            raise codes.IMAGE_UNREADABLE.problem(path=str(path), reason=_("it is no picture")) from fault
        except (Image.DecompressionBombError, SyntaxError, ValueError) as fault:
            raise codes.IMAGE_UNREADABLE.problem(path=str(path), reason=str(fault)) from fault
    return Portrait(path, width, height)


def read_speech(path: Path) -> Speech:
    """Decode the first sound and measure the length; raises Problem RUN025, RUN026, RUN027, RUN028."""
    import av

    with _explained(path, codes.AUDIO_MISSING, codes.AUDIO_UNREADABLE):
        try:
            # Absolute: a name such as `concat:a` would be taken for a protocol.
            with av.open(str(path.absolute())) as container:
                seconds = _length(container, path)
        except av.FFmpegError as fault:
            if isinstance(fault, OSError):
                raise
            raise codes.AUDIO_UNREADABLE.problem(path=str(path), reason=fault.strerror.lower()) from fault
    if seconds <= 0:
        raise codes.AUDIO_EMPTY.problem(path=str(path))
    return Speech(path, seconds)


def _length(container: av.container.InputContainer, path: Path) -> float:
    """Seconds of the first sound track; by its packets where no header says it."""
    if not container.streams.audio:
        raise codes.AUDIO_UNREADABLE.problem(path=str(path), reason=_("it has no sound track"))
    track = container.streams.audio[0]
    if next(container.decode(track), None) is None:
        return 0.0
    if track.duration is not None and track.time_base is not None:
        return float(track.duration * track.time_base)
    if container.duration is not None:
        return float(container.duration) / _MICROSECONDS
    container.seek(0)
    packets = (packet for packet in container.demux(track) if packet.pts is not None and packet.time_base is not None)
    return max((float((packet.pts + (packet.duration or 0)) * packet.time_base) for packet in packets), default=0.0)


@contextmanager
def _explained(path: Path, missing: Code, unreadable: Code) -> Iterator[None]:
    """Faults of the file system while opening `path`, as Problems."""
    try:
        yield
    except FileNotFoundError as fault:
        raise missing.problem(path=str(path)) from fault
    except PermissionError as fault:
        raise codes.FILE_FORBIDDEN.problem(path=str(path)) from fault
    except OSError as fault:
        raise unreadable.problem(path=str(path), reason=reason(fault)) from fault
