"""What a good picture is, as numbers to descend: near, with edges in place, and as sharp as the truth.

Knows no model. Pictures are [N, 3, H, W] in [-1, 1]; `focus` [N, 1, H, W] weighs the face, the mouth above all.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def laplacian(x: Tensor) -> Tensor:
    """The 5-point Laplacian of each channel, [N, C, H-2, W-2]."""
    return 4 * x[..., 1:-1, 1:-1] - x[..., :-2, 1:-1] - x[..., 2:, 1:-1] - x[..., 1:-1, :-2] - x[..., 1:-1, 2:]


def luma(x: Tensor) -> Tensor:
    """[N, 3, H, W] -> [N, 1, H, W]."""
    return (x * x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def pixel_loss(output: Tensor, target: Tensor, focus: Tensor) -> Tensor:
    """Weighted L1 + L2: L1 keeps edges, L2 is what PSNR measures; at 30 dB the two count about the same."""
    gap = output - target
    return ((gap.abs() + 6.0 * gap.square()) * focus).mean()


def gradient_loss(output: Tensor, target: Tensor, focus: Tensor) -> Tensor:
    """L1 of the differences to the right and lower neighbours: edges where they belong."""
    gap = output - target
    dx = (gap[..., :, 1:] - gap[..., :, :-1]).abs() * focus[..., :, 1:]
    dy = (gap[..., 1:, :] - gap[..., :-1, :]).abs() * focus[..., 1:, :]
    return dx.mean() + dy.mean()


def edge_energy_loss(output: Tensor, target: Tensor, focus: Tensor, window: int = 8) -> Tensor:
    """Local Laplacian energy must match, wherever in its window the edge lies.

    A mean over plausible edges is soft and pays nothing in L1 for being so; here it pays. Unlike an adversary it has no
    memory and cannot diverge. Of the luma: over the three channels it can be earned with colour noise (0.84 of the true
    energy against 0.56 of the luma's, and a decibel of PSNR lost).
    """
    weight = F.avg_pool2d(focus[..., 1:-1, 1:-1], window, window // 2)
    mine = F.avg_pool2d(laplacian(luma(output)).square(), window, window // 2)
    true = F.avg_pool2d(laplacian(luma(target)).square(), window, window // 2)
    return (((mine + 1e-4).sqrt() - (true + 1e-4).sqrt()).abs() * weight).mean()


@torch.no_grad()
def edge_energy(output: Tensor, target: Tensor, focus: Tensor) -> Tensor:
    """Laplacian energy of the luma of `output` over that of `target`, where `focus` looks: 1 is as sharp."""
    looked = focus[..., 1:-1, 1:-1]
    mine, true = ((laplacian(luma(x)).square() * looked).sum() for x in (output, target))
    return mine / true


class Whetstone:
    """Mutable: the weight of `edge_energy_loss`, moved until the energy is at `goal`, and no further: each step above
    it costs decibels."""

    def __init__(self, goal: float, device: torch.device, weight: float = 0.1, haste: float = 0.02) -> None:
        self.goal, self.haste = goal, haste
        self.weight = torch.tensor(weight, device=device)

    def press(self, energy: Tensor) -> Tensor:
        """The weight after a step that reached `energy`; nothing waits for the device."""
        self.weight = (self.weight * torch.exp(self.haste * (self.goal - energy))).clamp(0.01, 2.0)
        return self.weight


def psnr(output: Tensor, target: Tensor) -> Tensor:
    """Decibels for pictures in [-1, 1]: peak-to-peak 2."""
    return 10 * torch.log10(4.0 / (output.clamp(-1, 1) - target).square().mean())
