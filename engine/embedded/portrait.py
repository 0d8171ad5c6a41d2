"""Is a picture one that the embedded model can drive, and if not, which avatar is nearest to it?

The model knows avatars and nothing else: a photograph would come out smeared, so it is refused, or drawn again as an
avatar when the user asks. The judge is the renderer itself: what it cannot draw is not of its kind. Knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.embedded import portrait_reader
from engine.embedded.corpus.identity import BACKGROUNDS, CLOTHES, COLOURS, HAIRS, SCALARS, SKINS, WIDTH, family
from engine.embedded.portrait_reader import decided, draw, random_portraits
from lora_repository.i18n import _

PASS: Final = 0.55
"""Likeness from which a picture counts as an avatar. 200 held-out renders reached 0.68 to 0.95; of 24 photographs,
drawings and noises, the highest 0.42, the next 0.19."""
_REFINE_STEPS: Final = 25
_STARTS: Final = 12
_COARSE_STEPS: Final = 80
_KEPT: Final = 2
_FINE_STEPS: Final = 150
_COARSE: Final = 32
_RARE: Final = ("bg_stripes", "bun", "curly", "moustache", "earrings")
"""What few people wear: the fit does not start from it."""
_SIZE: Final = 64
_NATIVE: Final = 128


@dataclass(frozen=True)
class PortraitVerdict:
    """`ok`: the picture is of the avatars' kind. `score`: likeness of its details to those of the nearest avatar found,
    1 the same, 0 nothing in common. `message`: what to tell the user, in the language in force."""

    ok: bool
    score: float
    message: str


def check_portrait(image: Tensor) -> PortraitVerdict:
    """Judge a prepared portrait [1, 3, 1, H, W] in [-1, 1].

    A twentieth of a second on one core for an avatar, a second for a picture in doubt, which is fitted first.
    Deterministic. Only the middle square is looked at.
    """
    picture = _small(image, _SIZE)
    guess = portrait_reader.load().guess(_small(image, _NATIVE))
    score = _likeness(draw(guess, _SIZE), picture)
    if score < PASS:
        score = _likeness(draw(_fitted(guess, picture, _REFINE_STEPS)[0], _SIZE), picture)
    if score >= PASS:
        message = _("The portrait is an avatar of the embedded model's kind ({score:.0%} alike).").format(score=score)
        return PortraitVerdict(True, score, message)
    message = _(
        "The embedded model can only drive its own kind of avatar, and this picture is not one "
        "({score:.0%} alike; {least:.0%} are needed)."
    ).format(score=max(0.0, score), least=PASS)
    return PortraitVerdict(False, score, message)


def avatarise(image: Tensor) -> Tensor:
    """The nearest avatar to a picture [1, 3, 1, H, W] in [-1, 1], drawn at its size [1, 3, 1, S, S], S = min(H, W).

    The renderer is fitted by gradient, coarsely from a dozen starts and finely from the best two: some ten seconds of
    one core, the same result every time.
    """
    starts = random_portraits(_STARTS, torch.Generator().manual_seed(0))
    starts[:, [3 * len(COLOURS) + SCALARS.index(name) for name in _RARE]] = 0
    starts[:1] = portrait_reader.load().guess(_small(image, _NATIVE))
    unit, error = _fitted(starts, _small(image, _COARSE), _COARSE_STEPS)
    unit, error = _fitted(unit[error.argsort()[:_KEPT]], _small(image, _SIZE), _FINE_STEPS)
    best = in_family(unit[error.argmin()][None])
    drawn = draw(best, min(image.shape[-2:]))
    return (drawn * 2 - 1)[:, :, None]


def in_family(unit: Tensor) -> Tensor:
    """The same avatars with every colour among those that avatars have, at rest: [N, WIDTH + 5]."""
    answer = decided(unit.clamp(0, 1))
    answer[:, WIDTH:] = 0.5
    tones = torch.tensor(SKINS)
    steps = torch.linspace(0, 1, 9)[:, None, None]
    skins = (tones[:-1] * (1 - steps) + tones[1:] * steps).flatten(0, 1)
    palettes = {"skin": skins}
    for name, table in (("hair", HAIRS), ("background", BACKGROUNDS), ("cloth", CLOTHES)):
        palettes[name] = torch.tensor(list(table.values()))
    for name, palette in palettes.items():
        place = slice(3 * COLOURS.index(name), 3 * COLOURS.index(name) + 3)
        nearest = palette[torch.cdist(answer[:, place], palette).argmin(1)]
        answer[:, place] = answer[:, place].clamp(nearest - 0.04, nearest + 0.04).clamp(0, 1)
    skin, lips = (answer[:, 3 * COLOURS.index(name) :][:, :3] for name in ("skin", "lips"))
    warm = skin * 0.80 + torch.tensor([0.17, -0.09, -0.05])
    start = 3 * COLOURS.index("lips")
    answer[:, start : start + 3] = lips.clamp(warm - 0.05, warm + 0.05).clamp(0, 1)
    return answer


def _fitted(starts: Tensor, picture: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Adam on all starts [N, WIDTH + 5] at once; switches stay as they are. The fits, and each one's error [N]."""
    switches = torch.cat([family().is_switch, torch.zeros(starts.shape[1] - WIDTH, dtype=torch.bool)])
    first = decided(starts)
    moving = first.clamp(0.02, 0.98).requires_grad_(True)
    optimiser = torch.optim.Adam([moving], lr=0.04)
    weight = _attention(picture.shape[-1])
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 0.04 * (1 - step / steps) + 0.003
        error = _error(torch.where(switches, first, moving), picture, weight)
        (moving.grad,) = torch.autograd.grad(error.sum(), [moving])
        optimiser.step()
        with torch.no_grad():
            moving.clamp_(0, 1)
    with torch.no_grad():
        unit = torch.where(switches, first, moving)
        return unit, _error(unit, picture, torch.ones(1))


def _likeness(drawn: Tensor, picture: Tensor) -> float:
    """Correlation of the fine structure of two pictures: edges in the same places, whatever the contrast.

    The colours alone would not do: a faint photograph is near to any avatar of its mean colour.
    """
    own, true = (_details(part) for part in (drawn, picture))
    return float((own * true).sum() / (own.norm() * true.norm() + 1e-3))


def _details(picture: Tensor) -> Tensor:
    around = F.avg_pool2d(F.pad(picture, (4, 4, 4, 4), mode="replicate"), 9, 1)
    return picture - around


def _error(unit: Tensor, picture: Tensor, weight: Tensor) -> Tensor:
    return ((draw(unit, picture.shape[-1]) - picture).square() * weight).mean((1, 2, 3)) / weight.mean()


def _attention(size: int) -> Tensor:
    """[size, size]: where the face is counts four times."""
    line = (torch.arange(size) + 0.5) / size * 2 - 1
    return 1 + 3 * torch.exp(-((line[None] / 0.5) ** 2) - (line[:, None] / 0.6) ** 2)


def _small(image: Tensor, size: int) -> Tensor:
    """The middle square of a prepared portrait, [1, 3, size, size] in 0..1."""
    still = image[:, :, 0].float()
    side = min(still.shape[-2:])
    top, left = ((length - side) // 2 for length in still.shape[-2:])
    square = still[:, :, top : top + side, left : left + side]
    return (F.interpolate(square, size=(size, size), mode="bilinear", antialias=True) + 1).clamp(0, 2) / 2
