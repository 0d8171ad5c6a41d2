"""Latents beside the frames that they stand for, kept on the card: what a decoder learns from.

Every strip is the end of a still and then a clip, in one go, as a run encodes it. A strip is read in windows: the
decoder is causal, so the first latents of a window are only its memory. Knows no loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.embedded.train.clips import ClipSource, focus_map
from engine.embedded.train.latents import FRAMES
from engine.embedded.train.shapes import SIZE
from engine.model.vae import WanVae
from engine.spec import FRAMES_PER_LATENT

LEAD = 4
"""Latents of the still in front of a strip."""
WINDOW = 6
"""Latents a window: 1 + 4 * 5 frames."""
MEMORY = 2
"""Latents of a window whose frames are not looked at, unless the window begins where the strip does."""
STRIP = LEAD + FRAMES // FRAMES_PER_LATENT


@dataclass(frozen=True)
class Footage:
    """latents [B, C, WINDOW, h, w]; frames [B, 3, T, H, W] in [-1, 1]; focus [B, T, 1, H, W], 0 in the memory."""

    latents: Tensor
    frames: Tensor
    focus: Tensor


class FootagePool:
    """Mutable: a ring of strips, the oldest replaced as it goes."""

    def __init__(self, source: ClipSource, vae: WanVae, capacity: int = 1024, lot: int = 64) -> None:
        self.source, self.vae, self.capacity, self.lot = source, vae, capacity, lot
        self._kept: list[Tensor] = []
        self._filled = self._next = 0

    def add(self) -> None:
        """One fresh lot over the oldest."""
        clips = self.source.sample(self.lot, FRAMES)
        lead = 1 + FRAMES_PER_LATENT * (LEAD - 1)
        shown = torch.cat((clips.still[:, :, None].expand(-1, -1, lead, -1, -1), clips.video), 2)
        with torch.no_grad(), torch.autocast(shown.device.type, torch.bfloat16):
            latents = self.vae.encode(shown).float()
        focus = focus_map(clips, SIZE // 2, lead + FRAMES).to(torch.float16)
        pixels = ((shown + 1) * 127.5).round().to(torch.uint8)
        parts = [latents.transpose(1, 2).to(torch.float16), pixels.transpose(1, 2), focus]
        if not self._kept:
            self._kept = [part.new_empty(self.capacity, *part.shape[1:]) for part in parts]
        for kept, part in zip(self._kept, parts, strict=True):
            kept[self._next : self._next + self.lot] = part
        self._next = (self._next + self.lot) % self.capacity
        self._filled = min(self.capacity, self._filled + self.lot)

    def sample(self, count: int) -> Footage:
        """Random windows; one in four at the beginning of its strip."""
        device = self.source.device
        strip = torch.randint(self._filled, (count, 1), device=device)
        begin = torch.randint(1, STRIP - WINDOW + 1, (count, 1), device=device)
        begin[: count // 4] = 0
        length = 1 + FRAMES_PER_LATENT * (WINDOW - 1)
        latents, video, focus = self._kept
        frame = FRAMES_PER_LATENT * begin + torch.arange(length, device=device)
        looked = torch.arange(length, device=device) > FRAMES_PER_LATENT * (MEMORY - 1)
        weight = focus[strip, frame].float() * (looked | (begin == 0))[:, :, None, None, None]
        weight = weight.repeat_interleave(2, -1).repeat_interleave(2, -2)
        shown = video[strip, frame].transpose(1, 2).float() / 127.5 - 1
        code = latents[strip, begin + torch.arange(WINDOW, device=device)].transpose(1, 2).float()
        return Footage(code, shown, weight)
