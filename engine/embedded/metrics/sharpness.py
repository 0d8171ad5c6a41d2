"""Is the picture true, and is it sharp? PSNR against the true video, and the energy of its edges in the face.

A model that hedges draws the average of what it cannot know: the PSNR of an average is good, its edges are gone. So
both are needed. Knows no sound.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.embedded.corpus.identity import Identity


def psnr(video: Tensor, truth: Tensor) -> float:
    """Of two videos of one shape in 0..1, over all pixels, in dB."""
    error = (video - truth).square().mean().clamp(min=1e-12)
    return float(-10 * torch.log10(error))


def face_box(who: Identity, size: int) -> tuple[slice, slice]:
    """Rows and columns of the face of one avatar in pictures of `size` pixels, with room for its movement."""
    x, y, scale = (float(who.scalar(name)[0]) for name in ("cx", "cy", "scale"))
    half = scale * float(who.scalar("face_width")[0]) * 1.1

    def pixel(place: float) -> int:
        return max(0, min(size, round((place + 1) / 2 * size)))

    return slice(pixel(y - scale), pixel(y + scale * 1.15)), slice(pixel(x - half), pixel(x + half))


def edge_energy(video: Tensor) -> Tensor:
    """Mean square of the Laplacian of the luma of each frame: [T] from [T, 3, H, W] in 0..1."""
    luma = (video * video.new_tensor([0.299, 0.587, 0.114])[None, :, None, None]).sum(1, keepdim=True)
    kernel = video.new_tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    return torch.nn.functional.conv2d(luma, kernel).square().mean((1, 2, 3))


def sharpness(video: Tensor, truth: Tensor, box: tuple[slice, slice]) -> float:
    """Edge energy of `video` [T, 3, H, W] in `box` over that of `truth`: 1 is as sharp, noise can exceed it."""
    rows, columns = box
    own, true = (edge_energy(frames[:, :, rows, columns]).mean() for frames in (video, truth))
    return float(own / true)
