"""One step of learning, and a look at what is not learned from: clips in, a loss out, weights moved.

The noisy point of a clip is either on the line to the truth or where the model itself stands in a run (`path`). Knows
no file, no job and no clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from engine.training.adapters import Adapted
from engine.training.checkpoint import Training
from engine.training.clips import Clip, Stock, conditions_of, pad
from engine.training.path import STEP_WEIGHTS, STEPS, own_point, path_error, true_point
from engine.training.randomness import draws, order

if TYPE_CHECKING:
    from engine.model.dit import DiT
    from engine.training.spec import TrainSpec

_OWN_PICTURE: Final = 0.6
"""Share of the clips that are shown a picture of the same moment, mostly a poor one; the rest another picture."""
_CLIP: Final = 1.0
_WARM_UP: Final = 0.05
_FLOOR: Final = 0.1


class Learned(NamedTuple):
    """Of one step: its loss, the gradient's norm before it was clipped, the rate."""

    loss: float
    norm: float
    rate: float


class Learner:
    """Mutable: the models with their trainable layers, and the optimiser that moves them."""

    def __init__(self, spec: TrainSpec, adapted: Adapted, stock: Stock, device: torch.device) -> None:
        self._spec, self._adapted, self._device = spec, adapted, device
        self._stock = stock
        self._dit: DiT = adapted.dit  # type: ignore[assignment]
        parameters = adapted.parameters()
        optimiser = torch.optim.AdamW(parameters.values(), spec.learning_rate, betas=(0.9, 0.95), weight_decay=0.0)
        self.training = Training(parameters, optimiser)
        self.train, self.held_out = split(stock.clips, spec)
        self.steps = spec.num_train_epochs * math.ceil(len(self.train) / spec.batch_size)

    def step(self, number: int) -> Learned:
        """Step `number`, counted from 0: the same whatever came before in this process."""
        rng = draws(self._spec.seed, "step", number)
        rate = self._spec.learning_rate * rate_share(number, self.steps)
        for group in self.training.optimiser.param_groups:
            group["lr"] = rate
        own = float(torch.rand((), generator=rng)) < self._spec.own_path
        loss = self._loss(self.batch(number), rng, own=own)
        self.training.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.training.parameters.values(), _CLIP)
        value = float(loss.detach())
        if math.isfinite(value) and math.isfinite(float(norm)):
            self.training.optimiser.step()
        return Learned(value, float(norm), rate)

    def batch(self, number: int) -> list[Clip]:
        """The clips of a step, in the order of its epoch."""
        each = math.ceil(len(self.train) / self._spec.batch_size)
        epoch, within = divmod(number, each)
        chosen = order(len(self.train), self._spec.seed, epoch)[within * self._spec.batch_size :][
            : self._spec.batch_size
        ]
        return [self.train[index] for index in chosen]

    @torch.no_grad()
    def look(self) -> float | None:
        """The loss of the clips that are never trained on, always at the same points; None where there are none."""
        if not self.held_out:
            return None
        losses = [
            self._loss([clip], draws(self._spec.seed, "look", index), own=False, step=index % (STEPS - 1))
            for index, clip in enumerate(self.held_out)
        ]
        return float(torch.stack(losses).mean())

    def _loss(self, clips: list[Clip], rng: torch.Generator, *, own: bool, step: int | None = None) -> Tensor:
        """Mean squared error of what the model makes of a batch at one point of its way."""
        shown = [shown_picture(clip, rng) for clip in clips]
        given, noise = conditions_of(
            self._dit, self._stock, clips, shown, rng, self._device, context=self._context(clips)
        )
        clean = torch.stack([clip.target for clip in clips if clip.target is not None]).to(self._device)
        weights = torch.tensor(STEP_WEIGHTS)
        drawn = torch.multinomial(weights, len(clips), replacement=True, generator=rng).to(self._device)
        if step is not None:
            drawn = torch.full_like(drawn, step)
        point = own_point(self._dit, given, noise, int(drawn[0])) if own else true_point(clean, noise, drawn)
        return path_error(self._dit, given, *point, clean).mean()

    def _context(self, clips: list[Clip]) -> Tensor | None:
        """Rows of the prompts where the text encoder is trained, with gradient."""
        if self._adapted.text is None:
            return None
        tokens = [self._stock.tokens[clip.prompt].to(self._device) for clip in clips]
        return pad([self._adapted.text(ids[None])[0] for ids in tokens])


def split(clips: tuple[Clip, ...], spec: TrainSpec) -> tuple[list[Clip], list[Clip]]:
    """Clips to train on and clips to look at; fewer than five are all trained on."""
    count = max(1, round(spec.held_out * len(clips))) if spec.held_out > 0 and len(clips) >= 5 else 0
    chosen = set(order(len(clips), spec.seed, -1)[:count])
    train = [clip for index, clip in enumerate(clips) if index not in chosen]
    return train, [clip for index, clip in enumerate(clips) if index in chosen]


def shown_picture(clip: Clip, rng: torch.Generator) -> int:
    """Which still a clip is learned from."""
    mine = float(torch.rand((), generator=rng)) < _OWN_PICTURE or not clip.others
    places = clip.own if mine else clip.others
    return places[int(torch.randint(len(places), (), generator=rng))]


def rate_share(step: int, steps: int) -> float:
    """Of the learning rate: a short rise, then a cosine to a tenth."""
    rise = max(1, min(100, round(_WARM_UP * steps)))
    if step < rise:
        return (step + 1) / rise
    return _FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def compute_twice(blocks: nn.ModuleList) -> None:
    """Keep only what enters a layer, and compute the rest of it again when its gradient is asked for."""
    for block in blocks:
        block.forward = _again(block.forward)


def _again(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return partial(checkpoint, forward, use_reentrant=False)
