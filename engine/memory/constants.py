"""All measured constants of a memory plan, in one table; `engine.calibrate` replaces them by this machine's own.

Knows no model and no plan. A constant says what it was measured on; work is told as bytes by what it grows with, so one
figure serves every size of picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.memory.plan import CALIBRATED_MARGIN, GIB, MARGIN, MIB

DECODED_FRAMES: Final = 12
"""Frames of a block, which is what the decoder holds a history for."""
ENCODED_FRAMES: Final = 24
"""Frames that the encoder takes at once (`engine.conditioning`)."""


@dataclass(frozen=True, slots=True)
class Constants:
    """What cannot be counted. `frame` stands for the bytes of one video frame at the decoder's full width."""

    context: int = 621 * MIB
    """CUDA context as NVML counts it on an H200; 430 to 620 MiB on other cards."""
    libraries: int = 118 * MIB
    """cuBLAS and cuDNN after their first call, outside torch's allocator, on an H200."""
    activations: float = 29.0
    """One recorded forward pass, bytes by tokens x width x bytes a number: 0.9 GiB at 3168 x 5120 x 2 on an H200."""
    decoder_history: float = 2.41
    """The decoder's past, by 12 frames: 1.4 GiB at 704x384, its narrowest slots padded to 128 channels."""
    decoder_work: float = 3.8
    """The decoder's recorded work, by 12 frames: 2.2 GiB at 704x384 with 4 frames at full size at once."""
    encoder_work: float = 5.0
    """The encoder at work, by the frames that it takes at once: five tensors of its first stage. A prior."""
    arriving: float = 22.0
    """Weights on their way to the card, by the largest matrix: some as they are stored, and in float32 while they are
    rounded; 1 to 2 GiB of the 14B model."""
    slack: float = 0.005
    """What torch's allocator keeps beyond what is asked for: 16.43 GiB for 16.35 GiB of weights."""
    nccl: int = 400 * MIB
    """Channels of one rank; 0.4 to 1.8 GB are told of two ranks elsewhere."""
    host_process: int = 300 * MIB
    """Interpreter, torch, decoders and mapped pages of files: 242 MiB before a model is built."""
    host_cuda: int = 3 * GIB
    """The same with torch's kernels for a card and pinned buffers."""
    host_decoder: tuple[int, float] = (60 * MIB, 14.0)
    """The decoder on a processor, fixed and by 12 frames: 140, 397, 654 MiB at 128, 256, 384 px square, width 32."""
    portrait_check: int = 175 * MIB
    """The embedded model holds a portrait against its renderer, before anything is decoded: 127 MiB, 174 where it draws
    the nearest avatar."""
    scale: float = 1.0
    """All work on a card by this much: fitted by calibration."""
    extra: int = 0
    """Bytes on a card that nothing here explains: fitted by calibration."""
    calibrated: bool = False
    """These are of this card, driver and engine."""

    @property
    def margin(self) -> float:
        """Share that a need is above its peak."""
        return CALIBRATED_MARGIN if self.calibrated else MARGIN


PRIOR: Final = Constants()
"""What is taken where nothing was measured."""
