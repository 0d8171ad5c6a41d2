"""One answer as numbers, and the same answer spoilt, which every measure must see. Knows no model and no verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from engine.compare.questions import Question
from engine.compare.readers import Reader, Seen
from engine.embedded.corpus.prompts import UNSAID
from engine.embedded.metrics import lips, sync

FACES: Final = 0.9
"""Share of the frames that must have a face; below it nothing is said of the video."""
_CORNER: Final = 0.12
_SETTLING: Final = 13


@dataclass(frozen=True)
class Answer:
    """A video [T, 3, H, W] in 0..1 and the question that it answers."""

    question: Question
    video: Tensor


class Judge:
    """Measures answers, always in the same way."""

    def __init__(self, reader: Reader, *, hears: bool) -> None:
        """`hears`: whether lips and sound are judged together, by a network that knows avatars only."""
        self._reader = reader
        self._sync = sync.load() if hears else None

    def measure(self, answer: Answer) -> dict[str, float | None]:
        """Every measure of one video; None where it cannot be told."""
        seen = self._reader.read(answer.video)
        if seen.found < FACES:
            return dict.fromkeys(("lip_sync", "mouth", "offset", "motion", "identity", "adherence", "flicker", "drift"))
        return {
            **self._heard(answer, seen),
            "identity": _likeness(seen, answer.question),
            "adherence": _obeyed(seen, answer.question),
            "flicker": flicker(answer.video),
            "drift": drift(seen.person),
        }

    def _heard(self, answer: Answer, seen: Seen) -> dict[str, float | None]:
        question = answer.question
        if not question.speaks:
            return dict.fromkeys(("lip_sync", "mouth", "offset", "motion"))
        told: dict[str, float | None] = {"lip_sync": None, "offset": None, "mouth": None, "motion": None}
        if self._sync is not None:
            found = self._sync.score(answer.video, torch.from_numpy(question.audio))
            told |= {"lip_sync": found.confidence, "offset": float(abs(found.offset))}
        if question.opening is not None:
            told["mouth"] = lips.correlation(seen.opening, question.opening)
            frames = min(len(seen.opening), len(question.opening))
            told["motion"] = lips.amplitude(seen.opening[:frames], question.opening[:frames])
            if self._sync is None:
                told["offset"] = float(abs(lips.best_lag(seen.opening, question.opening)[0]))
        return told

    def place(self, video: Tensor) -> Tensor:
        """Where the face is in each frame, in widths of it: [T, 2]."""
        return self._reader.read(video).place


def _likeness(seen: Seen, question: Question) -> float | None:
    if question.person is None:
        return None
    return 1.0 - float((seen.person.mean(0) - question.person).abs().mean())


def _obeyed(seen: Seen, question: Question) -> float | None:
    """Share of what the prompt asks for that is there."""
    asked = question.asked
    right = []
    if asked.get("emotion", UNSAID) != UNSAID and seen.feeling:
        right.append(seen.feeling == asked["emotion"])
    if asked.get("background", UNSAID) != UNSAID and seen.background:
        right.append(seen.background == asked["background"])
    return sum(right) / len(right) if right else None


def flicker(video: Tensor) -> float:
    """Mean change of direction of the upper corners' brightness from frame to frame, of 255.

    Without the first half second: there the portrait's own background may still turn into what was asked for.
    """
    side = max(2, round(_CORNER * video.shape[-1]))
    settled = video[_SETTLING:] if len(video) > 2 * _SETTLING else video
    corners = torch.cat((settled[:, :, :side, :side], settled[:, :, :side, -side:]), -1).mean((2, 3))
    return 255 * float((corners[2:] - 2 * corners[1:-1] + corners[:-2]).abs().mean())


def drift(person: Tensor) -> float:
    """How far the last quarter of a video is from its first second, as a person."""
    start, end = person[:25].mean(0), person[-max(1, len(person) // 4) :].mean(0)
    return float((end - start).abs().mean())


def spread(places: list[Tensor]) -> list[float]:
    """For each frame, in %: how the way of the face to the next frame differs between runs (standard deviation)."""
    ways = torch.stack([(place[1:] - place[:-1]).norm(dim=-1) for place in places])
    return [100 * float(value) for value in ways.std(0, correction=0)]


def of_another_speech(answers: list[Answer]) -> list[Answer]:
    """Each video with the speech of the next question."""
    others = [answer.question for answer in (*answers[1:], *answers[:1])]
    return [
        Answer(replace(answer.question, audio=other.audio, opening=other.opening), answer.video)
        for answer, other in zip(answers, others, strict=True)
    ]


def of_another_person(answers: list[Answer], strangers: list[Tensor]) -> list[Answer]:
    """Each video held against somebody else."""
    return [
        Answer(replace(answer.question, person=strangers[index % len(strangers)]), answer.video)
        for index, answer in enumerate(answers)
    ]


def frozen(answers: list[Answer]) -> list[Answer]:
    """Each video as a still: its first frame, throughout."""
    return [Answer(answer.question, answer.video[:1].expand_as(answer.video)) for answer in answers]


def told(values: list[float | None]) -> list[float]:
    """Those that could be told."""
    return [value for value in values if value is not None and math.isfinite(value)]
