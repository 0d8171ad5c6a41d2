"""What a run will need, before it starts: named terms of bytes on each device in each stage. Arithmetic on headers.

Imports no torch and opens no weights; knows no machine: what is free is `engine.probe`'s to say. Sources: the shapes of
`engine.cache` (rings, sink), SPEC sections 4 and 5, and constants that were measured, each with its figure beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isqrt, prod
from pathlib import Path
from typing import Final

from engine import codes
from engine.checkpoint_layout import CheckpointLayout, read_config
from engine.model.config import DiTConfig
from engine.pth_header import read_shapes
from engine.spec import BLOCKS_PER_CLIP, FRAMES_PER_LATENT, LATENTS_PER_BLOCK
from lora_repository.header import read_header
from lora_repository.i18n import N_, _

HOST: Final = "cpu"
MARGIN: Final = 0.07
"""Share that is added to a peak before it is held against what is free: the constants here are not of this machine."""

GIB: Final = 1 << 30
MIB: Final = 1 << 20
LATENT: Final = 8
"""Pixels a latent is wide and high."""
_DECODER_HEAD: Final = "decoder.head.2.weight"

CUDA_CONTEXT: Final = 739 * MIB
"""Context and first cuBLAS call as NVML counts them on an H200: 621 + 118 MiB."""
CUDA_HOST: Final = 3 * GIB
"""Host side of an engine on a card: interpreter, torch with its kernels, pinned buffers. A prior, not measured here."""
CPU_PROCESS: Final = 300 * MIB
"""Interpreter, torch, decoders, and the pages of files that are mapped: 242 MiB before a model is built."""
ACTIVATIONS: Final = 14.5
"""Bytes of a forward pass by tokens x width x bytes a number: 0.469 GB at 3168 x 5120 x 2."""

PRIMED_FRAMES: Final = 25
"""Frames of the decoder's first call, the largest: 7 latents of the still."""
BLOCK_FRAMES: Final = LATENTS_PER_BLOCK * FRAMES_PER_LATENT
CARD_VAE: Final = (2.05, 2.6)
"""Cache and work of the decoder by frames x pixels x width x bytes: 1.28 and 1.62 GB at 12 x 704x384 x 96 x 2."""
CPU_VAE: Final = (60 * MIB, 14.0)
"""The same on a processor, as fixed bytes and work: 157, 501, 854 MiB at 128, 256, 384 px square, width 24, patch 2."""
PORTRAIT_CHECK: Final = 175 * MIB
"""The embedded model holds a portrait against its renderer: 127 MiB, 174 where it draws the nearest avatar."""


class Stage(StrEnum):
    """Parts of a run that differ in what is held; frames are decoded while the next ones are generated."""

    LOADING = "loading"
    CONDITIONING = "conditioning"
    GENERATING = "generating"


ALL: Final = frozenset(Stage)
LATER: Final = frozenset({Stage.CONDITIONING, Stage.GENERATING})


@dataclass(frozen=True, slots=True)
class Term:
    """`size` bytes on `device` during the stages `when`; `exact` = counted from shapes, else a measured constant.

    `name` is English and stable; whoever shows it translates it.
    """

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
    decoder_width: int
    """Channels of the VAE's decoder at full size; there a number stands for a patch of `patch` x `patch` pixels."""
    patch: int


@dataclass(frozen=True, slots=True)
class Mode:
    """How the engine will hold a model: where it computes, bytes a number there, whether it lets go of what is done."""

    device: str
    width: int
    offload: bool


def count_parts(layout: CheckpointLayout) -> Parts:
    """Sizes of each part, from headers alone; raises `Problem` for a file that cannot be read or is no VAE."""
    vae = _shapes(layout.vae)
    head = vae.get(_DECODER_HEAD)
    if head is None or len(head) < 2:
        lacking = _("it lacks {names}").format(names=_DECODER_HEAD)
        raise codes.WEIGHTS_UNFIT.problem(path=str(layout.vae), folder=str(layout.root), differences=lacking)
    return Parts(
        dit=sum(_numbers(_shapes(file)) for file in layout.dit_files),
        vae=_numbers(vae),
        t5=_numbers(_shapes(layout.t5)),
        wav2vec=_numbers(_shapes(layout.wav2vec / "model.safetensors")),
        decoder_width=head[1],
        patch=isqrt(head[0] // 3),
    )


def _numbers(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return sum(prod(shape) for shape in shapes.values())


def _shapes(file: Path) -> Mapping[str, tuple[int, ...]]:
    if file.suffix == ".pth":
        return read_shapes(file)
    return {name: tensor.shape for name, tensor in read_header(file).tensors.items()}


def mode_of(layout: CheckpointLayout, card: str | None, *, offload: bool) -> Mode:
    """How the engine holds a base model: in bf16 on `card`, else in f32 on the host, the embedded one always there."""
    if card is None or layout.embedded:
        return Mode(HOST, 4, offload)
    return Mode(card, 2, offload)


def plan_run(layout: CheckpointLayout, height: int, width: int, steps: int, mode: Mode) -> MemoryPlan:
    """The plan of one run of a base model on disk; raises `Problem` where its sizes cannot be read."""
    config = DiTConfig.from_json(read_config(layout), path=layout.dit_config)
    plan = plan_memory(config, count_parts(layout), height, width, steps, mode)
    if not layout.embedded:
        return plan
    return replace(plan, terms=(*plan.terms, Term(N_("portrait check"), HOST, PORTRAIT_CHECK, LATER, exact=False)))


def plan_memory(config: DiTConfig, parts: Parts, height: int, width: int, steps: int, mode: Mode) -> MemoryPlan:
    """The terms of one run at `height` x `width` pixels with `steps` denoising steps."""
    terms = [*_caches(config, height, width, steps, mode), *_weights(parts, mode)]
    terms += _work(config, parts, height, width, mode)
    terms.append(Term(N_("process"), HOST, CPU_PROCESS if mode.device == HOST else CUDA_HOST, ALL, exact=False))
    if mode.device != HOST:
        terms.append(Term(N_("CUDA context"), mode.device, CUDA_CONTEXT, ALL, exact=False))
    return MemoryPlan(tuple(terms))


def _caches(config: DiTConfig, height: int, width: int, steps: int, mode: Mode) -> list[Term]:
    """Keys and values. Each step's ring holds its own copy of the condition tokens, beside the one they come from."""
    token = config.num_layers * 2 * config.dim * mode.width
    side = height // LATENT, width // LATENT
    ring = LATENTS_PER_BLOCK * BLOCKS_PER_CLIP * config.tokens_per_frame(*side)
    condition = config.condition_tokens(*side)
    generating = frozenset({Stage.GENERATING})
    return [
        Term(N_("rings"), mode.device, steps * ring * token, generating, exact=True),
        Term(N_("condition cache"), mode.device, (1 + steps) * condition * token, generating, exact=True),
        Term(N_("text keys and values"), mode.device, config.text_len * token, LATER, exact=True),
    ]


def _weights(parts: Parts, mode: Mode) -> list[Term]:
    """All parts are loaded before the first is used; under offload the text encoder goes when the prompt is read."""
    encoder = frozenset({Stage.LOADING, Stage.CONDITIONING}) if mode.offload else ALL
    return [
        Term(N_("video model"), mode.device, parts.dit * mode.width, ALL, exact=True),
        Term(N_("text encoder"), mode.device, parts.t5 * mode.width, encoder, exact=True),
        Term(N_("VAE"), mode.device, parts.vae * mode.width, ALL, exact=True),
        Term(N_("speech encoder"), mode.device, parts.wav2vec * mode.width, ALL, exact=True),
    ]


def _work(config: DiTConfig, parts: Parts, height: int, width: int, mode: Mode) -> list[Term]:
    """What the models take while they compute."""
    side = height // LATENT, width // LATENT
    tokens = max(LATENTS_PER_BLOCK * config.tokens_per_frame(*side), config.condition_tokens(*side))
    frame = height * width // parts.patch**2 * parts.decoder_width * mode.width
    if mode.device == HOST:
        fixed, work = CPU_VAE
        decoding = fixed + work * PRIMED_FRAMES * frame
    else:
        cache, work = CARD_VAE
        decoding = (cache * BLOCK_FRAMES + work * PRIMED_FRAMES) * frame
    forward = round(ACTIVATIONS * tokens * config.dim * mode.width)
    return [
        Term(N_("VAE at work"), mode.device, round(decoding), LATER, exact=False),
        Term(N_("activations"), mode.device, forward, LATER, exact=False),
    ]
