"""Measures of true videos, and of the same spoilt: every one sees the difference, with intervals that do not touch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.compare.bootstrap import Interval, interval
from engine.compare.judging import (
    Answer,
    Judge,
    drift,
    flicker,
    frozen,
    of_another_person,
    of_another_speech,
    spread,
    told,
)
from engine.compare.questions import Extent, Question, make_exam
from engine.compare.readers import AvatarReader
from engine.embedded.metrics import real_speech
from engine.embedded.metrics.cases import recorded


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(AvatarReader(), hears=True)


@pytest.fixture(scope="module")
def answers() -> list[Answer]:
    """True videos of people and voices that nothing was trained on."""
    reader = AvatarReader()
    made = []
    for case in recorded([one for one in real_speech.load() if 45 < one.frames < 90]):
        person = reader.person(case.portrait()[None])
        question = Question(case.name, Path(), Path(), case.prompt.text, case.audio, case.opening, person)
        made.append(Answer(question, case.truth()))
    return made


def means(judge: Judge, answers: list[Answer]) -> dict[str, Interval]:
    rows = [judge.measure(answer) for answer in answers]
    return {name: interval(told([row[name] for row in rows])) for name in rows[0] if rows[0][name] is not None}


def test_every_measure_tells_right_from_spoilt(judge: Judge, answers: list[Answer]) -> None:
    right = means(judge, answers)
    people = [answer.question.person for answer in answers]
    wrong_speech = means(judge, of_another_speech(answers))
    still = means(judge, frozen(answers))
    wrong_person = means(judge, of_another_person(answers, [*people[1:], *people[:1]]))  # type: ignore[list-item]
    for name in ("lip_sync", "mouth"):
        assert right[name].above(wrong_speech[name]), name
    assert wrong_speech["offset"].above(right["offset"])
    for name in ("motion", "mouth"):
        assert right[name].above(still[name]), name
    assert right["identity"].above(wrong_person["identity"])


def test_silence_is_not_judged(judge: Judge, answers: list[Answer]) -> None:
    from dataclasses import replace

    question = replace(answers[0].question, audio=answers[0].question.audio * 0)
    row = judge.measure(Answer(question, answers[0].video))
    assert {name for name, value in row.items() if value is None} >= {"lip_sync", "mouth", "offset", "motion"}
    assert row["identity"] is not None


def test_runs_that_are_the_same_have_no_spread() -> None:
    place = torch.randn(20, 2)
    assert spread([place] * 10) == [0.0] * 19
    assert max(spread([place, place + torch.randn(20, 2)])) > 0


def test_a_wall_that_flickers_is_seen() -> None:
    still = torch.full((40, 3, 64, 64), 0.5)
    restless = still.clone()
    restless[::2] += 0.05
    assert flicker(still) == 0
    assert flicker(restless) > 10


def test_a_face_that_changes_drifts() -> None:
    person = torch.zeros(100, 4)
    assert drift(person) == 0
    person[75:] = 1
    assert drift(person) == 1


def test_the_exam_is_the_same_every_time(tmp_path: Path) -> None:
    extent = Extent(speeches=3, prompts=4, runs=2, seconds=2.0)
    first, second = make_exam(extent, tmp_path), make_exam(extent, tmp_path)
    assert [question.prompt for question in first.new] == [question.prompt for question in second.new]
    assert len({question.sound for question in first.same}) == 3
    assert all(question.image.exists() and question.sound.exists() for question in (*first.same, *first.new))
    assert len({question.image for question in first.same}) == 1
    assert first.same[0].frames == first.same[0].blocks * 12
