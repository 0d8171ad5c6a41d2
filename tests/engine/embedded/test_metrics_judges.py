"""The judges on videos whose truth is known: the true video passes, every control fails."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch

from engine.embedded.corpus import prompts
from engine.embedded.corpus.dynamics import EMOTIONS
from engine.embedded.corpus.renderer import render
from engine.embedded.corpus.scene import rest
from engine.embedded.metrics import adherence, lips, probe, real_speech, sync
from engine.embedded.metrics.cases import SIZE, Case, people, recorded
from engine.embedded.metrics.identity import retrieval
from engine.embedded.metrics.scores import Judges, judge, summary


@pytest.fixture(scope="module")
def judges() -> Judges:
    return Judges(probe.load(), sync.load(), mesh=False)


@pytest.fixture(scope="module")
def case() -> Case:
    return recorded(real_speech.load())[0]


@pytest.fixture(scope="module")
def truth(case: Case) -> torch.Tensor:
    return case.truth()


def test_the_true_video_passes(judges: Judges, case: Case, truth: torch.Tensor) -> None:
    score = judge(case, truth, judges, truth)
    assert score.mouth > 0.85 and score.lag == 0
    assert score.sharpness == pytest.approx(1) and score.feeling == "neutral"
    assert abs(score.offset) <= 1 and score.lse_c > 0.15


def test_shut_lips_and_a_late_mouth_are_seen(judges: Judges, case: Case, truth: torch.Tensor) -> None:
    frozen = judge(case, case.frozen(), judges, truth)
    assert frozen.mouth < 0.3 and frozen.amplitude < 0.25
    assert frozen.lse_c < 0.5 * judge(case, truth, judges, truth).lse_c
    late = judge(case, torch.roll(truth, 4, 0), judges, truth)
    assert late.lag == 4 and -5 <= late.offset <= -3


def test_another_speech_does_not_fit(judges: Judges, truth: torch.Tensor, case: Case) -> None:
    other = recorded(real_speech.load())[3]
    swapped = replace(case, audio=other.audio, track=other.track)
    score = judge(swapped, truth, judges, truth)
    assert abs(score.mouth) < 0.4


def test_people_and_feelings_are_told_apart(judges: Judges) -> None:
    crowd = people(20)
    portraits = judges.probe.read(torch.cat([render(who, rest(1), SIZE) for who in crowd]))
    moves = rest(20)
    moves[:, 0] = torch.linspace(0, 1, 20)
    videos = [judges.probe.read(render(who, moves[i : i + 1], SIZE)) for i, who in enumerate(crowd)]
    assert retrieval(videos, portraits) >= 0.95
    told = 0
    for i, who in enumerate(crowd):
        said = prompts.sample(random.Random(i), emotion=EMOTIONS[i % 5])
        case = replace(recorded(real_speech.load()[5:6])[0], sitter=who, prompt=said)
        told += adherence.feeling(judges.probe.read(case.truth()[::8])) == EMOTIONS[i % 5]
    assert told >= 18


def test_a_summary_counts(judges: Judges, case: Case, truth: torch.Tensor) -> None:
    score = judge(case, truth, judges, truth)
    told = summary([score], judges.probe.read(case.portrait()[None]))
    assert told["right_person"] == 1 and told["offset_0"] == 1 and told["mouth"] == pytest.approx(score.mouth)
    assert lips.mean([1.0, 0.0]) == 0.5
