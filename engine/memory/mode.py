"""How a model is held while it runs: where, in which precision, what is kept and what is let go. Knows no size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.checkpoint_layout import CheckpointLayout
from engine.memory.plan import HOST
from engine.spec import Precision, Pristine, RunSpec

FP8_CAPABILITY: Final = (8, 9)
"""The first compute capability with fp8 matrix units: Ada Lovelace and Hopper."""


@dataclass(frozen=True, slots=True)
class Mode:
    """`width` is bytes a number; `device` the first card or the host.

    `cards` share the denoising steps, a card of its own for the decoder where there is one to spare. The last three are
    what-ifs: this engine runs on one card and keeps blocks and rings there.
    """

    device: str
    width: int
    offload: bool
    fp8: bool = False
    fp8_cache: bool = False
    pristine: Pristine = Pristine.NONE
    cards: int = 1
    blocks_on_host: bool = False
    rings_on_host: bool = False

    @property
    def on_card(self) -> bool:
        """It computes on a card."""
        return self.device != HOST

    @property
    def cache_width(self) -> int:
        """Bytes of a number in rings and condition cache."""
        return 1 if self.fp8_cache else self.width


def mode_of(layout: CheckpointLayout, card: str | None, *, offload: bool) -> Mode:
    """How the engine holds a base model: in bf16 on `card`, else in f32 on the host, the embedded one always there."""
    if card is None or layout.embedded:
        return Mode(HOST, 4, offload)
    return Mode(card, 2, offload)


def mode_for(spec: RunSpec, layout: CheckpointLayout, card: str | None) -> Mode:
    """As `mode_of`, with all that the run asks for; what only a card can do is left out on the host."""
    mode = mode_of(layout, card, offload=spec.offload_model)
    if not mode.on_card:
        return mode
    return Mode(
        mode.device,
        mode.width,
        mode.offload,
        fp8=spec.precision is Precision.FP8,
        fp8_cache=spec.cache_precision is Precision.FP8,
        pristine=spec.pristine,
    )
