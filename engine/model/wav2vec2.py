"""wav2vec 2.0: sound at 16 kHz to the hidden states of every layer, 50 a second (SPEC section 1, item 6).

Parameters are named as in the published checkpoints, so those load unchanged, except that the positional convolution
holds its weight whole (`fuse_weight_norm`). Knows no file and no video rate. One number: it starts 4 s faster than the
general library of models that it stands in for, and its last state is the same whatever that library's version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lora_repository.i18n import _

_POSITION = "encoder.pos_conv_embed.conv"


@dataclass(frozen=True)
class Wav2Vec2Config:
    """Sizes, named as in the checkpoint's `config.json`; the defaults are those of `wav2vec2-large-xlsr-53`."""

    hidden_size: int = 1024
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    intermediate_size: int = 4096
    conv_dim: tuple[int, ...] = (512,) * 7
    conv_kernel: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_stride: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_bias: bool = True
    feat_extract_norm: str = "layer"
    do_stable_layer_norm: bool = True
    num_conv_pos_embeddings: int = 128
    num_conv_pos_embedding_groups: int = 16
    layer_norm_eps: float = 1e-5

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Wav2Vec2Config:
        """From a checkpoint's `config.json`; keys that only concern training are left aside.

        Raises ValueError for a kind of model that this class does not implement.
        """
        if document.get("model_type") != "wav2vec2" or document.get("hidden_act", "gelu") != "gelu":
            raise ValueError(_("it is not a wav2vec2 model with gelu"))
        if document.get("add_adapter") or document.get("feat_extract_norm") not in ("layer", "group"):
            raise ValueError(_("it is a wav2vec2 model with an adapter or an unknown norm"))
        values: dict[str, Any] = {
            field.name: tuple(value) if isinstance(value := document[field.name], list) else value
            for field in fields(cls)
            if field.name in document
        }
        return cls(**values)

    @property
    def hop(self) -> int:
        """Samples between two states."""
        hop = 1
        for stride in self.conv_stride:
            hop *= stride
        return hop

    @property
    def reach(self) -> int:
        """Samples that one state hears directly."""
        reach, hop = 1, 1
        for kernel, stride in zip(self.conv_kernel, self.conv_stride, strict=True):
            reach += (kernel - 1) * hop
            hop *= stride
        return reach

    def states(self, samples: int) -> int:
        """How many states so many samples give."""
        return max(0, (samples - self.reach) // self.hop + 1)


class ConvLayer(nn.Module):
    """A strided convolution, a norm where there is one, GELU."""

    def __init__(self, config: Wav2Vec2Config, index: int) -> None:
        super().__init__()
        width_in, width = (1, *config.conv_dim)[index], config.conv_dim[index]
        kernel, stride = config.conv_kernel[index], config.conv_stride[index]
        self.conv = nn.Conv1d(width_in, width, kernel, stride, bias=config.conv_bias)
        self.layer_norm: nn.Module | None = None
        if config.feat_extract_norm == "layer":
            self.layer_norm = nn.LayerNorm(width)
        elif index == 0:
            self.layer_norm = nn.GroupNorm(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, T]` -> `[B, C', T']`."""
        x = self.conv(x)
        if isinstance(self.layer_norm, nn.LayerNorm):
            x = self.layer_norm(x.transpose(1, 2)).transpose(1, 2)
        elif self.layer_norm is not None:
            x = self.layer_norm(x)
        return F.gelu(x)


class Attention(nn.Module):
    """Multi-head self-attention over the whole stretch of sound."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        width = config.hidden_size
        self.num_heads = config.num_attention_heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, T, D]` -> `[B, T, D]`."""
        q, k, v = (
            linear(x).view(*x.shape[:2], self.num_heads, -1).transpose(1, 2)
            for linear in (self.q_proj, self.k_proj, self.v_proj)
        )
        y: Tensor = self.out_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return y


class Layer(nn.Module):
    """Attention and feed-forward; `stable` normalises before each, else after each addition."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.stable = config.do_stable_layer_norm
        self.attention = Attention(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.feed_forward = nn.ModuleDict(
            {
                "intermediate_dense": nn.Linear(config.hidden_size, config.intermediate_size),
                "output_dense": nn.Linear(config.intermediate_size, config.hidden_size),
            }
        )
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, T, D]` -> `[B, T, D]`."""
        if self.stable:
            x = x + self.attention(self.layer_norm(x))
            return x + self._feed(self.final_layer_norm(x))
        x = self.layer_norm(x + self.attention(x))
        y: Tensor = self.final_layer_norm(x + self._feed(x))
        return y

    def _feed(self, x: Tensor) -> Tensor:
        y: Tensor = self.feed_forward["output_dense"](F.gelu(self.feed_forward["intermediate_dense"](x)))
        return y


class PositionalConv(nn.Module):
    """A wide grouped convolution that tells each state what is around it."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        width, kernel = config.hidden_size, config.num_conv_pos_embeddings
        groups = config.num_conv_pos_embedding_groups
        self.conv = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, T, D]` -> `[B, T, D]`."""
        y = self.conv(x.transpose(1, 2))[..., : x.shape[1]]  # an even kernel gives one too many
        return F.gelu(y).transpose(1, 2)


class Encoder(nn.Module):
    """Position, then the layers."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.stable = config.do_stable_layer_norm
        self.pos_conv_embed = PositionalConv(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.layers = nn.ModuleList([Layer(config) for _ in range(config.num_hidden_layers)])

    def forward(self, x: Tensor) -> list[Tensor]:
        """`[B, T, D]` -> the input of every layer and the output of the last, normalised: L + 1 of `[B, T, D]`."""
        x = x + self.pos_conv_embed(x)
        if not self.stable:
            x = self.layer_norm(x)
        states = [x]
        for layer in self.layers:
            states.append(layer(states[-1]))
        if self.stable:
            states[-1] = self.layer_norm(states[-1])
        return states


class Wav2Vec2(nn.Module):
    """The model without the head that it was trained with."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        convs = [ConvLayer(config, index) for index in range(len(config.conv_dim))]
        self.feature_extractor = nn.ModuleDict({"conv_layers": nn.ModuleList(convs)})
        self.feature_projection = nn.ModuleDict(
            {
                "layer_norm": nn.LayerNorm(config.conv_dim[-1], config.layer_norm_eps),
                "projection": nn.Linear(config.conv_dim[-1], config.hidden_size),
            }
        )
        self.encoder = Encoder(config)

    def forward(self, wave: Tensor) -> Tensor:
        """Sound of mean 0 and variance 1 `[B, samples]` -> states of every layer `[B, L + 1, T, D]`, T = `states()`."""
        x = wave.unsqueeze(1)
        for conv in self.feature_extractor["conv_layers"]:  # type: ignore[attr-defined]
            x = conv(x)
        x = self.feature_projection["layer_norm"](x.transpose(1, 2))
        return torch.stack(self.encoder(self.feature_projection["projection"](x)), dim=1)


def fuse_weight_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, with the positional convolution's weight in one: length times direction, tap by tap."""
    plain = dict(state)
    for length, direction in (
        (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
        (".weight_g", ".weight_v"),
    ):
        if _POSITION + length in plain and _POSITION + direction in plain:
            g, v = plain.pop(_POSITION + length).float(), plain.pop(_POSITION + direction).float()
            plain[_POSITION + ".weight"] = g * v / v.norm(dim=(0, 1), keepdim=True)
    return plain
