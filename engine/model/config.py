"""What a model is: its sizes, read once from upstream's `config.json`; every derived size is a property.

Knows no torch and no file: it is handed a parsed document and, where there are any, the tensors' shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from engine import codes
from lora_repository.i18n import _

PATCH: Final = 2
"""Latent pixels a token is wide and high (patch 1x2x2)."""
AUDIO_BRANCH: Final = 4
"""A branch of the audio encoder starts at width / AUDIO_BRANCH and doubles twice (SPEC section 3)."""

# Switches of upstream's class with the one value that this engine implements (SPEC section 0).
_REQUIRED: Final[Mapping[str, object]] = {
    "model_type": "s2v",
    "cross_attn_type": "t2v_cross_attn",
    "adain_mode": "attn_norm",
    "framepack_drop_mode": "padd",
    "enable_adain": True,
    "enable_framepack": True,
    "add_last_motion": True,
    "zero_timestep": True,
    "qk_norm": True,
    "cross_attn_norm": True,
    "enable_motioner": False,
    "enable_tsm": False,
    "trainable_token_pos_emb": False,
    "slide_motion_frames": False,
    "local_attn_size": -1,
    "patch_size": [1, PATCH, PATCH],
    "window_size": [-1, -1],
}
# Keys that say nothing about the forward pass.
_IRRELEVANT: Final = frozenset(
    {"_class_name", "_diffusers_version", "_name_or_path", "zero_init", "motion_token_num", "motion_frames"}
)
# Keys that upstream leaves out of config.json: name -> (tensor, axis) that tells, and upstream's value.
_FROM_SHAPES: Final[Mapping[str, tuple[str, int, int]]] = {
    "text_dim": ("text_embedding.0.weight", 1, 4096),
    "audio_layers": ("casual_audio_encoder.weights", 1, 25),
    "audio_dim": ("casual_audio_encoder.encoder.conv1_global.conv.weight", 1, 1024),
}


@dataclass(frozen=True)
class DiTConfig:
    """Sizes of one diffusion transformer; the defaults are the 14B model's (SPEC section 3)."""

    dim: int = 5120
    ffn_dim: int = 13824
    freq_dim: int = 256
    in_dim: int = 16
    out_dim: int = 16
    cond_dim: int = 16
    num_heads: int = 40
    num_layers: int = 40
    text_dim: int = 4096
    text_len: int = 512
    audio_dim: int = 1024
    audio_layers: int = 25
    audio_inject_layers: tuple[int, ...] = (0, 4, 8, 12, 16, 20, 24, 27, 30, 33, 36, 39)
    num_audio_token: int = 4
    eps: float = 1e-6
    reference_pose: bool = False
    """Every frame is also given the reference through the pose encoder, token by token. Upstream's poses come from a
    video and are nothing without one; a small model learns a likeness several times sooner with the reference there."""
    anchor_update: bool = True
    """From clip 1 on, the first generated latent frame replaces the picture as reference (SPEC section 1, AAS)."""

    def __post_init__(self) -> None:
        """Raises ValueError for sizes that do not go together."""
        sizes = [(field.name, getattr(self, field.name)) for field in fields(self) if field.type == "int"]
        for name, size in sizes:
            _require(isinstance(size, int) and size > 0, name, size, _("a whole number above 0"))
        _require(self.dim % self.num_heads == 0, "num_heads", self.num_heads, f"{self.dim} / n")
        _require(self.head_dim % 2 == 0, "num_heads", self.num_heads, f"{self.dim} / 2n")
        _require(self.dim % AUDIO_BRANCH == 0, "dim", self.dim, f"{AUDIO_BRANCH}n")
        _require(self.freq_dim % 2 == 0, "freq_dim", self.freq_dim, "2n")
        layers = self.audio_inject_layers
        inside = all(isinstance(layer, int) and 0 <= layer < self.num_layers for layer in layers)
        _require(inside, "audio_inject_layers", layers, f"0..{self.num_layers - 1}")

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.dim // self.num_heads

    def tokens_per_frame(self, latent_h: int, latent_w: int) -> int:
        """Tokens of one latent frame of `latent_h` x `latent_w`."""
        return (latent_h // PATCH) * (latent_w // PATCH)

    def condition_tokens(self, latent_h: int, latent_w: int) -> int:
        """Tokens of reference and motion together: n + n + n/4 + 4 n/16 (SPEC section 4)."""
        y, x = latent_h // PATCH, latent_w // PATCH
        return 2 * y * x + (y // 2) * (x // 2) + 4 * (y // 4) * (x // 4)

    @classmethod
    def from_json(
        cls,
        document: Mapping[str, Any],
        shapes: Mapping[str, Sequence[int]] | None = None,
        path: str | Path = "config.json",
    ) -> DiTConfig:
        """The config of a checkpoint; `shapes` maps tensor names to shapes and fills in what upstream leaves out.

        Raises `Problem` RUN012, naming `path`, for a key that nobody knows or a value that is not implemented.
        """
        try:
            return cls(**_values(document, shapes or {}))
        except (TypeError, ValueError) as fault:
            raise codes.CHECKPOINT_CONFIG.problem(
                path=str(path), folder=str(Path(path).parent), reason=fault
            ) from fault


def _values(document: Mapping[str, Any], shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    known = {field.name for field in fields(DiTConfig)}
    values: dict[str, Any] = {}
    for key, value in document.items():
        if key in known:
            values[key] = tuple(value) if isinstance(value, list) else value
        elif key in _REQUIRED:
            _require(value == _REQUIRED[key], key, value, str(_REQUIRED[key]))
        elif key not in _IRRELEVANT:
            raise ValueError(_unknown(key, known))
    for key, (tensor, axis, usual) in _FROM_SHAPES.items():
        values.setdefault(key, int(shapes[tensor][axis]) if tensor in shapes else usual)
    return values


def _require(holds: bool, key: str, found: object, expected: str) -> None:
    if not holds:
        raise ValueError(_("{key} is {found}, expected {expected}").format(key=key, found=found, expected=expected))


def _unknown(key: str, known: set[str]) -> str:
    near = get_close_matches(key, [*known, *_REQUIRED], n=1)
    if near:
        return _("unknown key {key}; the nearest known one is {near}").format(key=key, near=near[0])
    return _("unknown key {key}").format(key=key)
