"""Where the judges' weights lie, and the loop that trains them. Knows no judge in particular."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lora_repository.finding import problem
from lora_repository.i18n import _

WEIGHTS = Path(__file__).parent / "weights"
Judge = TypeVar("Judge", bound=nn.Module)


def save(judge: nn.Module, name: str, path: Path | None = None) -> Path:
    """Write the weights as f16 safetensors, beside and renamed."""
    path = path or WEIGHTS / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".tmp")
    save_file({key: value.detach().cpu().half().contiguous() for key, value in judge.state_dict().items()}, beside)
    beside.chmod(0o644)
    beside.replace(path)
    return path


def load(judge: Judge, name: str, path: Path | None = None) -> Judge:
    """Fill `judge` with the weights of `name` and make it ready to judge. Raises Problem AVATAR010."""
    path = path or WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        module = type(judge).__module__
        message = _("The network {name} has no weights at {path}.").format(name=name, path=path)
        raise problem("AVATAR010", message, f"python -m {module} --train --minutes 3")
    judge.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    return judge.eval().requires_grad_(False)


def train(judge: nn.Module, loss_of: Callable[[], Tensor], minutes: float, rate: float) -> Iterator[tuple[int, float]]:
    """AdamW with warm-up and a cosine tail over `minutes` of wall time; yields (step, loss) every 100 steps."""
    optimiser = torch.optim.AdamW(judge.parameters(), rate, weight_decay=1e-3)
    began, step = time.monotonic(), 0
    while (done := (time.monotonic() - began) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 50) * (0.02 + 0.49 * (1 + math.cos(math.pi * done)))
        loss = loss_of()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        step += 1
        if step % 100 == 0:
            yield step, float(loss.detach())


def blurred(frames: Tensor, rng: torch.Generator, share: float = 0.6) -> Tensor:
    """What a decoder does to pictures, at random for the whole batch: softer, noisier."""
    small = frames
    if float(torch.rand(1, generator=rng, device=rng.device)) < share:
        scale = float(torch.rand(1, generator=rng, device=rng.device)) * 0.5 + 0.45
        small = torch.nn.functional.interpolate(frames, scale_factor=scale, mode="bilinear", antialias=True)
        small = torch.nn.functional.interpolate(small, size=frames.shape[-2:], mode="bilinear")
    level = 0.03 * torch.rand(len(frames), 1, 1, 1, generator=rng, device=rng.device)
    return (small + level * torch.randn(frames.shape, generator=rng, device=rng.device)).clamp(0, 1)
