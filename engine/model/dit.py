"""The diffusion transformer: a pure function from noisy latents and prepared conditions to a velocity (SPEC section 3).

Knows nothing of caches, masks, positions or time order: whoever calls passes `self_attention`, the one seam by which
queries, keys and values leave a block. What does not change from step to step is computed by the methods that make it
(`text_kv`, `audio_injections`, `modulate`) and passed in. Parameters carry upstream's names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, cast

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from engine.fp8 import taken
from engine.model.attention import Attention, KeyValue
from engine.model.audio_encoder import AudioInjection, AudioInjector, AudioTokens, CausalAudioEncoder
from engine.model.config import PATCH, DiTConfig
from engine.model.framepack import FramePacker, Patches

EMBEDDING_STD: Final = 0.02

LayerAttention = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(q, k, v) -> attended; all [B, S, NH, HD], q and k normalised and not yet roped."""
SelfAttention = Callable[[int, Tensor, Tensor, Tensor], Tensor] | Sequence[LayerAttention]
"""One function that is told the layer, or a function for each layer: a number would be compiled into its block."""


class Modulation(NamedTuple):
    """Six rows of one block, [B, F or 1, 1, D] in float32; scales have 1 added."""

    shift: Tensor
    scale: Tensor
    gate: Tensor
    ffn_shift: Tensor
    ffn_scale: Tensor
    ffn_gate: Tensor


class TimeModulation(NamedTuple):
    """What a time step is to the whole model: a `Modulation` per block, and (shift, scale + 1) of the head."""

    blocks: tuple[Modulation, ...]
    head: tuple[Tensor, Tensor]


def modulated(x: Tensor, shift: Tensor, scale: Tensor, eps: float) -> Tensor:
    """LN(x) * scale + shift for x [B, S, D] and rows [B, F, 1, D], frames of equal length; float32 out."""
    normed = torch.unflatten(functional.layer_norm(x, (x.shape[-1],), eps=eps), 1, (shift.shape[1], -1))
    return torch.addcmul(shift, normed.to(shift.dtype), scale).flatten(1, 2)


def gated(x: Tensor, update: Tensor, gate: Tensor) -> Tensor:
    """x + update * gate in float32, gate as in `modulated`."""
    update = torch.unflatten(update, 1, (gate.shape[1], -1)).to(gate.dtype)
    return torch.addcmul(torch.unflatten(x, 1, (gate.shape[1], -1)).to(gate.dtype), update, gate).flatten(1, 2)


class Block(nn.Module):
    """One transformer block. The residual stream is float32 inside, and x's dtype between blocks."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.eps = config.eps
        self.modulation = nn.Parameter(torch.randn(1, 6, config.dim) / config.dim**0.5)
        self.self_attn = Attention(config.dim, config.num_heads, config.eps)
        self.norm3 = nn.LayerNorm(config.dim, eps=config.eps)
        self.cross_attn = Attention(config.dim, config.num_heads, config.eps)
        self.ffn = nn.Sequential(
            nn.Linear(config.dim, config.ffn_dim), nn.GELU(approximate="tanh"), nn.Linear(config.ffn_dim, config.dim)
        )

    def modulate(self, e0: Tensor) -> Modulation:
        """e0 [B, F, 6, D] of a time -> this block's rows."""
        rows = (e0 + self.modulation.float()).unsqueeze(3).unbind(2)  # six of [B, F, 1, D]
        return Modulation(rows[0], rows[1] + 1, rows[2], rows[3], rows[4] + 1, rows[5])

    def forward(self, x: Tensor, modulation: Modulation, attention: LayerAttention, text: KeyValue) -> Tensor:
        """x [B, S, D] -> [B, S, D]; `text` are this block's cross-attention keys and values."""
        dtype = x.dtype
        # 1. self-attention, through the seam
        y = taken(self.self_attn.q, modulated(x, modulation.shift, modulation.scale, self.eps).to(dtype))
        key, value = self.self_attn.key_value(y)
        attended = attention(self.self_attn.query(y), key, value)
        x = gated(x, self.self_attn.output(attended), modulation.gate)
        # 2. text
        x = x + self.cross_attn.cross(self.norm3(x.to(dtype)), text)
        # 3. feed-forward
        y = modulated(x, modulation.ffn_shift, modulation.ffn_scale, self.eps).to(dtype)
        return gated(x, self.ffn(y), modulation.ffn_gate).to(dtype)


class Head(nn.Module):
    """Picture tokens to patches of velocity, in float32."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.eps = config.eps
        self.modulation = nn.Parameter(torch.randn(1, 2, config.dim) / config.dim**0.5)
        self.head = nn.Linear(config.dim, config.out_dim * PATCH * PATCH)

    def modulate(self, e: Tensor) -> tuple[Tensor, Tensor]:
        """e [B, F, D] of a time -> shift and scale + 1, each [B, F, 1, D]."""
        shift, scale = (e.unsqueeze(2) + self.modulation.float()).unsqueeze(3).unbind(2)
        return shift, scale + 1

    def forward(self, x: Tensor, rows: tuple[Tensor, Tensor]) -> Tensor:
        """[B, S, D] -> [B, S, PATCH * PATCH * out_dim]."""
        y = modulated(x, *rows, self.eps)
        return functional.linear(y, self.head.weight.float(), self.head.bias.float())


class DiT(nn.Module):
    """All of it. `forward` predicts a velocity; the other public methods make its arguments once."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.patch_embedding = Patches(config.in_dim, dim, (1, PATCH, PATCH))
        self.cond_encoder = Patches(config.cond_dim, dim, (1, PATCH, PATCH))
        self.text_embedding = nn.Sequential(
            nn.Linear(config.text_dim, dim), nn.GELU(approximate="tanh"), nn.Linear(dim, dim)
        )
        self.time_embedding = nn.Sequential(nn.Linear(config.freq_dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.head = Head(config)
        self.casual_audio_encoder = CausalAudioEncoder(config)
        self.audio_injector = AudioInjector(config)
        self.trainable_cond_mask = nn.Embedding(3, dim)
        self.frame_packer = FramePacker(config.in_dim, dim)
        self._injector_of = {layer: index for index, layer in enumerate(config.audio_inject_layers)}
        self.initialise()

    def initialise(self) -> None:
        """Fresh parameters, ready to be trained: every residual of audio, and the velocity, begin at zero."""
        for module in self.modules():
            if isinstance(module, nn.Linear | Patches):
                nn.init.xavier_uniform_(module.weight.flatten(1))
                nn.init.zeros_(cast("Tensor", module.bias))
        for layer in (self.text_embedding[0], self.text_embedding[2], self.time_embedding[0], self.time_embedding[2]):
            nn.init.normal_(cast("Tensor", layer.weight), std=EMBEDDING_STD)
        nn.init.normal_(self.trainable_cond_mask.weight, std=EMBEDDING_STD)
        silent = [self.head.head.weight, self.cond_encoder.weight]
        silent += [cast("Attention", attention).o.weight for attention in self.audio_injector.injector]
        for weight in silent:
            nn.init.zeros_(weight)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the residual stream between blocks: that of the weights."""
        return self.patch_embedding.weight.dtype

    # -- what is computed once a video ------------------------------------------------------------------------------

    def embed_text(self, context: Tensor) -> Tensor:
        """[B, length, text_dim] -> [B, text_len, D]. Missing rows are zeros before the embedding, and not masked."""
        missing = self.config.text_len - context.shape[1]
        padded = functional.pad(context, (0, 0, 0, missing)).to(self.dtype)
        return cast("Tensor", self.text_embedding(padded))

    def text_kv(self, embedded: Tensor) -> list[KeyValue]:
        """Cross-attention keys and values of every block, each [B, text_len, NH, HD]."""
        return [self._block(index).cross_attn.key_value(embedded) for index in range(self.config.num_layers)]

    def time_embedding_of(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """time [B, F] in 0..1000 -> e [B, F, D] and e0 [B, F, 6, D], in float32."""
        half = self.config.freq_dim // 2
        exponent = torch.arange(half, dtype=torch.float64, device=time.device) / half
        angle = time.to(torch.float64).unsqueeze(-1) * 10000.0**-exponent
        wave = torch.cat((angle.cos(), angle.sin()), dim=-1).to(torch.float32)
        first, last, project = self.time_embedding[0], self.time_embedding[2], self.time_projection[1]
        e = _linear_f32(last, functional.silu(_linear_f32(first, wave)))
        return e, torch.unflatten(_linear_f32(project, functional.silu(e)), -1, (6, -1))

    def modulate(self, time: Tensor) -> TimeModulation:
        """time [B, F] in 0..1000 -> all rows that depend on it; F = 1 serves any number of frames."""
        e, e0 = self.time_embedding_of(time)
        blocks = tuple(self._block(index).modulate(e0) for index in range(self.config.num_layers))
        return TimeModulation(blocks, self.head.modulate(e))

    # -- what is computed once a block of frames --------------------------------------------------------------------

    def encode_audio(self, features: Tensor) -> AudioTokens:
        """features [B, layers, C, 12 k] -> audio tokens of 3 k latent frames."""
        return cast("AudioTokens", self.casual_audio_encoder(features))

    def audio_injections(self, tokens: AudioTokens) -> tuple[AudioInjection, ...]:
        """Keys, values, shifts and scales of every injector."""
        return self.audio_injector.prepare(tokens)

    # -- tokens -----------------------------------------------------------------------------------------------------

    def noisy_tokens(self, x: Tensor, pose: Tensor | None = None) -> Tensor:
        """Latents [B, C, F, h, w] -> [B, F n, D]; without a pose [B, cond_dim, F, h, w] its encoder gives its bias."""
        posed = cast("Tensor", self.cond_encoder.bias if pose is None else self.cond_encoder(pose))
        return cast("Tensor", self.patch_embedding(x)) + (posed + self.trainable_cond_mask.weight[0])

    def condition_tokens(self, reference: Tensor, motion: Tensor) -> Tensor:
        """Reference [B, C, 1, h, w] and motion latents [B, C, F, h, w] -> [B, S, D], in that order."""
        mask = self.trainable_cond_mask.weight
        return torch.cat((self.patch_embedding(reference) + mask[1], self.frame_packer(motion) + mask[2]), dim=1)

    # -- the passes -------------------------------------------------------------------------------------------------

    def prefill(
        self, tokens: Tensor, time: TimeModulation, text_kv: Sequence[KeyValue], self_attention: SelfAttention
    ) -> None:
        """Run the condition tokens [B, S, D] through all blocks: no audio, no head; the seam keeps what it wants."""
        for index in range(self.config.num_layers):
            tokens = self._block(index)(tokens, time.blocks[index], _at(self_attention, index), text_kv[index])

    def forward(
        self,
        x: Tensor,
        time: TimeModulation,
        text_kv: Sequence[KeyValue],
        audio: Sequence[AudioInjection],
        self_attention: SelfAttention,
        pose: Tensor | None = None,
    ) -> Tensor:
        """Velocity [B, out_dim, F, h, w] in float32 of latents x [B, in_dim, F, h, w]."""
        tokens = self.noisy_tokens(x, pose)
        for index in range(self.config.num_layers):
            tokens = self._block(index)(tokens, time.blocks[index], _at(self_attention, index), text_kv[index])
            injector = self._injector_of.get(index)
            if injector is not None:
                tokens = self.audio_injector(injector, tokens, audio[injector])
        return self._unpatchify(self.head(tokens, time.head), x)

    def _unpatchify(self, patches: Tensor, like: Tensor) -> Tensor:
        """[B, F n, (py, px, c)] -> [B, c, F, h, w]."""
        frames, rows, columns = like.shape[2], like.shape[3] // PATCH, like.shape[4] // PATCH
        split = patches.view(-1, frames, rows, columns, PATCH, PATCH, self.config.out_dim)
        return split.permute(0, 6, 1, 2, 4, 3, 5).reshape(-1, self.config.out_dim, frames, *like.shape[3:])

    def _block(self, index: int) -> Block:
        return cast("Block", self.blocks[index])


def _at(self_attention: SelfAttention, layer: int) -> LayerAttention:
    return partial(self_attention, layer) if callable(self_attention) else self_attention[layer]


def _linear_f32(layer: nn.Module, x: Tensor) -> Tensor:
    """A linear layer in float32 whatever its weights are stored in."""
    linear = cast("nn.Linear", layer)
    return functional.linear(x, linear.weight.float(), linear.bias.float())
