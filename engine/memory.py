"""What a run will need, before it starts: named terms of bytes on each device in each stage. Arithmetic on headers.

Imports no torch and opens no weights; knows no machine: what is free is `engine.probe`'s to say. Sources: the shapes of
`engine.cache` (rings, sink), SPEC sections 4 and 5, and constants that were measured, each with its figure beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import prod
from pathlib import Path
from typing import Final

from engine.checkpoint_layout import CheckpointLayout
from engine.model.config import DiTConfig
from engine.pth_header import read_shapes
from engine.spec import BLOCKS_PER_CLIP, LATENTS_PER_BLOCK
from lora_repository.header import read_header

HOST: Final = "cpu"
MARGIN: Final = 0.07
"""Share that is added to a peak before it is held against what is free: the constants here are not of this machine."""

GIB: Final = 1 << 30
MIB: Final = 1 << 20
LATENT: Final = 8
"""Pixels a latent is wide and high."""

CUDA_CONTEXT: Final = 739 * MIB
"""Context and first cuBLAS call as NVML counts them on an H200: 621 + 118 MiB."""
CUDA_HOST: Final = 3 * GIB
"""Host side of an engine on a card: interpreter, torch with its kernels, pinned buffers. A prior, not measured here."""
VAE_PER_PIXEL: Final = 10_700
"""Peak of the 14B model's streaming decoder in bf16: 2.90 GB at 704x384, 4.16 at 832x480, 9.26 at 1280x720."""
DIT_PER_TOKEN: Final = 148_000
"""Activations of one bf16 forward of width 5120: 0.469 GB at 3168 tokens."""
CPU_PROCESS: Final = 420 * MIB
CPU_VAE_PER_PIXEL: Final = 5_000


class Stage(StrEnum):
    """Parts of a run that differ in what is held; frames are decoded while the next ones are generated."""

    LOADING = "loading"
    CONDITIONING = "conditioning"
    GENERATING = "generating"


ALL: Final = frozenset(Stage)
LATER: Final = frozenset({Stage.CONDITIONING, Stage.GENERATING})


@dataclass(frozen=True, slots=True)
class Term:
    """`size` bytes on `device` during the stages `when`; `exact` = counted from shapes, else a measured constant."""

    name: str
    device: str
    size: int
    when: frozenset[Stage]
    exact: bool


@dataclass(frozen=True, slots=True)
class Peak:
    """The stage in which a device holds most, and how much, in bytes."""

    stage: Stage
    size: int


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """All terms of a run; a device is `cpu` (the host) or `cuda:N`."""

    terms: tuple[Term, ...]
    margin: float = MARGIN

    @property
    def devices(self) -> tuple[str, ...]:
        """Cards first, the host last."""
        named = dict.fromkeys(term.device for term in self.terms)
        return tuple(sorted(named, key=lambda device: (device == HOST, device)))

    def at(self, device: str, stage: Stage) -> tuple[Term, ...]:
        """What the device holds in that stage, largest first."""
        held = (term for term in self.terms if term.device == device and stage in term.when)
        return tuple(sorted(held, key=lambda term: -term.size))

    def peak(self, device: str) -> Peak:
        """Where the device holds most; of equals the later stage."""
        sizes = {stage: sum(term.size for term in self.at(device, stage)) for stage in Stage}
        stage = max(Stage, key=lambda one: (sizes[one], list(Stage).index(one)))
        return Peak(stage, sizes[stage])

    def need(self, device: str) -> int:
        """The peak with the margin: what must be free."""
        return round(self.peak(device).size * (1 + self.margin))


@dataclass(frozen=True, slots=True)
class Parts:
    """Numbers (parameters) in each part of a base model."""

    dit: int
    vae: int
    t5: int
    wav2vec: int


@dataclass(frozen=True, slots=True)
class Mode:
    """How the engine will hold a model: where it computes, bytes a number there, whether idle parts go to the host."""

    device: str
    width: int
    offload: bool


def count_parts(layout: CheckpointLayout) -> Parts:
    """Parameters of each part, from headers alone; raises `Problem` for a file that cannot be read."""
    return Parts(
        dit=_numbers(layout.dit_files),
        vae=_numbers([layout.vae]),
        t5=_numbers([layout.t5]),
        wav2vec=_numbers([layout.wav2vec / "model.safetensors"]),
    )


def _numbers(files: Iterable[Path]) -> int:
    return sum(prod(shape) for file in files for shape in _shapes(file))


def _shapes(file: Path) -> Iterable[tuple[int, ...]]:
    if file.suffix == ".pth":
        return read_shapes(file).values()
    return (tensor.shape for tensor in read_header(file).tensors.values())


def plan_memory(config: DiTConfig, parts: Parts, height: int, width: int, steps: int, mode: Mode) -> MemoryPlan:
    """The terms of one run at `height` x `width` pixels with `steps` denoising steps."""
    terms = [*_caches(config, height, width, steps, mode), *_weights(parts, mode)]
    terms += _on_card(config, height, width, mode) if mode.device != HOST else _on_host(height, width, mode)
    return MemoryPlan(tuple(terms))


def _caches(config: DiTConfig, height: int, width: int, steps: int, mode: Mode) -> list[Term]:
    """Keys and values. Each step's ring holds its own copy of the condition tokens, beside the one they come from."""
    token = config.num_layers * 2 * config.dim * mode.width
    side = height // LATENT, width // LATENT
    ring = LATENTS_PER_BLOCK * BLOCKS_PER_CLIP * config.tokens_per_frame(*side)
    generating = frozenset({Stage.GENERATING})
    return [
        Term("rings", mode.device, steps * ring * token, generating, exact=True),
        Term(
            "condition cache", mode.device, (1 + steps) * config.condition_tokens(*side) * token, generating, exact=True
        ),
        Term("text keys and values", mode.device, config.text_len * token, LATER, exact=True),
    ]


def _weights(parts: Parts, mode: Mode) -> list[Term]:
    """Where the parts live: idle ones on the host when they are offloaded; the text encoder speaks only once."""
    terms = [
        Term("video model", mode.device, parts.dit * mode.width, ALL, exact=True),
        Term("VAE", mode.device, parts.vae * mode.width, ALL, exact=True),
        Term("speech encoder", mode.device, parts.wav2vec * mode.width, ALL, exact=True),
    ]
    encoder = parts.t5 * mode.width
    if not mode.offload:
        return [*terms, Term("text encoder", mode.device, encoder, ALL, exact=True)]
    conditioning = frozenset({Stage.CONDITIONING})
    return [
        *terms,
        Term("text encoder", mode.device, encoder, conditioning, exact=True),
        Term("text encoder, idle", HOST, encoder, ALL - conditioning, exact=True),
    ]


def _on_card(config: DiTConfig, height: int, width: int, mode: Mode) -> list[Term]:
    block = LATENTS_PER_BLOCK * config.tokens_per_frame(height // LATENT, width // LATENT)
    return [
        Term("CUDA context", mode.device, CUDA_CONTEXT, ALL, exact=False),
        Term("activations", mode.device, DIT_PER_TOKEN * block * config.dim // 5120, LATER, exact=False),
        Term("VAE at work", mode.device, VAE_PER_PIXEL * height * width, LATER, exact=False),
        Term("process", HOST, CUDA_HOST, ALL, exact=False),
    ]


def _on_host(height: int, width: int, mode: Mode) -> list[Term]:
    return [
        Term("process", mode.device, CPU_PROCESS, ALL, exact=False),
        Term("VAE and model at work", mode.device, CPU_VAE_PER_PIXEL * height * width, LATER, exact=False),
    ]
