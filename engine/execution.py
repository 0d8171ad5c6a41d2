"""How a model is computed, apart from what it computes: numbers of the weights, of the cache, compiled or not.

A value that is handed down; who computes never asks where it runs. Knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import torch
from platformdirs import user_cache_path

from engine import codes
from engine.job_folder import APP
from engine.spec import Precision, RunSpec
from lora_repository.i18n import _

FP8_CAPABILITY: Final = (8, 9)
"""The first cards that multiply eight-bit numbers: Ada and Hopper."""


@dataclass(frozen=True)
class Execution:
    """`dtype` of what is not in eight bits; the default is the processor's way, plain and in float32."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    narrow_weights: bool = False
    """The blocks' linears in eight bits."""
    narrow_cache: bool = False
    """The rings in eight bits."""
    compiled: bool = False
    """Blocks compiled, one for all, with norms, rotation and modulation fused."""
    recorded: bool = False
    """A block of frames recorded once as a graph of the card, then replayed."""
    key_multiple: int = 1
    """Keys of the attention are padded to a multiple of this."""
    ahead: int = 0
    """Blocks that are handed to the device before the frames of an earlier one are fetched."""

    @classmethod
    def on_processor(cls) -> Execution:
        """Plain, float32."""
        return cls()

    @classmethod
    def on_card(cls, device: torch.device, *, narrow_weights: bool = False, narrow_cache: bool = False) -> Execution:
        """All that makes a card fast."""
        return cls(
            device=device,
            dtype=torch.bfloat16,
            narrow_weights=narrow_weights,
            narrow_cache=narrow_cache,
            compiled=True,
            recorded=True,
            key_multiple=128,
            ahead=1,
        )


def execution_of(spec: RunSpec, *, embedded: bool) -> Execution:
    """The first card with all that makes it fast; else the processor in float32, where the embedded model always runs.

    Parity mode computes plainly. Raises Problem RUN002 where the card has no unit for eight bits.
    """
    from engine.compiling import be_deterministic, keep_compiled

    if embedded or not torch.cuda.is_available():
        return Execution()
    device = torch.device("cuda:0")
    if spec.parity:
        return Execution(device, torch.bfloat16)
    narrow = spec.precision is Precision.FP8, spec.cache_precision is Precision.FP8
    if any(narrow) and torch.cuda.get_device_capability(device) < FP8_CAPABILITY:
        expected = _("a card of compute capability 8.9 or later")
        raise codes.SPEC_WRONG.problem(
            exit_code=2, field="--precision", value="fp8", expected=expected, example="--precision bf16"
        )
    keep_compiled(user_cache_path(APP) / "compiled")
    be_deterministic()
    return Execution.on_card(device, narrow_weights=narrow[0], narrow_cache=narrow[1])
