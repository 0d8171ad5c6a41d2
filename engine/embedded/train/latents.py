"""Clips as the denoiser sees them: latents, still, speech features and text, kept on the card and renewed all the time.

One encoder pass a clip, from the still picture's state on, as a run decodes it. Four clips share a still, which saves
encoding 73 equal frames for each. Knows no loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from engine.embedded.train.clips import Clips, ClipSource, focus_map
from engine.embedded.train.shapes import CLIP_BLOCKS, STILL_FRAMES
from engine.embedded.train.text import tokenise
from engine.model.framepack import MOTION_LATENTS
from engine.model.t5 import UmT5Encoder
from engine.model.vae import WanVae
from engine.model.vae_state import VaeState
from engine.spec import FRAMES_PER_BLOCK, FRAMES_PER_LATENT

SHARE = 4
FRAMES = CLIP_BLOCKS * FRAMES_PER_BLOCK


@dataclass(frozen=True)
class LatentBatch:
    """latents, weight [B, C or 1, F, h, w]; reference [B, C, 1, h, w]; motion [B, C, 19, h, w];
    features [B, layers, C, 4 F]; tokens [B, TEXT_LENGTH], 0 where there is none."""

    latents: Tensor
    reference: Tensor
    motion: Tensor
    features: Tensor
    tokens: Tensor
    weight: Tensor

    def parts(self) -> tuple[Tensor, ...]:
        return (self.latents, self.reference, self.motion, self.features, self.tokens, self.weight)


def encode_text(encoder: UmT5Encoder, tokens: Tensor) -> Tensor:
    """Text context [B, TEXT_LENGTH, D] of tokens [B, TEXT_LENGTH]; rows without a token are zero, as in a run."""
    mask = (tokens != 0).long()
    hidden: Tensor = encoder(tokens, mask)
    return hidden * mask[..., None]


@torch.no_grad()
def encode_clips(vae: WanVae, clips: Clips, share: int) -> tuple[Tensor, Tensor, Tensor]:
    """Latents, reference and motion of clips whose stills repeat `share` times in a row."""
    with torch.autocast(clips.video.device.type, torch.bfloat16):
        state = VaeState()
        still = clips.still[::share, :, None].expand(-1, -1, STILL_FRAMES, -1, -1)
        before = vae.moments(still, state).repeat_interleave(share, 0)
        state.past = {slot: past.repeat_interleave(share, 0) for slot, past in state.past.items()}
        after = vae.moments(clips.video, state)
    z = vae.config.z_dim
    mean, std = (x.view(1, z, 1, 1, 1) for x in (vae.mean, vae.std))
    motion = (before[:, :z].float() - mean) / std
    return (after[:, :z].float() - mean) / std, motion[:, :, 1:2], motion[:, :, -MOTION_LATENTS:]


class LatentPool:
    """Mutable: a ring of ready samples on the device; `refresh` replaces the oldest ones."""

    def __init__(
        self,
        source: ClipSource,
        vae: WanVae,
        tokenizer: Tokenizer,
        capacity: int,
        chunk: int = 64,
    ) -> None:
        self.source, self.vae, self.tokenizer = source, vae, tokenizer
        self.capacity, self.chunk = capacity, chunk
        self.device = source.device
        self._parts: list[Tensor] = []
        self._filled = 0
        self._next = 0

    def make(self, count: int) -> LatentBatch:
        """`count` fresh samples."""
        return self.make_with_video(count)[1]

    def make_with_video(self, count: int) -> tuple[Clips, LatentBatch]:
        """`count` fresh samples and the clips that they were made of."""
        clips = self.source.sample(count, FRAMES, share=SHARE)
        latents, reference, motion = encode_clips(self.vae, clips, SHARE)
        focus = focus_map(clips, latents.shape[-1], FRAMES)
        weight = focus.unflatten(1, (-1, FRAMES_PER_LATENT)).mean(2).transpose(1, 2)
        tokens, _ = tokenise(self.tokenizer, [p.text for p in clips.prompts], self.device)
        return clips, LatentBatch(latents, reference, motion, self.source.features(clips), tokens, weight)

    def add(self, count: int) -> None:
        """Put `count` fresh samples in, over the oldest once the pool is full."""
        parts = [_compact(part) for part in self.make(count).parts()]
        if not self._parts:
            self._parts = [part.new_empty(self.capacity, *part.shape[1:]) for part in parts]
        slots = (torch.arange(count, device=self.device) + self._next) % self.capacity
        for kept, part in zip(self._parts, parts, strict=True):
            kept[slots] = part
        self._next = (self._next + count) % self.capacity
        self._filled = min(self.capacity, self._filled + count)

    def fill(self, count: int) -> None:
        while self._filled < min(count, self.capacity):
            self.add(self.chunk)

    def refresh(self, step: int, every: int = 40) -> None:
        """A chunk of new samples every `every` steps."""
        if step % every == 0:
            self.add(self.chunk)

    def sample(self, count: int) -> LatentBatch:
        index = torch.randint(self._filled, (count,), device=self.device)
        return LatentBatch(*(_plain(part[index]) for part in self._parts))


def _compact(part: Tensor) -> Tensor:
    return part.to(torch.float16) if part.is_floating_point() else part


def _plain(part: Tensor) -> Tensor:
    return part.float() if part.is_floating_point() else part
