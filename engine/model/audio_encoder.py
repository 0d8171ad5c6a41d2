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


class _Windows(nn.Conv1d):
    """A convolution over [B, T, C] as one matrix product; the norm that follows wants channels last."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel_size=3, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, C] -> [B, T', C'] in float32, real history only."""
        windows = x.unfold(1, self.kernel_size[0], self.stride[0]).flatten(2)
        return _linear_f32(windows, self.weight.flatten(1), self.bias)


class _Conv(nn.Module):
    """A convolution, normalised over channels, then SiLU; the extra level is upstream's name."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = _Windows(inputs, outputs, stride)

    def forward(self, x: Tensor, parts: int = 1) -> Tensor:
        """[B, T, C] -> [B parts, T', C' / parts]: channels split into `parts` sequences, each normalised by itself."""
        y = self.conv(x)
        split = torch.unflatten(y, 2, (parts, -1)).transpose(1, 2).flatten(0, 1)
        return functional.silu(functional.layer_norm(split, (split.shape[2],), eps=EPS))


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
        """[B, PAST + 12, C] -> tokens of three latent frames."""
        last = self.final_linear
        glob = _linear_f32(self.conv3(self.conv2(self.conv1_global(x))), last.weight, last.bias)
        local = self.conv3(self.conv2(self.conv1_local(x, self.tokens)))  # [B tokens, 3, D]
        local = torch.unflatten(local, 0, (-1, self.tokens)).transpose(1, 2)
        padding = self.padding_tokens.float().expand(*local.shape[:2], -1, -1)
        return AudioTokens(torch.cat((local, padding), dim=2), glob)


class CausalAudioEncoder(nn.Module):
    """Mixes the hidden states of the speech model and turns blocks of twelve frames into audio tokens."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(1, config.audio_layers, 1, 1))
        self.encoder = _Branches(config)

    def forward(self, features: Tensor) -> AudioTokens:
        """features [B, layers, C, 12 k] -> tokens of 3 k latent frames; every block of twelve is encoded by itself."""
        weights = functional.silu(self.weights.float())
        mixed = ((features.float() * weights).sum(1) / weights.sum(1)).transpose(1, 2)  # [B, T, C]
        blocks = torch.unflatten(mixed, 1, (-1, BLOCK_FRAMES))  # [B, k, 12, C]
        past = blocks[:, :, :1].expand(-1, -1, PAST, -1)
        tokens: AudioTokens = self.encoder(torch.cat((past, blocks), dim=2).flatten(0, 1))
        count = blocks.shape[:2]
        return AudioTokens(*(torch.unflatten(part, 0, count).flatten(1, 2) for part in tokens))


class _AdaLayer(nn.Module):
    """Shift and scale of one injector from the global token; named as upstream's."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, 2 * dim)

    def forward(self, glob: Tensor) -> tuple[Tensor, Tensor]:
        """[B, F, D] -> shift and scale + 1, each [B, F, 1, D] in float32."""
        shift, scale = self.linear(functional.silu(glob).to(self.linear.bias.dtype)).float().chunk(2, dim=-1)
        return shift.unsqueeze(2), scale.unsqueeze(2) + 1


class Injector(Attention):
    """Cross-attention of each latent frame's picture tokens to that frame's audio tokens, as a residual."""

    EPS: Final = 1e-5

    def forward(self, x: Tensor, audio: AudioInjection) -> Tensor:
        """Picture tokens x [B, F n, D] with what they hear added."""
        batch, frames = audio.shift.shape[:2]
        normed = torch.unflatten(functional.layer_norm(x.float(), (x.shape[-1],), eps=self.EPS), 1, (frames, -1))
        adapted = torch.addcmul(audio.shift, normed, audio.scale).to(x.dtype).flatten(0, 1)  # [B F, n, D]
        residual = self.cross(adapted, audio.context)
        return x + torch.unflatten(residual, 0, (batch, frames)).flatten(1, 2)


class AudioInjector(nn.Module):
    """All injectors of a model, and what gives each its shift and scale."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        layers = range(len(config.audio_inject_layers))
        self.injector = nn.ModuleList(Injector(config.dim, config.num_heads, config.eps) for _ in layers)
        self.injector_adain_layers = nn.ModuleList(_AdaLayer(config.dim) for _ in layers)

    def prepare(self, tokens: AudioTokens) -> tuple[AudioInjection, ...]:
        """What every injector needs of a block's audio; the same for all denoising steps."""
        prepared = []
        for attention, ada in zip(self.injector, self.injector_adain_layers, strict=True):
            attention = cast("Attention", attention)
            local = tokens.local.flatten(0, 1).to(attention.norm_k.weight.dtype)
            shift, scale = ada(tokens.glob)
            prepared.append(AudioInjection(attention.key_value(local), shift, scale))
        return tuple(prepared)

    def forward(self, index: int, x: Tensor, audio: AudioInjection) -> Tensor:
        """Add injector `index`'s residual to picture tokens x [B, F n, D]."""
        return cast("Tensor", self.injector[index](x, audio))


def _linear_f32(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return functional.linear(x, weight.float(), None if bias is None else bias.float())
