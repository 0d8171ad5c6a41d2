"""What a run is: the frozen document that the app writes and the engine reads, one door for app and command line.

Knows no torch, no file system and no model: paths are strings here, proved by whoever uses them.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

import msgspec

FPS: Final = 25
FRAMES_PER_LATENT: Final = 4
LATENTS_PER_BLOCK: Final = 3
FRAMES_PER_BLOCK: Final = FRAMES_PER_LATENT * LATENTS_PER_BLOCK
BLOCKS_PER_CLIP: Final = 4
FRAMES_PER_CLIP: Final = FRAMES_PER_BLOCK * BLOCKS_PER_CLIP
EMBEDDED: Final = "embedded"
"""`ckpt_dir` of the model that ships in the package (`engine/embedded/weights`)."""

_SIZE = re.compile(r"(\d{2,5})\s*[*xX×]\s*(\d{2,5})")


class Precision(StrEnum):
    """How a number is stored on a card: two bytes, or one with scales beside it."""

    BF16 = "bf16"
    FP8 = "fp8"


class Pristine(StrEnum):
    """Where the base model is kept without any adapter, so that another stack can take its place while it runs."""

    NONE = "none"
    HOST = "host"
    CARD = "card"


class RunSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One generation, whole: same spec, same machine, same bits.

    `size` is upstream's `--size`: it bounds the pixel *area*; height and width follow the picture (SPEC section 1).
    `adapters` are applied in order, each a contract folder or a `.safetensors` of upstream's kind; empty = base alone.
    `num_clip` counts clips of 48 frames (1.92 s); `None` = as long as the speech.
    """

    prompt: str
    image: str
    audio: str
    adapters: tuple[str, ...] = ()
    ckpt_dir: str = EMBEDDED
    size: str = "704*384"
    num_clip: int | None = None
    seed: int = 420
    sample_steps: int = 4
    offload_model: bool = False
    precision: Precision = Precision.BF16
    """Of the large matrices on a card; fp8 asks for compute capability 8.9."""
    cache_precision: Precision = Precision.BF16
    """Of rings and condition cache on a card."""
    skip_last_step: bool = False
    """Leave the last pass out: at 0.0089 of the noise it moves the latents least, and nothing else reads its ring."""
    pristine: Pristine = Pristine.NONE
    avatarise: bool = False
    """Turn a picture that the embedded model cannot drive into the nearest avatar instead of refusing it."""
    parity: bool = False
    """Reproduce upstream, flaws included, for comparison (SPEC section 12)."""
    threads: int | None = None
    language: str = "en"
    label: str = ""
    """A name for people: the version and channel that the adapters were chosen by."""

    @property
    def passes(self) -> int:
        """Forward passes of a block, each with a ring of its own."""
        return max(1, self.sample_steps - 1) if self.skip_last_step else self.sample_steps

    def area(self) -> int:
        """Pixel area of `size`; raises ValueError when it does not read `WIDTH*HEIGHT`."""
        match = _SIZE.fullmatch(self.size.strip())
        if match is None:
            raise ValueError(f"size {self.size!r} does not read WIDTH*HEIGHT, such as 704*384")
        return int(match[1]) * int(match[2])


def encode(spec: RunSpec) -> bytes:
    """The spec as JSON, indented for people."""
    return msgspec.json.format(msgspec.json.encode(spec), indent=2) + b"\n"


def decode(data: bytes) -> RunSpec:
    """The spec from JSON; raises `msgspec.ValidationError` naming the field that is wrong."""
    return msgspec.json.decode(data, type=RunSpec)
