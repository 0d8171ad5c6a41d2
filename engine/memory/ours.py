"""The rows of a run of this engine: what it holds on the card, or on the host, in each stage.

Arithmetic on shapes; what cannot be counted comes from `Constants`. Sources: the buffers of `engine.cache`,
`engine.conditioning` and `engine.load`; SPEC sections 4, 5 and 10. Knows no machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from engine.checkpoint_layout import CheckpointLayout, read_config
from engine.memory.constants import DECODED_FRAMES, ENCODED_FRAMES, PRIOR, Constants
from engine.memory.mode import Mode
from engine.memory.plan import ALL, HOST, LATER, RUNNING, Kind, MemoryPlan, Stage, Term
from engine.memory.sizes import LATENT, Parts, block_numbers, count_parts
from engine.model.config import DiTConfig
from engine.spec import BLOCKS_PER_CLIP, LATENTS_PER_BLOCK, Pristine
from lora_repository.i18n import N_

_LOADING: Final = frozenset({Stage.LOADING})
_CONDITIONING: Final = frozenset({Stage.CONDITIONING})
_ENCODING: Final = frozenset({Stage.LOADING, Stage.CONDITIONING})
_KEY_MULTIPLE: Final = 128
"""Keys of the attention on a card are padded to a multiple of this (`engine.execution`)."""
_SCALE_BYTES: Final = 4
"""Of an fp8 matrix's scale, one a row."""
_SLABS: Final = 2
"""Blocks on the card at once where the others wait on the host: one computes, one arrives."""


@dataclass(frozen=True, slots=True)
class Case:
    """One run: `height` x `width` pixels, `passes` forward passes a block."""

    config: DiTConfig
    parts: Parts
    height: int
    width: int
    passes: int
    mode: Mode
    embedded: bool = False

    @property
    def tokens(self) -> int:
        """Tokens of one latent frame."""
        return self.config.tokens_per_frame(self.height // LATENT, self.width // LATENT)

    @property
    def condition(self) -> int:
        """Condition tokens."""
        return self.config.condition_tokens(self.height // LATENT, self.width // LATENT)

    @property
    def ring(self) -> int:
        """Tokens of one ring: 12 latent frames."""
        return LATENTS_PER_BLOCK * BLOCKS_PER_CLIP * self.tokens

    @property
    def token_numbers(self) -> int:
        """Numbers of one token's keys and values in all layers."""
        return self.config.num_layers * 2 * self.config.dim

    def devices(self) -> list[str]:
        """The cards that take part, or the host."""
        if not self.mode.on_card:
            return [HOST]
        first = int(self.mode.device.rpartition(":")[2])
        return [f"cuda:{first + index}" for index in range(self.mode.cards)]

    def rings_on(self, index: int) -> int:
        """Rings that card `index` keeps: the steps are dealt out, the decoder's card gets none if it can be spared."""
        spare = self.mode.cards > self.passes
        workers = min(self.mode.cards - spare, self.passes) if self.mode.cards > 1 else 1
        share, more = divmod(self.passes, workers)
        return share + (index < more) if index < workers else 0


def case_of(layout: CheckpointLayout, height: int, width: int, passes: int, mode: Mode) -> Case:
    """The case of a base model on disk; raises `Problem` where its sizes cannot be read."""
    config = DiTConfig.from_json(read_config(layout), path=layout.dit_config)
    return Case(config, count_parts(layout), height, width, passes, mode, layout.embedded)


def plan_run(
    layout: CheckpointLayout, height: int, width: int, steps: int, mode: Mode, constants: Constants = PRIOR
) -> MemoryPlan:
    """The plan of one run of a base model on disk; raises `Problem` where its sizes cannot be read."""
    return plan_case(case_of(layout, height, width, steps, mode), constants)


def plan_memory(config: DiTConfig, parts: Parts, height: int, width: int, steps: int, mode: Mode) -> MemoryPlan:
    """The rows of one run at `height` x `width` pixels with `steps` passes a block."""
    return plan_case(Case(config, parts, height, width, steps, mode))


def plan_case(case: Case, constants: Constants = PRIOR) -> MemoryPlan:
    """All rows of a case; the margin is smaller where the constants are this card's own."""
    terms: list[Term] = []
    for index, device in enumerate(case.devices()):
        on_device = [*_weights(case, device), *_caches(case, device, index), *_work(case, constants, device, index)]
        terms += on_device
        if case.mode.on_card:
            terms += _card(case, constants, device, sum(term.size for term in on_device))
    terms += _host(case, constants)
    return MemoryPlan(tuple(term for term in terms if term.size), constants.margin)


def _weights(case: Case, device: str) -> Iterator[Term]:
    """All parts are loaded before the first is used; under offload the text encoder goes when the prompt is read."""
    mode, parts = case.mode, case.parts
    encoder = _ENCODING if mode.offload else ALL
    yield _counted(N_("video model"), device, _on_card(case), ALL)
    yield _counted(N_("text encoder"), device, parts.t5 * mode.width, encoder)
    yield _counted(N_("VAE"), device, parts.vae * mode.width, ALL)
    yield _counted(N_("speech encoder"), device, parts.wav2vec * mode.width, ALL)
    if mode.pristine is Pristine.CARD:
        yield _counted(N_("pristine copy"), device, parts.dit * mode.width, ALL)
    if mode.pristine is not Pristine.NONE and mode.on_card:
        swap = parts.dit_fp8 + parts.dit_rows * _SCALE_BYTES if mode.fp8 else parts.dit_fp8 * mode.width
        yield _counted(N_("a swap in preparation"), device, swap, RUNNING)


def model_bytes(parts: Parts, width: int, *, fp8: bool) -> int:
    """Bytes of the video model: `width` a number, but one in the large matrices under fp8, and a scale a row."""
    if not fp8:
        return parts.dit * width
    return (parts.dit - parts.dit_fp8) * width + parts.dit_fp8 + parts.dit_rows * _SCALE_BYTES


def _on_card(case: Case) -> int:
    whole = model_bytes(case.parts, case.mode.width, fp8=case.mode.fp8)
    return whole - _streamed(case) if case.mode.blocks_on_host else whole


def _streamed(case: Case) -> int:
    """Bytes of the blocks that wait on the host, but for those that are being computed."""
    width = 1 if case.mode.fp8 else case.mode.width
    return max(0, case.config.num_layers - _SLABS) * block_numbers(case.config) * width


def _caches(case: Case, device: str, index: int) -> Iterator[Term]:
    """Keys and values: a ring for each pass, and the condition once for all of them (`engine.cache`)."""
    rings = case.rings_on(index)
    kept = min(rings, 1) if case.mode.rings_on_host else rings
    if not rings:
        return
    yield _counted(N_("rings"), device, kept * ring_bytes(case), RUNNING)
    yield _counted(N_("condition cache"), device, _condition_bytes(case), RUNNING)
    yield _counted(
        N_("text keys and values"), device, case.config.text_len * case.token_numbers * case.mode.width, LATER
    )


def ring_bytes(case: Case) -> int:
    """One ring: keys and values of all layers; in eight bits with a float32 scale for each token and head."""
    numbers = _padded(case.ring, case.mode) * case.token_numbers
    scales = numbers // case.config.head_dim * _SCALE_BYTES if case.mode.fp8_cache else 0
    return numbers * case.mode.cache_width + scales


def _condition_bytes(case: Case) -> int:
    """Keys and values of all condition tokens, never in eight bits, and the reference's keys before they are turned."""
    numbers = _padded(case.condition, case.mode) * case.token_numbers + case.tokens * case.token_numbers // 2
    return numbers * case.mode.width


def _padded(tokens: int, mode: Mode) -> int:
    """On a card, attention wants its keys in a multiple of 128."""
    return -(-tokens // _KEY_MULTIPLE) * _KEY_MULTIPLE if mode.on_card else tokens


def _work(case: Case, constants: Constants, device: str, index: int) -> Iterator[Term]:
    """What the models take while they compute. On a card, what is recorded keeps its room; the rest is given back."""
    mode = case.mode
    scale = constants.scale if mode.on_card else 1.0
    if case.rings_on(index):
        yield _measured(N_("activations"), device, _forward(case, constants) * scale, RUNNING)
    if index == len(case.devices()) - 1:
        yield _measured(N_("VAE at work"), device, _decoding(case, constants) * scale, RUNNING)
        yield _measured(N_("VAE history"), device, _history(case, constants), RUNNING)
    if mode.on_card:
        encoding = constants.encoder_work * ENCODED_FRAMES * _frame(case)
        largest = case.config.dim * case.config.ffn_dim
        yield _measured(N_("VAE encoding"), device, encoding, _CONDITIONING)
        yield _measured(N_("weights arriving"), device, constants.arriving * largest, _LOADING)


def _forward(case: Case, constants: Constants) -> float:
    """One forward pass; rings of eight bits are read as a copy, a layer at a time."""
    tokens = max(LATENTS_PER_BLOCK * case.tokens, case.condition)
    plain = constants.activations * tokens * case.config.dim * case.mode.width
    copy = 2 * case.ring * case.config.dim * case.mode.width if case.mode.fp8_cache else 0
    return plain + copy


def _frame(case: Case) -> int:
    """Bytes of one frame at the decoder's full width."""
    return case.height * case.width // case.parts.patch**2 * case.parts.decoder_width * case.mode.width


def _decoding(case: Case, constants: Constants) -> float:
    if not case.mode.on_card:
        fixed, work = constants.host_decoder
        return fixed + work * DECODED_FRAMES * _frame(case)
    return constants.decoder_work * DECODED_FRAMES * _frame(case)


def _history(case: Case, constants: Constants) -> float:
    """The frames that the decoder remembers; on the host they are part of its work."""
    return constants.decoder_history * DECODED_FRAMES * _frame(case) if case.mode.on_card else 0.0


def _card(case: Case, constants: Constants, device: str, held: int) -> Iterator[Term]:
    """What driver and allocator take of a card, which holds `held` bytes otherwise."""
    yield Term(N_("CUDA context"), device, constants.context, ALL, Kind.DRIVER)
    yield Term(N_("CUDA libraries"), device, constants.libraries, ALL, Kind.DRIVER)
    if case.mode.cards > 1:
        yield Term(N_("NCCL"), device, constants.nccl, ALL, Kind.DRIVER)
    yield Term(N_("allocator"), device, round(constants.slack * held) + constants.extra, LATER, Kind.RESERVED)


def _host(case: Case, constants: Constants) -> Iterator[Term]:
    """What the engine's processes take of the host."""
    mode = case.mode
    process = constants.host_cuda * mode.cards if mode.on_card else constants.host_process
    yield _measured(N_("process"), HOST, process, ALL)
    if mode.pristine is Pristine.HOST:
        yield _counted(N_("pristine copy"), HOST, case.parts.dit * mode.width, ALL)
    if mode.blocks_on_host:
        yield _counted(N_("blocks in waiting"), HOST, _streamed(case), ALL)
    if mode.rings_on_host:
        away = case.passes - mode.cards
        yield _counted(N_("rings in waiting"), HOST, max(0, away) * ring_bytes(case), RUNNING)
    if case.embedded:
        yield _measured(N_("portrait check"), HOST, constants.portrait_check, _CONDITIONING)


def on(case: Case, **changes: object) -> Case:
    """The case with another mode."""
    return replace(case, mode=replace(case.mode, **changes))  # type: ignore[arg-type]


def _counted(name: str, device: str, size: int, when: frozenset[Stage]) -> Term:
    return Term(name, device, size, when, Kind.COUNTED)


def _measured(name: str, device: str, size: float, when: frozenset[Stage]) -> Term:
    return Term(name, device, round(size), when, Kind.MEASURED)
