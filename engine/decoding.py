"""Latents to frames, block after block, beside the model that makes the next latents.

On a card it has a stream of its own, and a block is recorded once and replayed; frames come down as bytes. Knows no
model but the autoencoder. One number: primed three latents at a time it never needs more room than a block does, and
all seven at once would take twice that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from engine.compiling import compiled
from engine.execution import Execution
from engine.model.vae import WanVae
from engine.model.vae_state import Pieces, VaeState, activated_after, doubled, summed
from engine.recording import Recording, plainly
from engine.spec import FRAMES_PER_LATENT, LATENTS_PER_BLOCK
from engine.transfer import Landing

if TYPE_CHECKING:
    from engine.rollout import LatentBlock

PRIMING_LATENTS: Final = 7
"""Latents of the still that the decoder sees before the video, as upstream's pipeline of five GPUs does."""


def to_pixels(video: Tensor) -> Tensor:
    """[1, 3, T, H, W] in [-1, 1] -> [T, H, W, 3] in 0..255, truncated, as upstream writes them."""
    scaled = (video[0].float() + 1) / 2 * 255
    return scaled.to(torch.uint8).permute(1, 2, 3, 0).contiguous()


def primed(vae: WanVae, latents: Tensor) -> VaeState:
    """A decoder that has just shown these latents; its frames are not wanted."""
    state = VaeState()
    for part in _parts(latents):
        vae.decode(part, state)
    return state


def _parts(latents: Tensor) -> list[Tensor]:
    """The first latent, which is decoded otherwise than the rest, then blocks."""
    return [latents[:, :, :1], *latents[:, :, 1:].split(LATENTS_PER_BLOCK, dim=2)]


def _compiled_pieces() -> Pieces:
    return Pieces(compiled(activated_after), compiled(summed), compiled(doubled))


class StreamDecoder:
    """Mutable: the state of one video's decoder, in storage that stays."""

    def __init__(self, vae: WanVae, still: Tensor, execution: Execution) -> None:
        """`still` [1, z, F, h, w] are the latents that every video begins from."""
        self._vae = vae
        self._still = still[:, :, :PRIMING_LATENTS]
        self._wide_frames = FRAMES_PER_LATENT if execution.recorded else None
        self._state = VaeState(pieces=_compiled_pieces() if execution.compiled else None)
        self._stream = torch.cuda.Stream(still.device, priority=-1) if still.is_cuda else None
        self._latents = still[:, :, :LATENTS_PER_BLOCK].to(torch.float32).clone()
        self._pixels = torch.empty(0)
        self._run = Recording() if execution.recorded else plainly

    @torch.no_grad()
    def decode(self, block: LatentBlock) -> Landing:
        """Frames uint8 [12, H, W, 3] of the next block, on their way to the host."""
        if self._stream is None:
            return self._decode(block)
        self._stream.wait_stream(torch.cuda.current_stream())
        block.latents.record_stream(self._stream)
        with torch.cuda.stream(self._stream):
            return self._decode(block)

    def _decode(self, block: LatentBlock) -> Landing:
        if block.begins:
            self._prime()
        self._latents.copy_(block.latents)
        self._run(self._work)
        return Landing(self._pixels)

    def _prime(self) -> None:
        """Go back to where a video begins, in place."""
        first, *rest = _parts(self._still)
        fresh = VaeState()
        self._vae.decode(first, fresh)
        for slot, past in self._state.past.items():
            past.copy_(fresh.past[slot]) if slot in fresh.past else past.zero_()
        self._state.past |= {slot: past for slot, past in fresh.past.items() if slot not in self._state.past}
        self._state.started = True
        for part in rest:
            self._latents.copy_(part)
            self._run(self._work)

    def _work(self) -> None:
        video, _state = self._vae.decode(self._latents, self._state, self._wide_frames)
        self._pixels = to_pixels(video.clamp(-1, 1))
