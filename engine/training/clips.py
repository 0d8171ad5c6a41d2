"""Clips as a model is trained on them, made of files once and kept: what it is given, and what it should show.

A picture is made to talk by the base model: its lips and gestures are then the base model's own, and an adapter that
learns the clip from *another* picture of the person learns the person and nothing else. A picture held still would
teach lips that do not move. A video is learned as it is. Knows no optimiser.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.audio import AudioFeatures
from engine.conditioning import ENCODED_AT_ONCE, STILL_FRAMES, encode_still
from engine.image import prepare
from engine.media import blocks_for
from engine.spec import FPS, FRAMES_PER_BLOCK, LATENTS_PER_BLOCK
from engine.training.cache import Cache, digest
from engine.training.footage import cuts
from engine.training.material import Material
from engine.training.path import STEPS, Conditions, conditions, draw_placement, walk
from engine.training.portraits import VARIANTS, poorer
from engine.training.randomness import draws

if TYPE_CHECKING:
    from engine.load import Models
    from engine.model.dit import DiT
    from engine.training.spec import TrainSpec

Told = Callable[[str, float], None]
"""What is being made ready ("text", "pictures", "speech", "videos", "clips") and the share of it that is done."""


@dataclass(frozen=True)
class Clip:
    """`target` [C, F, h, w] or None until it is made; `features` [layers, C, 12 blocks]; `prompt`, `own` and `others`
    are places in the stock: its own pictures first the good one, then poor ones, and other pictures of the person."""

    name: str
    target: Tensor | None
    features: Tensor
    prompt: int
    own: tuple[int, ...]
    others: tuple[int, ...]
    drawn_from: int | None = None
    """Seed of the noise that the base model made it from; None for a video."""

    def noise(self, like: Tensor, rng: torch.Generator) -> Tensor:
        """The noise [C, F, h, w] that it is learned from: its own, where it was made from some."""
        source = rng if self.drawn_from is None else draws(self.drawn_from, "clip")
        return torch.randn(like.shape, generator=source)


@dataclass(frozen=True)
class Stock:
    """All that is learned from. `stills` [C, 19, h, w] each; `rows` [n, text_dim] of each prompt, `tokens` [n] too."""

    clips: tuple[Clip, ...]
    stills: tuple[Tensor, ...]
    rows: tuple[Tensor, ...]
    tokens: tuple[Tensor, ...]


class Preparation:
    """Makes the stock, part by part, each part once for all trainings in a folder. Mutable: it loads models."""

    def __init__(self, spec: TrainSpec, models: Models, cache: Cache, size: tuple[int, int], told: Told) -> None:
        self._spec, self._models, self._cache, self._told = spec, models, cache, told
        self._size = size
        self._device = models.device
        self._stills: list[Tensor] = []

    @torch.no_grad()
    def prepare(self, material: Material) -> Stock:
        """Everything but the clips of pictures, whose targets the base model makes (`talk`)."""
        rows, tokens = self._texts(material.prompts)
        own = [self._still(path, index, len(material.pictures)) for index, path in enumerate(material.pictures)]
        speeches = [self._speech(path, index, len(material.speeches)) for index, path in enumerate(material.speeches)]
        clips = self._pairs(material, own, speeches, len(rows))
        for index, path in enumerate(material.videos):
            self._told("videos", index / len(material.videos))
            clips += self._film(path, [place for group in own for place in group], len(rows))
        return Stock(tuple(clips), tuple(self._stills), rows, tokens)

    def _texts(self, prompts: tuple[str, ...]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        from engine.text import clean, read_tokenizer

        self._told("text", 0.0)
        tokenizer = read_tokenizer(self._models.layout.tokenizer)
        tokenizer.enable_truncation(self._models.dit_config.text_len)
        tokens = tuple(torch.tensor(tokenizer.encode(clean(prompt)).ids) for prompt in prompts)
        rows = tuple(self._cache.get(partial(self._rows, prompt), "text", prompt) for prompt in prompts)
        if not self._spec.t5_rank:
            self._models.release_text()
        return rows, tokens

    def _rows(self, prompt: str) -> Tensor:
        return self._models.text.encode(prompt)[0]

    def _still(self, path: Path, index: int, count: int) -> tuple[int, ...]:
        """Latents of a picture and of its poor versions; their places."""
        self._told("pictures", index / count)
        picture, name = prepare(path, *self._size), digest(path)
        return self._versions(picture, ("picture", name))

    def _versions(self, picture: Tensor, key: tuple[object, ...]) -> tuple[int, ...]:
        begin = len(self._stills)
        for variant in range(1 + VARIANTS):
            seed = (*key, variant, self._spec.seed)

            make = partial(self._held_still, picture, seed if variant else None)
            self._stills.append(self._cache.get(make, "still", self._size, seed))
        return tuple(range(begin, len(self._stills)))

    def _held_still(self, picture: Tensor, seed: tuple[object, ...] | None) -> Tensor:
        """Latents [C, 19, h, w] of a picture, made poorer where there is a seed."""
        shown = picture if seed is None else poorer(picture, draws(self._spec.seed, *seed))
        return encode_still(self._models.vae, self._placed(shown))[0]

    def _speech(self, path: Path, index: int, count: int) -> Tensor:
        """[layers, C, 12 n], at least a clip long."""
        self._told("speech", index / count)

        def make() -> Tensor:
            heard = AudioFeatures(self._models.audio, path)
            blocks = max(self._spec.blocks, blocks_for(heard.seconds))
            return torch.cat(list(AudioFeatures(self._models.audio, path, blocks=blocks)), dim=-1)[0]

        return self._cache.get(make, "speech", digest(path), self._spec.blocks)

    def _pairs(
        self, material: Material, own: list[tuple[int, ...]], speeches: list[Tensor], prompts: int
    ) -> list[Clip]:
        """Every picture with every speech, cut and prompt by chance."""
        clips = []
        for picture, places in enumerate(own):
            others = tuple(place for group in own if group != places for place in group)
            for speech, features in enumerate(speeches):
                name = f"{material.pictures[picture].name} / {material.speeches[speech].name}"
                rng = draws(self._spec.seed, "pair", picture, speech)
                room = features.shape[-1] // FRAMES_PER_BLOCK - self._spec.blocks
                start = FRAMES_PER_BLOCK * int(torch.randint(room + 1, (), generator=rng))
                heard = features[..., start : start + FRAMES_PER_BLOCK * self._spec.blocks]
                prompt = int(torch.randint(prompts, (), generator=rng))
                seed = int(torch.randint(1 << 62, (), generator=rng))
                clips.append(Clip(name, None, heard, prompt, places, others, seed))
        return clips

    def _film(self, path: Path, others: list[int], prompts: int) -> list[Clip]:
        """The stretches of a video, each as it goes on from its own first frame held still."""
        name, frames = digest(path), FRAMES_PER_BLOCK * self._spec.blocks
        made = []
        for index, video in enumerate(cuts(path, *self._size, frames)):
            first = video[:, :, :1]
            own = self._versions(first, ("frame", name, index))
            after, heard = partial(self._after, first, video), partial(self._heard, path, index)
            target = self._cache.get(after, "video", name, self._size, index, frames)
            features = self._cache.get(heard, "sound", name, index, frames)
            prompt = int(torch.randint(prompts, (), generator=draws(self._spec.seed, "film", name, index)))
            made.append(Clip(f"{path.name} {index * frames / FPS:.1f} s", target, features, prompt, own, tuple(others)))
        return made

    def _after(self, first: Tensor, video: Tensor) -> Tensor:
        """Latents [C, F, h, w] of a video that goes on from a still."""
        whole = torch.cat((first.expand(-1, -1, STILL_FRAMES, -1, -1), video), dim=2)
        latents = self._models.vae.encode(self._placed(whole), frames_per_pass=ENCODED_AT_ONCE)[0]
        return latents[:, -LATENTS_PER_BLOCK * self._spec.blocks :]

    def _heard(self, path: Path, index: int) -> Tensor:
        """Features [layers, C, 12 blocks] of a stretch of a video's sound."""
        blocks = self._spec.blocks
        heard = list(AudioFeatures(self._models.audio, path, blocks=blocks * (index + 1)))
        return torch.cat(heard[blocks * index :], dim=-1)[0]

    def _placed(self, picture: Tensor) -> Tensor:
        return picture.to(self._device, self._models.dtype)


@torch.no_grad()
def talk(dit: DiT, stock: Stock, clip: Clip, device: torch.device) -> Tensor:
    """What the base model makes of a clip's own good picture: [C, F, h, w]."""
    given, noise = conditions_of(dit, stock, [clip], [clip.own[0]], draws(clip.drawn_from or 0, "place"), device)
    return walk(dit, given, noise, STEPS)[0]


def conditions_of(
    dit: DiT,
    stock: Stock,
    clips: list[Clip],
    shown: list[int],
    rng: torch.Generator,
    device: torch.device,
    context: Tensor | None = None,
) -> tuple[Conditions, Tensor]:
    """Conditions of a batch that is shown the stills `shown`, and its noise [B, C, F, h, w].

    `context` [B, length, text_dim] takes the place of the kept rows where the text encoder is trained too.
    """
    dtype = dit.patch_embedding.weight.dtype
    stills = torch.stack([stock.stills[place] for place in shown]).to(device, dtype)
    features = torch.stack([clip.features for clip in clips]).to(device, dtype)
    blocks, grid = features.shape[-1] // FRAMES_PER_BLOCK, (stills.shape[-2], stills.shape[-1])
    rows = pad([stock.rows[clip.prompt] for clip in clips]).to(device, dtype) if context is None else context
    placement = draw_placement(dit, grid, len(clips), blocks, rng)
    like = stills[0, :, :1].expand(-1, LATENTS_PER_BLOCK * blocks, -1, -1)
    noise = torch.stack([clip.noise(like, rng) for clip in clips]).to(device)
    return conditions(dit, rows, features, stills[:, :, 1:2], stills, placement), noise


def pad(rows: list[Tensor]) -> Tensor:
    """Rows [n, D] of several prompts, filled up with zeros: [B, longest, D]."""
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
