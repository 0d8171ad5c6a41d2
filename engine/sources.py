"""Portrait and speech as files: are they there, can they be read, how large and how long are they.

Opens what a person gives, so every fault is a Problem with the command that mends it. Knows no model and no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine import codes
from engine.codes import Code
from engine.job_folder import reason
from engine.media import SIDE_STEP
from lora_repository.i18n import _

_TURNED: Final = frozenset({5, 6, 7, 8})
"""Orientations of EXIF tag 274 that swap width and height."""
_ORIENTATION: Final = 274


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture that can be decoded; `width` and `height` in pixels, turned upright."""

    path: Path
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Speech:
    """A file with a sound track that can be decoded, `seconds` long, stored at `rate` samples a second.

    `peak` is its loudest sample; `clipped` and `silent` are shares of its samples.
    """

    path: Path
    seconds: float
    rate: int = 0
    peak: float = 1.0
    clipped: float = 0.0
    silent: float = 0.0


def read_portrait(path: Path) -> Portrait:
    """Decode the picture once; raises Problem RUN020, RUN021, RUN023, RUN028."""
    return _measured(path, decoded=True)


def measure_portrait(path: Path) -> Portrait:
    """As `read_portrait`, from the picture's header alone: whether the rest can be decoded is not looked at."""
    return _measured(path, decoded=False)


def _measured(path: Path, *, decoded: bool) -> Portrait:
    from PIL import Image, UnidentifiedImageError

    with _explained(path, codes.IMAGE_MISSING, codes.IMAGE_UNREADABLE):
        try:
            with Image.open(path) as picture:
                if decoded:
                    picture.load()
                turned = picture.getexif().get(_ORIENTATION) in _TURNED
                width, height = picture.size[::-1] if turned else picture.size
        except UnidentifiedImageError as fault:
            raise codes.IMAGE_UNREADABLE.problem(path=str(path), reason=_("it is no picture")) from fault
        except (Image.DecompressionBombError, SyntaxError, ValueError) as fault:
            raise codes.IMAGE_UNREADABLE.problem(path=str(path), reason=str(fault)) from fault
    if min(width, height) < SIDE_STEP:
        raise codes.IMAGE_TOO_SMALL.problem(path=str(path), found=f"{width}x{height}", least=SIDE_STEP)
    return Portrait(path, width, height)


def read_speech(path: Path) -> Speech:
    """Decode the sound to its end, an hour in some seconds; raises Problem RUN025, RUN026, RUN027, RUN028."""
    # The decoder's 0.1 s are spent where there is something to decode.
    from engine.speech import measure, native_rate, read_mono

    with _explained(path, codes.AUDIO_MISSING, codes.AUDIO_UNREADABLE):
        path.open("rb").close()
    heard = measure(read_mono(path), path)
    shares = {"clipped": heard.clipped / heard.samples, "silent": heard.silent / heard.samples}
    return Speech(path, heard.seconds, native_rate(path), heard.peak, **shares)


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
