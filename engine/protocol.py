"""What engine and face say to each other: one JSON line an event in `events.jsonl`, read with a version and a number.

Knows no torch and no widget. An event that a reader does not know is skipped, so an older app can watch a newer engine.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

PROTOCOL: Final = 1


class Phase(StrEnum):
    """Where a run is. The last three are ends."""

    QUEUED = "queued"
    RESOLVING = "resolving"
    LOADING = "loading"
    COMPILING = "compiling"
    CONDITIONING = "conditioning"
    GENERATING = "generating"
    DECODING = "decoding"
    MUXING = "muxing"
    TRAINING = "training"
    COMPARING = "comparing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDS: Final = frozenset({Phase.DONE, Phase.FAILED, Phase.CANCELLED})


class Event(msgspec.Struct, frozen=True, tag_field="kind", kw_only=True, omit_defaults=True):
    """Common to all: `seq` counts from 0 without a gap; `time` is wall seconds, `mono` that host's monotonic ones."""

    seq: int = 0
    time: float = 0.0
    mono: float = 0.0


class Started(Event, frozen=True, tag="started", kw_only=True, omit_defaults=True):
    """First event: who runs, so that nobody is judged by a reused process number."""

    v: int
    """PROTOCOL of the writer; required, so that it is always in the line."""
    pid: int
    start_time: int
    """Field 22 of /proc/PID/stat: clock ticks since boot."""
    boot_id: str
    host: str
    engine: str


class PhaseChanged(Event, frozen=True, tag="phase", kw_only=True, omit_defaults=True):
    phase: Phase
    note: str = ""


class AdapterLoaded(Event, frozen=True, tag="adapter", kw_only=True, omit_defaults=True):
    """One adapter file, proved: `matched` of `total` tensors, strength alpha / rank."""

    path: str
    target: str
    rank: int
    alpha: float
    strength: float
    matched: int
    total: int


class Plan(Event, frozen=True, tag="plan", kw_only=True, omit_defaults=True):
    """Known once inputs are read: true size and length of the video."""

    width: int
    height: int
    blocks: int
    frames: int
    fps: int = 25


class Progress(Event, frozen=True, tag="progress", kw_only=True, omit_defaults=True):
    """After each block: `frames` are in the file already; `fps` is over the last blocks, end to end."""

    block: int
    blocks: int
    frame: int
    frames: int
    fps: float
    eta_s: float


class Memory(Event, frozen=True, tag="memory", kw_only=True, omit_defaults=True):
    """Bytes. `device` is `cpu` or `cuda:N`; `predicted` is the plan's peak, 0 when there is none."""

    device: str
    used: int
    peak: int
    predicted: int = 0


class Preview(Event, frozen=True, tag="preview", kw_only=True, omit_defaults=True):
    """`preview.jpg` in the job folder was replaced; it shows video frame `frame`."""

    frame: int


class Warned(Event, frozen=True, tag="warning", kw_only=True, omit_defaults=True):
    """A finding that does not stop the run, a fallback above all: never silent."""

    code: str
    message: str
    fix: str = ""


class Failed(Event, frozen=True, tag="failed", kw_only=True, omit_defaults=True):
    code: str
    message: str
    fix: str = ""


class Cancelled(Event, frozen=True, tag="cancelled", kw_only=True, omit_defaults=True):
    reason: str = ""


class Finished(Event, frozen=True, tag="done", kw_only=True, omit_defaults=True):
    """The video is whole, synced and in place; `first_frame_s` counts from the end of loading."""

    output: str
    frames: int
    seconds: float
    fps: float
    first_frame_s: float


class Learned(Event, frozen=True, tag="learned", kw_only=True, omit_defaults=True):
    """After a step of a training: its loss as a running mean, speed over the last steps."""

    step: int
    steps: int
    loss: float
    rate: float
    steps_per_s: float
    eta_s: float
    held_out: float | None = None
    """Loss of the clips that are not trained on, when it was last looked at."""


class Saved(Event, frozen=True, tag="saved", kw_only=True, omit_defaults=True):
    """A checkpoint of a training is whole: a version by the contract, at `path`; `sample` is a video made with it."""

    step: int
    path: str
    sample: str = ""


class Trained(Finished, frozen=True, tag="trained", kw_only=True, omit_defaults=True):
    """A training is over: `output` is the folder of the version. No frames were asked for, so none are told."""

    steps: int
    loss: float
    frames: int = 0
    fps: float = 0.0
    first_frame_s: float = 0.0


class Compared(Finished, frozen=True, tag="compared", kw_only=True, omit_defaults=True):
    """Two versions were compared: `output` is the report, `verdict` is about the first of them."""

    verdict: str
    passed: bool
    frames: int = 0
    fps: float = 0.0
    first_frame_s: float = 0.0


AnyEvent = (
    Started
    | PhaseChanged
    | AdapterLoaded
    | Plan
    | Progress
    | Memory
    | Preview
    | Warned
    | Learned
    | Saved
    | Failed
    | Cancelled
    | Finished
    | Trained
    | Compared
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def encode_line(event: AnyEvent) -> bytes:
    """One event as one line, newline included."""
    return _encoder.encode(event) + b"\n"


def decode_line(line: bytes) -> AnyEvent | None:
    """One event, or None for a torn line or a kind that this version does not know."""
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
