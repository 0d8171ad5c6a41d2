"""The pieces of the video autoencoder: causal convolutions, residual blocks, attention, up- and down-sampling.

Every activation here is `[B, T, H, W, C]`, contiguous: a frame is then an NHWC picture and a clip an NDHWC volume
without a copy, norms and 1x1 convolutions work on the last axis, and time is cut and joined along axis 1. The pieces
know nothing of latent statistics, of patches, or of how many frames make a block. One number: a 3x3x3 convolution run
as one 2-D convolution over time-stacked channels is 2 to 10 times faster than `conv3d` on a CPU, with the same result.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.model.vae_state import VaeState, join_past, normed


def stack_taps(x: Tensor, taps: int) -> Tensor:
    """`[B, T + taps - 1, H, W, C]` -> `[B, T, H, W, taps * C]`: each frame beside the ones before it, oldest first."""
    frames = x.shape[1] - taps + 1
    return torch.cat([x[:, i : i + frames] for i in range(taps)], dim=-1)


def conv2d_frames(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0) -> Tensor:
    """A 2-D convolution of every frame: `[B, T, H, W, C]` -> `[B, T, H', W', C']`."""
    y = F.conv2d(x.flatten(0, 1).permute(0, 3, 1, 2), weight, bias, stride, padding)
    return split_batch(y.permute(0, 2, 3, 1), x)


def split_batch(frames: Tensor, like: Tensor) -> Tensor:
    """`[B T, ...]` -> `[B, T, ...]`, B and T as in `like`."""
    return frames.view(like.shape[0], like.shape[1], *frames.shape[1:])


class Causal(nn.Module):
    """A module that looks at past frames; `slot` is its number in a `VaeState`, given by the decoder or encoder."""

    slot: int = -1


class CausalConv3d(Causal):
    """A 3x3x3 convolution over two past frames and the current one; zeros around the picture and before the start."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width_out, width_in, 3, 3, 3))
        self.bias = nn.Parameter(torch.empty(width_out))
        self._relaid: tuple[Tensor, int, Tensor] | None = None

    def forward(self, x: Tensor, state: VaeState | None, gamma: Tensor | None = None) -> Tensor:
        """`[B, T, H, W, C]` -> `[B, T, H, W, C']`; with a `gamma`, of the activated frames."""
        joined = join_past(x, 2, self.slot, state, gamma, width=self.weight.shape[1])
        if x.device.type == "cpu":
            return conv2d_frames(stack_taps(joined, 3), self._weight_2d(), self.bias, padding=1)
        y = F.conv3d(joined.permute(0, 4, 1, 2, 3), self.weight, self.bias, padding=(0, 1, 1))
        return y.permute(0, 2, 3, 4, 1)

    def bare(self, x: Tensor, state: VaeState, gamma: Tensor, bias: Tensor | None) -> Tensor:
        """The convolution without its bias, of the activated `x + bias`, in a stream that has started."""
        assert state.pieces is not None, "a stream that has compiled pieces"
        joined = state.pieces.join(state.past[self.slot], x, gamma, bias)
        state.remember(self.slot, joined[:, -2:])
        return F.conv3d(joined.permute(0, 4, 1, 2, 3), self.weight, None, padding=(0, 1, 1)).permute(0, 2, 3, 4, 1)

    def _weight_2d(self) -> Tensor:
        """The weight over time-stacked channels `[C', 3 C, 3, 3]`; kept between calls once the weight is frozen."""
        weight = self.weight
        if weight.requires_grad or torch.compiler.is_compiling():
            return _over_time(weight)
        version = -1 if weight.is_inference() else weight._version
        if self._relaid is None or self._relaid[0] is not weight or self._relaid[1] != version:
            relaid = _over_time(weight.detach()).contiguous(memory_format=torch.channels_last)
            self._relaid = (weight, version, relaid)
        return self._relaid[2]


def _over_time(weight: Tensor) -> Tensor:
    return weight.transpose(1, 2).flatten(1, 2)


class TimeConv(Causal):
    """A convolution along time alone, three taps: a matrix product over time-stacked channels."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width_out, width_in, 3, 1, 1))
        self.bias = nn.Parameter(torch.empty(width_out))

    def forward(self, joined: Tensor, stride: int = 1) -> Tensor:
        """`[B, T + 2, H, W, C]`, past included -> `[B, T, H, W, C']` (every `stride`-th of them)."""
        return F.linear(stack_taps(joined, 3)[:, ::stride], _over_time(self.weight).flatten(1), self.bias)


class Pointwise(nn.Module):
    """A 1x1 convolution of `dims` dimensions, as a matrix product on the last axis."""

    def __init__(self, width_in: int, width_out: int, dims: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width_out, width_in, *[1] * dims))
        self.bias = nn.Parameter(torch.empty(width_out))

    def forward(self, x: Tensor) -> Tensor:
        """`[..., C]` -> `[..., C']`."""
        return F.linear(x, self.weight.flatten(1), self.bias)


class Conv2d(nn.Module):
    """A 3x3 convolution of every frame on its own."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width_out, width_in, 3, 3))
        self.bias = nn.Parameter(torch.empty(width_out))

    def forward(self, x: Tensor, stride: int = 1, padding: int = 1) -> Tensor:
        """`[B, T, H, W, C]` -> `[B, T, H', W', C']`."""
        return conv2d_frames(x, self.weight, self.bias, stride, padding)


class ChannelNorm(nn.Module):
    """A learned gain and what it is for."""

    def __init__(self, width: int, dims: int = 3) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width, *[1] * dims))

    def forward(self, x: Tensor) -> Tensor:
        """`[..., C]` -> `[..., C]`."""
        return normed(x, self.gamma)


class ResidualBlock(nn.Module):
    """Norm, SiLU, convolution, twice, added to the input (or to its 1x1 projection where widths differ)."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.residual = nn.ModuleDict(
            {
                "0": ChannelNorm(width_in),
                "2": CausalConv3d(width_in, width_out),
                "3": ChannelNorm(width_out),
                "6": CausalConv3d(width_out, width_out),
            }
        )
        self.shortcut = Pointwise(width_in, width_out, 3) if width_in != width_out else nn.Identity()

    def forward(self, x: Tensor, state: VaeState | None) -> Tensor:
        """`[B, T, H, W, C]` -> `[B, T, H, W, C']`."""
        first, second = (cast("CausalConv3d", self.residual[name]) for name in ("2", "6"))
        before, between = (cast("ChannelNorm", self.residual[name]).gamma for name in ("0", "3"))
        if state is None or state.pieces is None:
            y = second(first(x, state, before), state, between)
            return torch.add(y, self.shortcut(x))
        y = first.bare(x, state, before, None)
        y = second.bare(y, state, between, first.bias)
        return state.pieces.add(y, second.bias, self.shortcut(x))


class FrameAttention(nn.Module):
    """Single-head attention among the pixels of each frame."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(width, dims=2)
        self.to_qkv = Pointwise(width, 3 * width, 2)
        self.proj = Pointwise(width, width, 2)

    def forward(self, x: Tensor, state: VaeState | None) -> Tensor:
        """`[B, T, H, W, C]` -> the same; frames do not see each other."""
        q, k, v = self.to_qkv(self.norm(x)).flatten(0, 1).flatten(1, 2).unsqueeze(1).chunk(3, dim=-1)
        y = F.scaled_dot_product_attention(q, k, v)  # [B T, 1, H W, C]
        out: Tensor = self.proj(y.reshape(x.shape))
        return x + out


class Down(Causal):
    """Halve the picture, and the number of frames but the first when `time` is set."""

    def __init__(self, width: int, time: bool) -> None:
        super().__init__()
        self.resample = nn.ModuleDict({"1": Conv2d(width, width)})
        self.time_conv = TimeConv(width, width) if time else None

    def forward(self, x: Tensor, state: VaeState | None) -> Tensor:
        """`[B, T, H, W, C]` -> `[B, T', H/2, W/2, C]`, T' = 1 + (T-1)/2 from the start, T/2 later on."""
        y: Tensor = self.resample["1"](F.pad(x, (0, 0, 0, 1, 0, 1)), stride=2, padding=0)
        if self.time_conv is None:
            return y
        if state is None or not state.started:
            joined, parts = y, [y[:, :1]]
        else:
            joined, parts = torch.cat([state.past[self.slot], y], dim=1), []
        if state is not None:
            state.remember(self.slot, y[:, -1:])
        if joined.shape[1] > 1:
            parts.append(self.time_conv(joined, stride=2))
        return torch.cat(parts, dim=1)


class Up(Causal):
    """Double the picture and halve its width; double the number of frames but the first when `time` is set."""

    def __init__(self, width: int, time: bool) -> None:
        super().__init__()
        self.resample = nn.ModuleDict({"1": Conv2d(width, width // 2)})
        self.time_conv = TimeConv(width, 2 * width) if time else None

    def forward(self, x: Tensor, state: VaeState | None) -> Tensor:
        """`[B, T, H, W, C]` -> `[B, T', 2H, 2W, C/2]`, T' = 2T - 1 from the start, 2T later on."""
        if self.time_conv is not None:
            x = self._double_time(x, state)
        if state is not None and state.pieces is not None:
            return self._convolve(state.pieces.double(x))
        frames = F.interpolate(x.flatten(0, 1).permute(0, 3, 1, 2), scale_factor=2.0, mode="nearest")
        return self._convolve(split_batch(frames.permute(0, 2, 3, 1), x))

    def _convolve(self, x: Tensor) -> Tensor:
        y: Tensor = self.resample["1"](x)
        return y

    def _double_time(self, x: Tensor, state: VaeState | None) -> Tensor:
        assert self.time_conv is not None
        lone = 1 if state is None or not state.started else 0  # the very first frame: neither doubled nor remembered
        later = x[:, lone:]
        if later.shape[1] == 0:
            return x
        first, second = self.time_conv(join_past(later, 2, self.slot, state)).chunk(2, dim=-1)
        doubled = torch.stack([first, second], dim=2).flatten(1, 2)
        return torch.cat([x[:, :lone], doubled], dim=1) if lone else doubled


def number_slots(module: nn.Module) -> None:
    """Give every causal module inside `module` its number in a `VaeState`."""
    for slot, causal in enumerate(m for m in module.modules() if isinstance(m, Causal)):
        causal.slot = slot


def initialise(module: nn.Module) -> None:
    """Weights to train from: variance kept by every convolution, residual branches silent, frames repeated in time."""
    for part in module.modules():
        if isinstance(part, CausalConv3d | TimeConv | Pointwise | Conv2d):
            nn.init.normal_(part.weight, std=1 / math.sqrt(part.weight[0].numel()))
            nn.init.zeros_(part.bias)
    for part in module.modules():
        if isinstance(part, ResidualBlock):
            nn.init.zeros_(part.residual["6"].weight)  # type: ignore[arg-type]
        elif isinstance(part, FrameAttention):
            nn.init.zeros_(part.proj.weight)
        elif isinstance(part, Up | Down) and part.time_conv is not None:
            _repeat_frames(part.time_conv)


@torch.no_grad()
def _repeat_frames(conv: TimeConv) -> None:
    width = conv.weight.shape[1]
    nn.init.zeros_(conv.weight)
    conv.weight[:, :, 2, 0, 0] = torch.eye(width).repeat(conv.weight.shape[0] // width, 1)


_MULTIPLE = 64
"""Channels that cuDNN's fast kernels read at once: 96 of them take 1.98 ms, 128 with 32 of zeros 1.35."""


def lay_out_for_card(module: nn.Module) -> None:
    """Put every convolution's weight channels last, as the activations are, and fill odd widths up with zeros."""
    for part in module.modules():
        if isinstance(part, CausalConv3d):
            inputs = part.weight.shape[1]
            extra = -inputs % _MULTIPLE if inputs > _MULTIPLE else 0
            weight = F.pad(part.weight.data, (0, 0, 0, 0, 0, 0, 0, extra))
            part.weight.data = weight.contiguous(memory_format=torch.channels_last_3d)
        elif isinstance(part, Conv2d):
            part.weight.data = part.weight.data.contiguous(memory_format=torch.channels_last)
