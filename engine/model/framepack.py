"""Motion tokens: nineteen past latent frames in three resolutions, the nearest finest (SPEC section 4).

Knows no position and no cache. Holds the patch projection that all token makers share.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

SPANS: Final = (1, 2, 16)
"""Past latent frames that each resolution covers, newest first."""
MOTION_LATENTS: Final = sum(SPANS)


class Patches(nn.Conv3d):
    """A convolution whose step is its kernel, computed as one matrix product over patches."""

    def __init__(self, channels: int, dim: int, kernel: tuple[int, int, int]) -> None:
        super().__init__(channels, dim, kernel_size=kernel, stride=kernel)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, F, h, w] -> [B, S, D], tokens in order (f, y, x); what does not fill a patch is cut."""
        depth, height, width = self.kernel_size
        frames, rows, columns = x.shape[2] // depth, x.shape[3] // height, x.shape[4] // width
        x = x[:, :, : frames * depth, : rows * height, : columns * width]
        split = x.reshape(*x.shape[:2], frames, depth, rows, height, columns, width)
        patches = split.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4).flatten(1, 3)  # [B, S, C depth height width]
        return functional.linear(patches.to(self.weight.dtype), self.weight.flatten(1), self.bias)


class FramePacker(nn.Module):
    """Newest latent at full resolution, the two before at half, the sixteen before those at a quarter."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.proj = Patches(channels, dim, (1, 2, 2))
        self.proj_2x = Patches(channels, dim, (2, 4, 4))
        self.proj_4x = Patches(channels, dim, (4, 8, 8))

    def forward(self, motion: Tensor) -> Tensor:
        """motion [B, C, F, h, w], newest last -> [B, S, D]; fewer than nineteen frames are preceded by zeros."""
        missing = max(0, MOTION_LATENTS - motion.shape[2])
        padded = functional.pad(motion, (0, 0, 0, 0, missing, 0))[:, :, -MOTION_LATENTS:]
        far, middle, near = torch.split(padded, list(SPANS[::-1]), dim=2)
        return torch.cat((self.proj(near), self.proj_2x(middle), self.proj_4x(far)), dim=1)
