"""Do lips and sound belong together? A small SyncNet: distance of what is seen to what is heard, at every offset.

`V_t` and `A_t` are unit vectors of the five frames and the 0.2 s of sound that begin at frame t; D(l) is the mean of
|V_t - A_(t+l)|. LSE-D = min D, LSE-C = median D - min D, offset = argmin D: the definitions of Prajwal et al. 2020 on a
judge of our own, so its figures compare only with each other. Trained on renders:
`python -m engine.embedded.metrics.sync --train TAPE --minutes 3`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.embedded.corpus.augment import augment
from engine.embedded.corpus.clips import DrawSource, Renderer, SpeechBank, make_batch
from engine.embedded.corpus.renderer import render
from engine.embedded.corpus.speech import Tape
from engine.embedded.corpus.visemes import SAMPLE_RATE, SAMPLES_PER_FRAME
from engine.embedded.metrics import judges

WINDOW: Final = 5
REACH: Final = 15
_MELS: Final = 40
_HOP: Final = 160  # 10 ms: four columns a video frame
_COLUMNS: Final = SAMPLES_PER_FRAME // _HOP
_HEARD: Final = 19


@dataclass(frozen=True)
class Sync:
    """LSE-D (lower is better), LSE-C (higher is better), offset in frames (positive: the sound is late)."""

    distance: float
    confidence: float
    offset: int


class SyncJudge(nn.Module):
    """Two small networks into one space of 64 dimensions; 0.19 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = nn.Sequential(
            *_conv(3 * WINDOW, 32), *_conv(32, 48), *_conv(48, 64), nn.Conv2d(64, 14, 1), nn.Flatten()
        )
        self.seen_head = nn.Sequential(nn.Linear(14 * 4 * 6, 128), nn.SiLU(), nn.Linear(128, 64))
        self.heard = nn.Sequential(
            *(nn.Conv1d(_MELS, 64, 3), nn.SiLU(), nn.Conv1d(64, 96, 3, 2), nn.SiLU(), nn.Conv1d(96, 96, 3, 2)),
            *(nn.SiLU(), nn.Flatten(), nn.Linear(96 * 3, 128), nn.SiLU(), nn.Linear(128, 64)),
        )
        self.register_buffer("bank", _mel_bank(), persistent=False)
        self.register_buffer("window", torch.hann_window(400), persistent=False)
        self.temperature = nn.Parameter(torch.tensor(2.3))

    def look(self, video: Tensor) -> Tensor:
        """[B, T-4, 64] from video [B, T, 3, H, W] in 0..1: the lower half of the face at 32x48 pixels."""
        batch, frames = video.shape[:2]
        small = F.interpolate(video.flatten(0, 1), size=(64, 64), mode="bilinear", antialias=True)
        mouth = small[:, :, 28:60, 8:56].reshape(batch, frames, 3, 32, 48) * 2 - 1
        stacked = torch.cat([mouth[:, i : frames - WINDOW + 1 + i] for i in range(WINDOW)], 2)
        found = self.seen_head(self.seen(stacked.flatten(0, 1)))
        return unit(found).view(batch, -1, 64)

    def listen(self, audio: Tensor, frames: int) -> Tensor:
        """[B, frames-4, 64] from audio [B, N] f32 at 16 kHz."""
        mel = F.pad(self._mel(audio), (0, 4 * _HEARD))
        cuts = mel.unfold(-1, _HEARD, _COLUMNS)[:, :, : frames - WINDOW + 1].transpose(1, 2)
        found = self.heard(cuts.flatten(0, 1))
        return unit(found).view(len(audio), -1, 64)

    def _mel(self, audio: Tensor) -> Tensor:
        window, bank = self.get_buffer("window"), self.get_buffer("bank")
        power = torch.stft(audio, 512, _HOP, 400, window, return_complex=True).abs().square()
        mel = torch.log(bank @ power + 1e-5)
        result: Tensor = (mel - mel.mean((-1, -2), keepdim=True)) / (mel.std((-1, -2), keepdim=True) + 1e-3)
        return result

    @torch.no_grad()
    def score(self, video: Tensor, audio: Tensor) -> Sync:
        """How well `video` [T, 3, H, W] and `audio` [N] go together."""
        frames = min(len(video), audio.shape[-1] // SAMPLES_PER_FRAME)
        seen = self.look(video[None, :frames])[0]
        heard = self.listen(audio[None], frames)[0]
        count = len(seen)
        curve = []
        for shift in range(-REACH, REACH + 1):
            first, last = max(0, -shift), min(count, count - shift)
            curve.append((seen[first:last] - heard[first + shift : last + shift]).norm(dim=-1).mean())
        distances = torch.stack(curve)
        best = int(distances.argmin())
        return Sync(float(distances[best]), float(distances.median() - distances[best]), best - REACH)


def load() -> SyncJudge:
    """The trained judge."""
    return judges.load(SyncJudge(), "sync")


def train(tape: Tape, minutes: float, device: str, renderer: Renderer = render) -> SyncJudge:
    """Every other moment of the same clip is a counter-example, so neither face nor voice can give it away."""
    bank, draw = SpeechBank.from_tape(tape, device), DrawSource(8_000, device=device)
    judge = SyncJudge().to(device)
    stock: list[tuple[Tensor, Tensor]] = []
    frames, clips, kept = 56, 8, 60

    def loss() -> Tensor:
        if len(stock) < kept or int(torch.randint(4, ())) == 0:
            batch = make_batch(bank, draw, clips, frames)
            with torch.no_grad():
                small = F.interpolate(batch.video(128, renderer).flatten(0, 1), size=(64, 64), mode="area")
            stock.append((small.view(clips, frames, 3, 64, 64).half(), batch.audio))
            del stock[:-kept]
        video, audio = stock[int(torch.randint(len(stock), ()))]
        pictures = judges.blurred(video.flatten(0, 1).float(), draw.device_rng).view(video.shape)
        return contrast(judge, pictures, augment(audio, draw.device_rng))

    for step, value in judges.train(judge, loss, minutes, 1.5e-3):
        print(f"step {step} loss {value:.3f}", flush=True)
    return judge.eval()


def contrast(judge: SyncJudge, video: Tensor, audio: Tensor) -> Tensor:
    """Cross-entropy of picking the right moment, both ways; moments one frame apart do not count against it."""
    frames = video.shape[1]
    scores = judge.look(video) @ judge.listen(audio, frames).transpose(1, 2) * judge.temperature.exp()
    moment = torch.arange(scores.shape[1], device=scores.device)
    near = (moment[:, None] - moment[None]).abs() == 1
    scores = scores.masked_fill(near, -1e4)
    truth = moment.expand(len(scores), -1)
    return (F.cross_entropy(scores, truth) + F.cross_entropy(scores.transpose(1, 2), truth)) / 2


def unit(vectors: Tensor) -> Tensor:
    """Scaled to length 1 along the last dimension."""
    return F.normalize(vectors, dim=-1)


def _conv(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(4, after), nn.SiLU()


def _mel_bank() -> Tensor:
    """[40, 257] triangular filters, evenly spaced on the mel scale from 0 to 8 kHz."""
    top = 2595 * torch.log10(torch.tensor(1 + SAMPLE_RATE / 2 / 700))
    corners = 700 * (10 ** (torch.linspace(0, 1, _MELS + 2) * top / 2595) - 1)
    line = torch.linspace(0, SAMPLE_RATE / 2, 257)
    rising = (line - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - line) / (corners[2:] - corners[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the judge of lip-sync.")
    parser.add_argument("--train", type=Path, required=True, metavar="TAPE")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="compile the renderer: 4 times as fast")
    chosen = parser.parse_args()
    renderer = torch.compile(render) if chosen.compile else render
    judges.save(train(Tape.load(chosen.train), chosen.minutes, chosen.device, renderer), "sync")


if __name__ == "__main__":
    main()
