"""Frames in, a finished video file out: H.264 with the speech as AAC, muxed as the frames come.

The file is written beside its name and appears under it only when it is whole. Knows no model and no torch. One number:
memory does not grow with the video; encoding takes 2 ms a frame of 128x128 on one core.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from PIL import Image

from engine import codes
from engine.job_folder import reason
from engine.memory_use import readable
from engine.speech import Samples, native_rate, read_channels
from lora_repository.files import sync_folder, write_whole
from lora_repository.finding import Problem

Frames = NDArray[np.uint8]

_VIDEO_OPTIONS: Final = {"crf": "10", "preset": "veryfast"}
_THREADS: Final = 2
"""Threads of the encoder: the model wants the others."""
_AAC_RATES: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC_BITS: Final = 192_000
_AAC_MOST: Final = 6
"""AAC takes at most 6 bits a sample and channel."""
_AAC_FRAME: Final = 1024
_AAC_USUAL: Final = 48_000
"""The rate of the file's sound where the speech has one that AAC does not know."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_PREVIEW_QUALITY: Final = 85


class VideoSink:
    """Mutable: one video being written. As a context it closes itself, or leaves no file behind after an exception.

    Raises Problem everywhere: RUN042 for a full disk, RUN051 when the file cannot be written, RUN026 for the speech.
    """

    def __init__(self, path: Path, width: int, height: int, fps: int, audio_path: Path) -> None:
        self.path = path
        self.frames = 0
        self._fps = fps
        self._beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._file: Any = None
        with self._guarded():
            # Absolute: a name such as `pipe:1` would be taken for a protocol.
            self._file = av.open(str(self._beside.absolute()), "w", format="mp4", options={"movflags": "+faststart"})
            self._picture = self._add_picture(width, height)
            self._voice = Voice(self._file, audio_path)
            self._file.start_encoding()  # opens the file, so that a place without room or rights is told now

    def write(self, frames: Frames) -> None:
        """Add frames uint8 `[T, H, W, 3]`, and the speech up to their end; raises ValueError for another size."""
        with self._guarded():
            if frames.shape[1:] != (self._picture.height, self._picture.width, 3):
                size = f"{self._picture.width}x{self._picture.height}"
                raise ValueError(f"frames of shape {frames.shape} in a video of {size}")
            for pixels in frames:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
                frame.pts, frame.time_base = self.frames, Fraction(1, self._fps)
                self._file.mux(self._picture.encode(frame))
                self.frames += 1
            self._voice.write_until(Fraction(self.frames, self._fps))

    def close(self) -> None:
        """Finish the file and put it in place, synced; what was at `path` is replaced."""
        with self._guarded():
            self._file.mux(self._picture.encode(None))
            self._voice.finish(Fraction(self.frames, self._fps))
            self._file.close()
            with self._beside.open("rb") as written:
                os.fsync(written.fileno())
            self._beside.replace(self.path)
            sync_folder(self.path.parent)

    def abort(self) -> None:
        """Give the video up and remove what was written of it."""
        if self._file is not None:
            with suppress(OSError):  # the trailer of a file that nobody will read
                self._file.close()
        with suppress(OSError):  # nothing was written yet
            self._beside.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _fault: object, _trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _add_picture(self, width: int, height: int) -> Any:
        stream: Any = self._file.add_stream("libx264", rate=self._fps, options=_VIDEO_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = _THREADS
        stream.codec_context.colorspace = Colorspace.ITU601  # the matrix that RGB is converted with, told to players
        stream.codec_context.color_range = ColorRange.MPEG
        stream.codec_context.time_base = Fraction(1, self._fps)
        return stream

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """A fault leaves no file behind; one of the system becomes a Problem."""
        try:
            yield
        except BaseException as fault:
            self.abort()
            if isinstance(fault, OSError):
                raise _unwritable(self.path, fault) from fault
            raise


class Voice:
    """Mutable: the speech as the file's sound track, written as far as the picture has come."""

    def __init__(self, file: Any, path: Path) -> None:
        native = native_rate(path)
        self._rate = native if native in _AAC_RATES else _AAC_USUAL
        self._pieces = (_at_most_two(piece) for piece in read_channels(path, self._rate))
        self._held: Samples = next(self._pieces, np.zeros((1, 0), np.float32))
        self._written = 0
        self._file = file
        self._layout = "mono" if len(self._held) == 1 else "stereo"
        self._stream = file.add_stream("aac", rate=self._rate, layout=self._layout)
        self._stream.bit_rate = min(_AAC_BITS, _AAC_MOST * self._rate * len(self._held))

    def write_until(self, moment: Fraction) -> None:
        """Write all whole packets that end before `moment`, in seconds; silence where the speech has ended."""
        while self._written + _AAC_FRAME <= int(moment * self._rate):
            self._encode(_AAC_FRAME)

    def finish(self, moment: Fraction) -> None:
        """Write up to `moment` exactly and nothing more; the rest of the speech is not read."""
        self.write_until(moment)
        if rest := int(moment * self._rate) - self._written:
            self._encode(rest)
        self._file.mux(self._stream.encode(None))
        self._pieces.close()

    def _encode(self, count: int) -> None:
        frame = av.AudioFrame.from_ndarray(self._take(count), format="fltp", layout=self._layout)
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._written, Fraction(1, self._rate)
        self._file.mux(self._stream.encode(frame))
        self._written += count

    def _take(self, count: int) -> Samples:
        """The next samples `[channels, count]`."""
        while self._held.shape[1] < count and (piece := next(self._pieces, None)) is not None:
            self._held = np.concatenate([self._held, piece], axis=1)
        taken, self._held = self._held[:, :count], self._held[:, count:]
        return np.ascontiguousarray(np.pad(taken, ((0, 0), (0, count - taken.shape[1]))))


def _at_most_two(piece: Samples) -> Samples:
    """More than two channels become their average."""
    return piece if len(piece) <= 2 else piece.mean(axis=0, keepdims=True, dtype=np.float32)


def _unwritable(path: Path, fault: OSError) -> Problem:
    if fault.errno in _FULL:
        free = readable(shutil.disk_usage(path.parent).free)
        return codes.DISK_FULL.problem(path=str(path.parent), free=free)
    return codes.VIDEO_UNWRITABLE.problem(path=str(path), reason=reason(fault))


def save_preview(path: Path, frame: Frames) -> None:
    """One frame uint8 `[H, W, 3]` as a JPEG that replaces `path` whole or not at all."""
    content = io.BytesIO()
    Image.fromarray(frame).save(content, format="JPEG", quality=_PREVIEW_QUALITY)
    write_whole(path, content.getvalue())
