"""The rows of a run of upstream's code, as it was measured and reported: for comparison, and for claims about it.

Not a plan of this engine. Sources: SPEC sections 4 to 7 and 10, a measurement of upstream on one H200, and two reports
from the field; docs/memory.md lists them with the command that makes the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from engine.memory.constants import PRIOR
from engine.memory.ours import model_bytes
from engine.memory.plan import ALL, LATER, MIB, RUNNING, Kind, MemoryPlan, Stage, Term
from engine.memory.sizes import KNOWN_14B, LATENT, Parts
from engine.model.config import DiTConfig
from engine.spec import FRAMES_PER_CLIP, FRAMES_PER_LATENT

CARD: Final = "cuda:0"
ACCURACY: Final = 0.03
"""Largest error of these rows against eight measured peaks, so the margin of their verdict (docs/memory.md)."""
_BF16: Final = 2
_F32: Final = 4
ADAPTER: Final = 676_331_520
"""Numbers of the published adapter, rank 128 on 448 matrices; it is held in float32 until it is merged."""
ACTIVATIONS: Final = 1_800 * MIB
"""One eager forward at 704x384, counted from the shapes: six float32 modulations of the whole sequence alone 371 MiB,
rotary products in complex float64."""
_COUNTED_AT: Final = 1056
"""Tokens of a latent frame that `ACTIVATIONS` was counted at."""
_CONDITION: Final = {False: 2800, True: 3000}
"""Condition tokens that are allocated, whatever the picture: on one card, and in the pipeline of several."""
_DECODER_HISTORY: Final = 2.05
"""As ours: 1.19 GiB of 12 frames at 704x384."""
_DECODER_WORK: Final = 73.8
"""Bytes by the bytes of one frame at full width: 3.57 GiB at 704x384, of a measured 5.0; it upsamples in f32."""
_WHOLE_CLIP_FRAMES: Final = 413
"""Frames of the 104 latents that the script for one card decodes for every clip, in bf16."""


class Rank(StrEnum):
    """What a card does."""

    ALONE = "alone"
    DENOISER = "denoiser"
    DECODER = "decoder"


@dataclass(frozen=True, slots=True)
class UpstreamRun:
    """One of upstream's runs: `frames` is `--infer_frames`, `grown` its clips where somebody let the rings grow."""

    height: int = 384
    width: int = 704
    frames: int = FRAMES_PER_CLIP
    fp8: bool = False
    offload_model: bool = True
    offload_kv_cache: bool = False
    rank: Rank = Rank.ALONE
    grown: int = 1
    decodes: bool = False

    @property
    def tokens(self) -> int:
        """Tokens of one latent frame."""
        return DiTConfig().tokens_per_frame(self.height // LATENT, self.width // LATENT)

    @property
    def pipeline(self) -> bool:
        """It runs on several cards."""
        return self.rank is not Rank.ALONE

    @property
    def rings(self) -> int:
        """Rings on this card: one for each of four steps, or one at a time."""
        if self.rank is Rank.DECODER:
            return 0
        return 1 if self.pipeline or self.offload_kv_cache else 4


def plan_upstream(run: UpstreamRun, parts: Parts = KNOWN_14B) -> MemoryPlan:
    """Rows of one card in upstream's run."""
    model = model_bytes(parts, _BF16, fp8=False)
    held = model if not run.fp8 else (parts.dit - parts.dit_fp8) * _BF16 + parts.dit_fp8
    loading = frozenset({Stage.LOADING})
    terms = [
        Term("video model", CARD, model, loading, Kind.COUNTED),
        Term("video model", CARD, held, LATER, Kind.COUNTED),
        Term("adapter in float32", CARD, ADAPTER * _F32, loading, Kind.COUNTED),
        Term("freed while loading", CARD, model + ADAPTER * _F32 - held, LATER, Kind.RESERVED),
        Term("CUDA context", CARD, PRIOR.context, ALL, Kind.DRIVER),
        Term("CUDA libraries", CARD, PRIOR.libraries, ALL, Kind.DRIVER),
    ]
    terms += _encoder(run, parts)
    terms += _running(run)
    if run.decodes or run.rank is Rank.DECODER:
        terms += decoding(run.height, run.width, parts, whole_clip=not run.pipeline)
    return MemoryPlan(tuple(_reused(terms)), ACCURACY)


def _encoder(run: UpstreamRun, parts: Parts) -> list[Term]:
    """The text encoder comes when the prompt is read, after everything is loaded; without offload it stays."""
    when = frozenset({Stage.CONDITIONING}) if run.offload_model else LATER
    return [Term("text encoder", CARD, parts.t5 * _BF16, when, Kind.COUNTED)]


def _running(run: UpstreamRun) -> list[Term]:
    if not run.rings:
        return []
    config = DiTConfig()
    token = config.num_layers * 2 * config.dim * _BF16
    latents = run.frames // FRAMES_PER_LATENT * run.grown
    condition = _CONDITION[run.pipeline] * token
    work = ACTIVATIONS * run.tokens // _COUNTED_AT
    return [
        Term("rings", CARD, run.rings * latents * run.tokens * token, RUNNING, Kind.COUNTED),
        Term("condition cache", CARD, condition, RUNNING, Kind.COUNTED),
        Term("activations", CARD, work, RUNNING, Kind.MEASURED),
    ]


def decoding(height: int, width: int, parts: Parts = KNOWN_14B, *, whole_clip: bool) -> list[Term]:
    """The VAE at work, beside its weights; `whole_clip` as the script for one card does it."""
    frame = height * width * parts.decoder_width * _BF16
    video = _WHOLE_CLIP_FRAMES * height * width * 3 * _BF16 if whole_clip else 0
    when = frozenset({Stage.DECODING})
    return [
        Term("VAE", CARD, parts.vae * _BF16, when, Kind.COUNTED),
        Term("VAE history", CARD, round(_DECODER_HISTORY * 12 * frame), when, Kind.MEASURED),
        Term("VAE at work", CARD, round(_DECODER_WORK * frame), when, Kind.MEASURED),
        Term("decoded clip", CARD, video, when, Kind.COUNTED),
    ]


def _reused(terms: list[Term]) -> list[Term]:
    """Small pieces live in what was freed while loading: all but rings, condition cache and the decoder's work.

    Those take fresh memory: of five cards in a report, each held its loading peak and these, to 4 %.
    """
    fresh = {"video model", "rings", "condition cache", "VAE at work", "decoded clip"}
    housed = (Kind.COUNTED, Kind.MEASURED)
    small = sum(t.size for t in terms if t.name not in fresh and t.kind in housed and Stage.DECODING in t.when)
    return [replace(term, size=max(0, term.size - small)) if term.kind is Kind.RESERVED else term for term in terms]
