"""The video autoencoder of Wan: pixels to latents and back, four frames to a latent, the first frame alone.

One pass a call for any number of frames; a `VaeState` makes the next call continue where the last one stopped, and any
cutting gives the same frames. Knows nothing of the avatar model, of files, or of clips (SPEC section 7). One number:
decoding is 5.7 % of the work of a block at 704x384.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from engine.model.vae_parts import (
    CausalConv3d,
    ChannelNorm,
    Down,
    FrameAttention,
    Pointwise,
    ResidualBlock,
    Up,
    initialise,
    number_slots,
)
from engine.model.vae_state import VaeState
from lora_repository.i18n import _

# fmt: off
WAN21_MEAN = (-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
              0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921)
WAN21_STD = (2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
             3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160)
# fmt: on


@dataclass(frozen=True)
class VaeConfig:
    """Widths and strides. `mean` and `std` are the latents' statistics, one number a channel; empty means 0 and 1.

    `dim_mult` multiplies the base width level by level; between two levels the picture is halved, and time too where
    `temporal_downsample` says so. `patch_size` 2 folds 2x2 pixels into channels before the encoder (and back).
    """

    dim: int = 96
    decoder_dim: int = 96
    z_dim: int = 16
    dim_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    temporal_downsample: tuple[bool, ...] = (False, True, True)
    patch_size: int = 1
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.temporal_downsample) != len(self.dim_mult) - 1:
            raise ValueError(_("temporal_downsample needs one entry for each step between two levels of dim_mult"))
        if any(len(values) not in (0, self.z_dim) for values in (self.mean, self.std)):
            raise ValueError(_("latent statistics need {n} numbers each").format(n=self.z_dim))

    @property
    def spatial_stride(self) -> int:
        """Pixels of a side to one latent."""
        return self.patch_size << (len(self.dim_mult) - 1)

    @property
    def temporal_stride(self) -> int:
        """Frames to one latent, the first excepted."""
        return 1 << sum(self.temporal_downsample)

    @classmethod
    def from_state_dict(
        cls, state: Mapping[str, Tensor], statistics: Mapping[str, Sequence[float]] | None = None
    ) -> VaeConfig:
        """Read every width and stride from the tensors' shapes.

        `statistics` is `{"mean": [...], "std": [...]}` (`vae.json`); without it Wan2.1's sixteen constants are taken,
        and ValueError is raised for any other number of latent channels.
        """
        z_dim = state["conv2.weight"].shape[0]
        if statistics is None:
            if z_dim != len(WAN21_MEAN):
                raise ValueError(_("a VAE of {n} latent channels needs its mean and std (vae.json)").format(n=z_dim))
            statistics = {"mean": WAN21_MEAN, "std": WAN21_STD}
        dim = state["encoder.conv1.weight"].shape[0]
        widths, temporal, blocks = _levels(state)
        return cls(
            dim=dim,
            decoder_dim=state["decoder.head.0.gamma"].shape[0] * dim // widths[0],
            z_dim=z_dim,
            dim_mult=tuple(width // dim for width in widths),
            num_res_blocks=blocks,
            temporal_downsample=temporal,
            patch_size=math.isqrt(state["encoder.conv1.weight"].shape[1] // 3),
            mean=tuple(statistics["mean"]),
            std=tuple(statistics["std"]),
        )


def _levels(state: Mapping[str, Tensor]) -> tuple[list[int], tuple[bool, ...], int]:
    """Width of each level, which steps between them halve time, and residual blocks a level."""
    levels: list[list[int]] = [[]]
    temporal: list[bool] = []
    for index in range(sum(name.startswith("encoder.downsamples.") for name in state)):
        prefix = f"encoder.downsamples.{index}."
        if f"{prefix}residual.6.weight" in state:
            levels[-1].append(state[f"{prefix}residual.6.weight"].shape[0])
        elif f"{prefix}resample.1.weight" in state:
            temporal.append(f"{prefix}time_conv.weight" in state)
            levels.append([])
    return [level[0] for level in levels], tuple(temporal), len(levels[0])


class Encoder(nn.Module):
    """Frames in patches to twice the latent channels (mean and log-variance)."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        widths = [config.dim, *(config.dim * mult for mult in config.dim_mult)]
        stages: list[nn.Module] = []
        for level, width in enumerate(widths[1:]):
            blocks = [widths[level], *[width] * config.num_res_blocks]
            stages += [ResidualBlock(*pair) for pair in pairwise(blocks)]
            if level < len(config.temporal_downsample):
                stages.append(Down(width, config.temporal_downsample[level]))
        self.conv1 = CausalConv3d(3 * config.patch_size**2, config.dim)
        self.downsamples = nn.ModuleList(stages)
        self.middle = _middle(width)
        self.head = _head(width, 2 * config.z_dim)
        number_slots(self)

    def forward(self, x: Tensor, state: VaeState | None) -> Tensor:
        """`[B, T, H, W, 3 p p]` -> `[B, T', H', W', 2 z]`."""
        x = self.conv1(x, state)
        for stage in (*self.downsamples, *self.middle):
            x = stage(x, state)
        return _finish(self.head, x, state)


class Decoder(nn.Module):
    """Latent channels to frames in patches."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        widths = [config.decoder_dim * mult for mult in reversed(config.dim_mult)]
        temporal = tuple(reversed(config.temporal_downsample))
        stages: list[nn.Module] = []
        into = widths[0]
        for level, width in enumerate(widths):
            blocks = [into, *[width] * (config.num_res_blocks + 1)]
            stages += [ResidualBlock(*pair) for pair in pairwise(blocks)]
            if level < len(temporal):
                stages.append(Up(width, temporal[level]))
                into = width // 2
        self.conv1 = CausalConv3d(config.z_dim, widths[0])
        self.middle = _middle(widths[0])
        self.upsamples = nn.ModuleList(stages)
        self.head = _head(widths[-1], 3 * config.patch_size**2)
        self._wide = max(index for index, stage in enumerate(stages) if isinstance(stage, Up))
        number_slots(self)

    def forward(self, x: Tensor, state: VaeState | None, wide_frames: int | None = None) -> Tensor:
        """`[B, F, h, w, z]` -> `[B, T, H', W', 3 p p]`.

        From the last doubling on, `wide_frames` frames go at once (None: all): a third of the memory, the same frames.
        """
        x = self.conv1(x, state)
        for stage in (*self.middle, *self.upsamples[: self._wide]):
            x = stage(x, state)
        if wide_frames is None or state is None or not state.started:
            return self._full_size(x, state)
        return torch.cat([self._full_size(part, state) for part in x.split(wide_frames, dim=1)], dim=1)

    def _full_size(self, x: Tensor, state: VaeState | None) -> Tensor:
        for stage in self.upsamples[self._wide :]:
            x = stage(x, state)
        return _finish(self.head, x, state)


def _middle(width: int) -> nn.ModuleList:
    return nn.ModuleList([ResidualBlock(width, width), FrameAttention(width), ResidualBlock(width, width)])


def _head(width: int, width_out: int) -> nn.ModuleDict:
    return nn.ModuleDict({"0": ChannelNorm(width), "2": CausalConv3d(width, width_out)})


def _finish(head: nn.ModuleDict, x: Tensor, state: VaeState | None) -> Tensor:
    gamma, convolution = cast("ChannelNorm", head["0"]).gamma, cast("CausalConv3d", head["2"])
    if state is not None and state.pieces is not None:
        return convolution.bare(x, state, gamma, None) + convolution.bias
    y: Tensor = convolution(x, state, gamma)
    if state is not None:
        state.started = True
    return y


class WanVae(nn.Module):
    """Encoder, decoder and the latents' statistics; parameters are named as upstream's (SPEC section 7).

    A fresh instance is ready to be trained; a frozen one (`requires_grad_(False)`) is the fast one on a CPU. Pictures
    are `[B, 3, T, H, W]` in [-1, 1], latents `[B, z, F, h, w]`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.conv1 = Pointwise(2 * config.z_dim, 2 * config.z_dim, 3)
        self.conv2 = Pointwise(config.z_dim, config.z_dim, 3)
        self.decoder = Decoder(config)
        self.set_statistics(config.mean, config.std)
        initialise(self)

    def set_statistics(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Take these as the mean and deviation of each latent channel (empty: 0 and 1), on the parameters' device."""
        device, z = self.conv1.weight.device, self.config.z_dim
        centre = torch.tensor(tuple(mean) or (0.0,) * z, device=device)
        spread = torch.tensor(tuple(std) or (1.0,) * z, device=device)
        self.register_buffer("mean", centre, persistent=False)
        self.register_buffer("std", spread, persistent=False)

    def moments(self, video: Tensor, state: VaeState | None = None) -> Tensor:
        """`[B, 3, 1+4k, H, W]` -> `[B, 2z, 1+k, h, w]`: mean and log-variance of the latents, not normalised.

        With a state that has started, the video continues an earlier one and gives a latent for every 4 frames.
        """
        patch = self.config.patch_size
        x = video.to(self.conv1.weight.dtype).permute(0, 2, 3, 4, 1)
        moments: Tensor = self.conv1(self.encoder(_fold(x, patch).contiguous(), state))
        return moments.permute(0, 4, 1, 2, 3)

    def encode(self, video: Tensor, frames_per_pass: int | None = None) -> Tensor:
        """`[B, 3, 1+4k, H, W]` -> normalised mean latents `[B, z, 1+k, h, w]`.

        `frames_per_pass` (a multiple of the temporal stride) bounds memory for long or large videos; same result.
        """
        if frames_per_pass is None:
            means = self.moments(video)[:, : self.config.z_dim]
        else:
            state = VaeState()
            first, later = video[:, :, :1], video[:, :, 1:]
            cuts = range(0, later.shape[2], frames_per_pass)
            chunks = [first, *(later[:, :, cut : cut + frames_per_pass] for cut in cuts)]
            means = torch.cat([self.moments(chunk, state)[:, : self.config.z_dim] for chunk in chunks], dim=2)
        return (means - _channels(self.mean, means)) / _channels(self.std, means)

    def decode(
        self, z: Tensor, state: VaeState | None = None, wide_frames: int | None = None
    ) -> tuple[Tensor, VaeState]:
        """Normalised latents `[B, z, F, h, w]` -> the next frames `[B, 3, T, H, W]`, not clamped, and the state after.

        Without a state the latents begin a video: T = 1 + 4 (F - 1); with one they go on: T = 4 F. The state given is
        updated in place. `wide_frames` bounds memory, as in `Decoder.forward`.
        """
        state = VaeState() if state is None else state
        return self._decode(z, state, wide_frames), state

    def decode_whole(self, z: Tensor) -> Tensor:
        """As `decode` from the start, keeping nothing for a continuation: what training wants."""
        return self._decode(z, None)

    def _decode(self, z: Tensor, state: VaeState | None, wide_frames: int | None = None) -> Tensor:
        raw = (z * _channels(self.std, z) + _channels(self.mean, z)).to(self.conv2.weight.dtype)
        x = self.conv2(raw.permute(0, 2, 3, 4, 1).contiguous())
        return _unfold(self.decoder(x, state, wide_frames), self.config.patch_size).permute(0, 4, 1, 2, 3)


def _channels(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like.dtype).view(1, -1, 1, 1, 1)


def _fold(x: Tensor, patch: int) -> Tensor:
    """`[B, T, H, W, 3]` -> `[B, T, H/p, W/p, 3 p p]`; a channel's pixels column by column, as Wan2.2's."""
    if patch == 1:
        return x
    b, t, h, w, c = x.shape
    cells = x.reshape(b, t, h // patch, patch, w // patch, patch, c)
    return cells.permute(0, 1, 2, 4, 6, 5, 3).flatten(4)


def _unfold(x: Tensor, patch: int) -> Tensor:
    """The inverse of `_fold`."""
    if patch == 1:
        return x
    b, t, h, w, c = x.shape
    cells = x.reshape(b, t, h, w, c // patch**2, patch, patch)
    return cells.permute(0, 1, 2, 6, 3, 5, 4).reshape(b, t, h * patch, w * patch, c // patch**2)
