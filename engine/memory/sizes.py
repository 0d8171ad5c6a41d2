"""How large a model is: numbers (parameters) of each part from the headers of its files, or from its config alone.

Opens headers, never weights, and imports no torch: 28 GB of shards take some 10 ms. Knows no device.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt, prod
from pathlib import Path
from typing import Final

from engine import codes
from engine.checkpoint_layout import CheckpointLayout
from engine.model.config import DiTConfig
from engine.pth_header import read_shapes
from lora_repository.finding import Problem
from lora_repository.header import read_header
from lora_repository.i18n import _

Shapes = Mapping[str, tuple[int, ...]]

LATENT: Final = 8
"""Pixels a latent is wide and high."""
_DECODER_HEAD: Final = "decoder.head.2.weight"
_FP8_LINEAR: Final = re.compile(
    r"blocks\.\d+\.((self|cross)_attn\.[qkvo]|ffn\.[02])\.weight"
    r"|audio_injector\.injector\.\d+\.[qkvo]\.weight"
    r"|audio_injector\.injector_adain_layers\.\d+\.linear\.weight"
)
"""Matrices that fp8 stores in one byte a number (SPEC section 10)."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Numbers in each part of a base model; `dit_fp8` of those in `dit` can be stored in fp8, in `dit_rows` rows."""

    dit: int
    vae: int
    t5: int
    wav2vec: int
    decoder_width: int
    """Channels of the VAE's decoder at full size; there a number stands for a patch of `patch` x `patch` pixels."""
    patch: int
    dit_fp8: int = 0
    dit_rows: int = 0


KNOWN_14B: Final = Parts(
    dit=16_295_755_609,
    vae=126_892_531,
    t5=5_680_910_336,
    wav2vec=315_472_545,
    decoder_width=96,
    patch=1,
    dit_fp8=15_938_355_200,
    dit_rows=2_764_800,
)
"""Wan2.2-S2V-14B, for a plan without its files."""
_REST_14B: Final = 120_006_489
"""Numbers of audio encoder, patch embeddings, frame packer and head in the 14B model."""
LITE: Final = DiTConfig(
    dim=3072,
    ffn_dim=14_336,
    num_heads=24,
    num_layers=32,
    audio_inject_layers=(0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 29, 31),
)
"""A model of 6 billion numbers with the widths of Wan2.2's smaller one: nobody has published such a model."""


def count_parts(layout: CheckpointLayout) -> Parts:
    """Sizes of each part, from headers alone; raises `Problem` for a file that cannot be read or is no VAE."""
    vae = shapes_of(layout.vae)
    head = vae.get(_DECODER_HEAD)
    if head is None or len(head) < 2:
        lacking = _("it lacks {names}").format(names=_DECODER_HEAD)
        raise codes.WEIGHTS_UNFIT.problem(path=str(layout.vae), folder=str(layout.root), differences=lacking)
    dit = {name: shape for file in layout.dit_files for name, shape in shapes_of(file).items()}
    narrow, rows = fp8_numbers(dit)
    return Parts(
        dit=_numbers(dit.values()),
        vae=_numbers(vae.values()),
        t5=_numbers(shapes_of(layout.t5).values()),
        wav2vec=_numbers(shapes_of(layout.wav2vec / "model.safetensors").values()),
        decoder_width=head[1],
        patch=isqrt(head[0] // 3),
        dit_fp8=narrow,
        dit_rows=rows,
    )


def fp8_numbers(shapes: Shapes) -> tuple[int, int]:
    """Numbers and rows of the matrices that fp8 stores in one byte a number."""
    linears = [shape for name, shape in shapes.items() if _FP8_LINEAR.fullmatch(name)]
    return _numbers(linears), sum(shape[0] for shape in linears)


def parts_of(config: DiTConfig) -> Parts:
    """Sizes of a model of which there is only a config, with the 14B model's other parts.

    Exact but for audio encoder, patch embeddings and head (0.7 % of the 14B model), which are scaled by their width.
    """
    d, f, layers, injectors = config.dim, config.ffn_dim, config.num_layers, len(config.audio_inject_layers)
    matrices = block_numbers(config)
    block = matrices + 21 * d + f  # biases 9 d + f, scales of q and k 4 d, modulation 6 d, norm 2 d
    injected = 6 * d * d + 8 * d
    times = 7 * (d * d + d) + (config.freq_dim + 1) * d
    texts = d * d + d + (config.text_dim + 1) * d
    rest = round(_REST_14B * (d / DiTConfig().dim) ** 2)
    return Parts(
        dit=layers * block + injectors * injected + times + texts + rest,
        vae=KNOWN_14B.vae,
        t5=KNOWN_14B.t5,
        wav2vec=KNOWN_14B.wav2vec,
        decoder_width=KNOWN_14B.decoder_width,
        patch=KNOWN_14B.patch,
        dit_fp8=layers * matrices + injectors * 6 * d * d,
        dit_rows=layers * (9 * d + f) + injectors * 6 * d,
    )


def block_numbers(config: DiTConfig) -> int:
    """Numbers in the matrices of one block: what is streamed where blocks are kept on the host."""
    return 8 * config.dim**2 + 2 * config.dim * config.ffn_dim


def _numbers(shapes: Iterable[tuple[int, ...]]) -> int:
    return sum(prod(shape) for shape in shapes)


def shapes_of(file: Path) -> Shapes:
    """Names and shapes in a file's header, read once for a file that stays as it is; raises `Problem` RUN014.

    The app plans again at every stroke of a key.
    """
    status = file.stat()
    return _read(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=32)
def _read(file: Path, _changed_ns: int, _size: int) -> Shapes:
    try:
        if file.suffix == ".pth":
            return read_shapes(file)
        return {name: tensor.shape for name, tensor in read_header(file).tensors.items()}
    except Problem as fault:
        if fault.finding.code.startswith("RUN"):
            raise
        told = fault.finding.message.rstrip(".")
        raise codes.CHECKPOINT_DAMAGED.problem(path=str(file), folder=str(file.parent), reason=told) from fault
