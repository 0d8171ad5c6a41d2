"""What a user would write: a subject, sometimes hair or clothes, a feeling, a background, and words of no effect.

Only the feeling and the background change the video; everything else describes what the portrait shows already.
No feeling named means a neutral face; no background named means the portrait's own. Knows no pixels.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from engine.embedded.corpus.dynamics import EMOTIONS
from engine.embedded.corpus.identity import BACKGROUNDS, CLOTHES, HAIRS

UNSAID: Final = "unsaid"
"""In place of a background, hair or clothes: the prompt does not speak of it, the portrait's own is kept."""
ATTRIBUTES: Final[dict[str, tuple[str, ...]]] = {
    "emotion": EMOTIONS,
    "background": (UNSAID, *BACKGROUNDS),
    "hair": (UNSAID, *HAIRS),
    "cloth": (UNSAID, *CLOTHES),
}
BACKGROUND_SHARE: Final = 0.4
"""How many prompts name a background."""

_FEELINGS: Final[dict[str, tuple[str, ...]]] = {
    "neutral": ("neutral", "calm", "with a neutral expression", "serious", "relaxed"),
    "smiling": ("smiling", "happy", "with a smile", "cheerful", "smiling warmly", "joyful", "friendly", "smiles"),
    "angry": ("angry", "furious", "with an angry face", "mad", "annoyed"),
    "sad": ("sad", "unhappy", "with a sad face", "sorrowful", "gloomy"),
    "surprised": ("surprised", "astonished", "with a surprised look", "amazed", "shocked"),
}
_SUBJECTS: Final = (
    *("a person", "a portrait of a person", "an avatar", "a talking avatar", "a cartoon person", "a character"),
    *("a presenter", "a talking head", "someone", "a speaker", "a teacher", "a host", "a news reader", "a man"),
    *("a woman", "a young woman", "a young man"),
)
_ACTIONS: Final = (
    *("talking", "speaking", "talking to the camera", "explaining something", "telling a story", "giving a speech"),
    *("presenting a product", "answering a question", "speaking to the viewer", "reading the news", "talks", "speaks"),
)
_FILLERS: Final = (
    *("high quality", "looking at the camera", "soft light", "close-up", "studio", "sharp", "static camera"),
    *("clear face", "professional", "4k", "detailed", "natural", "front view", "head and shoulders"),
)
_PLACES: Final = (
    *("{} background", "in front of a {} wall", "on a {} background", "{} backdrop", "the background is {}"),
    *("against a {} wall", "with a {} background", "plain {} background"),
)


@dataclass(frozen=True)
class Prompt:
    """A text and what it asks for: for each of ATTRIBUTES one of its names."""

    text: str
    attributes: Mapping[str, str]


def sample(rng: random.Random, *, emotion: str | None = None, background: str | None = None) -> Prompt:
    """A random prompt; `emotion` and `background` fix what it asks for. Neutral is named only sometimes."""
    feeling = emotion or rng.choices(EMOTIONS, (0.28, 0.18, 0.18, 0.18, 0.18))[0]
    place = background or (rng.choice(tuple(BACKGROUNDS)) if rng.random() < BACKGROUND_SHARE else UNSAID)
    hair = rng.choice(tuple(HAIRS)) if rng.random() < 0.25 else UNSAID
    cloth = rng.choice(tuple(CLOTHES)) if rng.random() < 0.15 else UNSAID
    attributes = {"emotion": feeling, "background": place, "hair": hair, "cloth": cloth}
    return Prompt(_written(attributes, rng), attributes)


def emotion_index(said: Sequence[Prompt], device: torch.device | str = "cpu") -> Tensor:
    """[B] int64 into EMOTIONS."""
    return torch.tensor([EMOTIONS.index(prompt.attributes["emotion"]) for prompt in said]).to(device)


def background_index(said: Sequence[Prompt], device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """[B] int64 into BACKGROUNDS (0 where none is named), and [B] bool: is one named?"""
    place = torch.tensor([ATTRIBUTES["background"].index(prompt.attributes["background"]) for prompt in said])
    return (place - 1).clamp(min=0).to(device), (place > 0).to(device)


def _written(wish: Mapping[str, str], rng: random.Random) -> str:
    subject, parts = _felt(rng.choice(_SUBJECTS), wish["emotion"], rng)
    if wish["hair"] != UNSAID:
        subject += f" with {_spelt(wish['hair'], rng)} hair"
    if wish["cloth"] != UNSAID:
        parts.append(f"wearing {_spelt(wish['cloth'], rng)} clothes")
    if wish["background"] != UNSAID:
        place = rng.choice(_PLACES).format(_spelt(wish["background"], rng))
        parts.append(place.replace("a orange", "an orange"))
    parts += rng.sample(_FILLERS, rng.choice((0, 0, 1, 1, 2)))
    if rng.random() < 0.5:
        parts.append(rng.choice(_ACTIONS))
    rng.shuffle(parts)
    return _cased(", ".join([subject, *parts]), rng)


def _felt(subject: str, emotion: str, rng: random.Random) -> tuple[str, list[str]]:
    """The subject and the other parts, with the feeling in either: `an angry person`, or `a person` and `angry`."""
    if emotion == "neutral" and rng.random() >= 0.35:
        return subject, []
    word = rng.choice(_FEELINGS[emotion])
    article, _space, noun = subject.partition(" ")
    if article in ("a", "an") and " " not in word and word != "smiles" and rng.random() < 0.35:
        return f"{'an' if word[0] in 'aeiou' else 'a'} {word} {noun}", []
    return subject, [word]


def _spelt(colour: str, rng: random.Random) -> str:
    return "grey" if colour == "gray" and rng.random() < 0.4 else colour


def _cased(text: str, rng: random.Random) -> str:
    if rng.random() < 0.5:
        text = text[0].upper() + text[1:]
    return text + "." if rng.random() < 0.25 else text
