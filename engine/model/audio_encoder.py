"""From speech features to audio tokens, and their way into the picture (SPEC section 3, "Audio encoder", "injection").

Knows no wave and no clip: a block of twelve feature frames becomes three latent frames of tokens, in float32.
"""

from __future__ import annotations

from typing import Final, NamedTuple, cast

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from engine.model.attention import Attention, KeyValue
from engine.model.config import AUDIO_BRANCH, DiTConfig

BLOCK_FRAMES: Final = 12
LATENT_FRAMES: Final = 3
PAST: Final = 5
"""Copies of a block's first frame that stand for its past: all that three causal convolutions with steps 1, 2, 2 reach
(upstream repeats it 73 times and drops 19 outputs; the rest is the same to the last bit of the sum)."""
EPS: Final = 1e-6


class AudioTokens(NamedTuple):
    """Audio of F latent frames: `local` [B, F, tokens + 1, D] to attend to, `glob` [B, F, D] to modulate with."""

    local: Tensor
    glob: Tensor


class AudioInjection(NamedTuple):
    """One injector's constants of a block: context [B*F, tokens + 1, NH, HD], `shift` and `scale` + 1 [B, F, 1, D]."""

    context: KeyValue
    shift: Tensor
    scale: Tensor


class _Conv(nn.Module):
    """A convolution in float32 over real history only; the extra level is upstream's name."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel_size=3, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] -> [B, C', T'], normalised over channels, then SiLU."""
        bias = cast("Tensor", self.conv.bias)
        y = functional.conv1d(x, self.conv.weight.float(), bias.float(), self.conv.stride)
        normed = functional.layer_norm(y.transpose(1, 2), (y.shape[1],), eps=EPS)
        return functional.silu(normed).transpose(1, 2)


class _Branches(nn.Module):
    """Local (several tokens a frame) and global (one) branch; the second and third convolution serve both."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        width = config.dim // AUDIO_BRANCH
        self.tokens = config.num_audio_token
        self.conv1_local = _Conv(config.audio_dim, self.tokens * width)
        self.conv1_global = _Conv(config.audio_dim, width)
        self.conv2 = _Conv(width, 2 * width, stride=2)
        self.conv3 = _Conv(2 * width, config.dim, stride=2)
        self.final_linear = nn.Linear(config.dim, config.dim)
        self.padding_tokens = nn.Parameter(torch.zeros(1, 1, 1, config.dim))

    def forward(self, x: Tensor) -> AudioTokens:
        """[B, C, PAST + 12] -> tokens of three latent frames."""
        glob = self.conv3(self.conv2(self.conv1_global(x))).transpose(1, 2)
        glob = functional.linear(glob, self.final_linear.weight.float(), self.final_linear.bias.float())
        split = self._local_start(x)
        local = torch.unflatten(self.conv3(self.conv2(split)), 0, (-1, self.tokens))  # [B, tokens, D, 3]
        local = local.permute(0, 3, 1, 2)
        padding = self.padding_tokens.float().expand(local.shape[0], local.shape[1], -1, -1)
        return AudioTokens(torch.cat((local, padding), dim=2), glob)

    def _local_start(self, x: Tensor) -> Tensor:
        """First local convolution, then its channels as `tokens` sequences: each is normalised by itself."""
        conv = self.conv1_local.conv
        y = functional.conv1d(x, conv.weight.float(), cast("Tensor", conv.bias).float())
        y = torch.unflatten(y, 1, (self.tokens, -1)).flatten(0, 1)  # [B * tokens, D / 4, T]
        normed = functional.layer_norm(y.transpose(1, 2), (y.shape[1],), eps=EPS)
        return functional.silu(normed).transpose(1, 2)


class CausalAudioEncoder(nn.Module):
    """Mixes the hidden states of the speech model and turns blocks of twelve frames into audio tokens."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.full((1, config.audio_layers, 1, 1), 0.01))
        self.encoder = _Branches(config)

    def forward(self, features: Tensor) -> AudioTokens:
        """features [B, layers, C, 12 k] -> tokens of 3 k latent frames; every block of twelve is encoded by itself."""
        weights = functional.silu(self.weights.float())
        mixed = (features.float() * weights).sum(1) / weights.sum(1)  # [B, C, T]
        batch = mixed.shape[0]
        blocks = torch.unflatten(mixed, 2, (-1, BLOCK_FRAMES)).transpose(1, 2).flatten(0, 1)  # [B k, C, 12]
        past = blocks[:, :, :1].expand(-1, -1, PAST)
        tokens: AudioTokens = self.encoder(torch.cat((past, blocks), dim=2))
        return AudioTokens(*(torch.unflatten(part, 0, (batch, -1)).flatten(1, 2) for part in tokens))


class _AdaLayer(nn.Module):
    """Shift and scale of one injector from the global token; named as upstream's."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, 2 * dim)

    def forward(self, glob: Tensor) -> tuple[Tensor, Tensor]:
        """[B, F, D] -> shift and scale + 1, each [B, F, 1, D] in float32."""
        shift, scale = self.linear(functional.silu(glob).to(self.linear.weight.dtype)).float().chunk(2, dim=-1)
        return shift.unsqueeze(2), scale.unsqueeze(2) + 1


class AudioInjector(nn.Module):
    """Cross-attention of each latent frame's picture tokens to that frame's audio tokens."""

    EPS: Final = 1e-5

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        layers = range(len(config.audio_inject_layers))
        self.injector = nn.ModuleList(Attention(config.dim, config.num_heads, config.eps) for _ in layers)
        self.injector_adain_layers = nn.ModuleList(_AdaLayer(config.dim) for _ in layers)

    def prepare(self, tokens: AudioTokens) -> tuple[AudioInjection, ...]:
        """What every injector needs of a block's audio; the same for all denoising steps."""
        prepared = []
        for attention, ada in zip(self.injector, self.injector_adain_layers, strict=True):
            attention = cast("Attention", attention)
            local = tokens.local.flatten(0, 1).to(attention.k.weight.dtype)
            shift, scale = ada(tokens.glob)
            prepared.append(AudioInjection(attention.key_value(local), shift, scale))
        return tuple(prepared)

    def forward(self, index: int, x: Tensor, audio: AudioInjection) -> Tensor:
        """Add injector `index`'s residual to picture tokens x [B, F n, D]."""
        batch, frames = audio.shift.shape[:2]
        normed = torch.unflatten(functional.layer_norm(x.float(), (x.shape[-1],), eps=self.EPS), 1, (frames, -1))
        adapted = torch.addcmul(audio.shift, normed, audio.scale).to(x.dtype).flatten(0, 1)  # [B F, n, D]
        residual = cast("Attention", self.injector[index]).cross(adapted, audio.context)
        return x + torch.unflatten(residual, 0, (batch, frames)).flatten(1, 2)
