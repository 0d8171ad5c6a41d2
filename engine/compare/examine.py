"""Two versions through the same exam, top to bottom: questions, answers, values, controls, verdict.

Knows the order of things and nothing of how each is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from engine.compare.judging import Judge, frozen, of_another_person, of_another_speech, spread
from engine.compare.questions import Exam, Extent, Question, drawn, make_exam, pictures
from engine.compare.readers import Reader, reader_for
from engine.compare.takes import Studio, Takes
from engine.compare.verdict import Values
from engine.load import Models
from engine.resolving import EMBEDDED_SIDE

_STRANGERS = 6
_SPOILT = {"speech": ("lip_sync", "mouth", "offset"), "frozen": ("motion",), "person": ("identity",)}


@dataclass(frozen=True)
class Examined:
    """A version's values, of each measure one for each question, and its answers."""

    values: dict[str, list[float | None]]
    takes: Takes


class Room:
    """Where versions are examined, all by the same questions. Mutable: it wears them."""

    def __init__(
        self, models: Models, extent: Extent, folder: Path, portraits: Sequence[Path], person: Sequence[Path], area: int
    ) -> None:
        """`person` are pictures of who should be seen, whatever the portraits show; empty: who the portrait shows."""
        self._reader: Reader = reader_for(embedded=models.layout.embedded)
        self._judge = Judge(self._reader, hears=models.layout.embedded)
        self._studio = Studio(models, area)
        self._exam = self._with_people(make_exam(extent, folder, portraits), person)
        self._strangers = self._others(folder, portraits) if models.layout.embedded else []

    def examine(self, stack: tuple[Path, ...], told: Callable[[float], None]) -> Examined:
        """The values of a stack of adapters; empty: of the base. Raises Refused for one that does not fit."""
        self._studio.wear(stack)
        takes = self._studio.answer(self._exam, told)
        rows = [self._judge.measure(answer) for answer in (*takes.same, *takes.new)]
        values: dict[str, list[float | None]] = {name: [row[name] for row in rows] for name in rows[0]}
        values["jitter"] = [*spread([self._judge.place(video) for video in takes.varied])]
        values["same_seed"] = [255 * float((video - takes.repeated[0]).abs().max()) for video in takes.repeated[1:]]
        return Examined(values, takes)

    def controls(self, examined: Examined) -> Values:
        """The values of a version's own videos, spoilt: another's speech, a face that stands still, another person."""
        answers = [*examined.takes.same, *examined.takes.new]
        spoilt = {"speech": of_another_speech(answers), "frozen": frozen(answers)}
        if self._strangers:
            spoilt["person"] = of_another_person(answers, self._strangers)
        found: dict[str, list[float | None]] = {}
        for kind, wrong in spoilt.items():
            rows = [self._judge.measure(answer) for answer in wrong]
            found |= {name: [row[name] for row in rows] for name in _SPOILT[kind]}
        return found

    def _with_people(self, exam: Exam, person: Sequence[Path]) -> Exam:
        """Each question with who should be seen in its video."""
        known: dict[Path, Tensor] = {}
        if person:
            seen = self._reader.person(pictures(person, self._studio.size(person[0])))
            known = {question.image: seen for question in (*exam.same, *exam.new)}
        for question in (*exam.same, *exam.new):
            if question.image not in known:
                shown = pictures([question.image], self._studio.size(question.image))
                known[question.image] = self._reader.person(shown)

        def told(question: Question) -> Question:
            return replace(question, person=known[question.image])

        return replace(exam, same=tuple(map(told, exam.same)), new=tuple(map(told, exam.new)))

    def _others(self, folder: Path, portraits: Sequence[Path]) -> list[Tensor]:
        """People who are in none of the videos."""
        asked = 0 if portraits else len({question.image for question in (*self._exam.same, *self._exam.new)})
        place = folder / "strangers"
        place.mkdir(exist_ok=True)
        return [
            self._reader.person(pictures([path], (EMBEDDED_SIDE, EMBEDDED_SIDE)))
            for path in drawn(place, asked + _STRANGERS)[asked:]
        ]
