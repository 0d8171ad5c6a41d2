"""A short video of how a training stands: always the same clip, shown a poor picture of the person. Knows no step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import torch
from numpy.typing import NDArray

from engine.decoding import primed, to_pixels
from engine.spec import FPS
from engine.training.clips import Stock, conditions_of
from engine.training.path import STEPS, walk
from engine.training.randomness import draws
from engine.video_sink import save_preview

if TYPE_CHECKING:
    from engine.load import Models


@torch.no_grad()
def write_sample(models: Models, stock: Stock, path: Path, preview: Path) -> None:
    """Make the first clip from the poorest picture of it; its middle frame goes to `preview`."""
    clip = stock.clips[0]
    given, noise = conditions_of(models.dit, stock, [clip], [clip.own[-1]], draws(0, "sample"), models.device)
    latents = walk(models.dit, given, noise, STEPS)
    still = stock.stills[clip.own[-1]][None].to(models.device, models.dtype)
    video = models.vae.decode(latents.to(models.dtype), primed(models.vae, still[:, :, :7]))[0]
    frames = to_pixels(video.clamp(-1, 1)).cpu().numpy()
    save_preview(preview, frames[len(frames) // 2])
    write_silent(path, frames)


def write_silent(path: Path, frames: NDArray[np.uint8]) -> None:
    """Frames [T, H, W, 3] as a video without sound."""
    with av.open(str(path.absolute()), "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=FPS, options={"crf": "14", "preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        for pixels in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        file.mux(stream.encode(None))
