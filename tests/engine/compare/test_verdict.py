"""Verdicts from values: what is better, worse, equal, what abstains, and in what order versions come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compare.bootstrap import difference, interval
from engine.compare.outcome import Clip, Outcome
from engine.compare.ranking import ranked
from engine.compare.report import page
from engine.compare.verdict import judge, mirrored, scores

COUNT = 12


def around(mean: float, spread: float = 0.02, seed: int = 0) -> list[float | None]:
    return [float(value) for value in np.random.default_rng(seed).normal(mean, spread, COUNT)]


def values(**changes: list[float | None]) -> dict[str, list[float | None]]:
    usual = {
        "lip_sync": around(0.45),
        "mouth": around(0.8),
        "offset": [0.0] * COUNT,
        "motion": around(1.0),
        "identity": around(0.9, 0.01),
        "adherence": [1.0] * COUNT,
        "flicker": around(0.5),
        "drift": around(0.01, 0.001),
        "jitter": around(0.1, 0.01),
        "same_seed": [0.0] * COUNT,
    }
    return usual | changes


CONTROLS = {
    "lip_sync": around(0.1),
    "mouth": around(0.0),
    "offset": [8.0] * COUNT,
    "motion": [0.0] * COUNT,
    "identity": around(0.8, 0.01),
}


def test_a_version_is_no_better_than_itself() -> None:
    verdict = judge(values(), values(), CONTROLS)
    assert (verdict.word, verdict.passed) == ("equal", True)
    assert all(line.gain is None or line.gain == (0.0, 0.0, 0.0) for line in verdict.lines)


def test_more_likeness_and_the_same_lips_are_better() -> None:
    verdict = judge(values(identity=around(0.96, 0.01, 1)), values(), CONTROLS)
    assert (verdict.word, verdict.passed) == ("better", True)
    assert verdict.reasons[0].startswith("identity")
    other = mirrored(verdict)
    assert (other.word, other.passed) == ("worse", False)
    assert next(line for line in other.lines if line.name == "identity").gain[1] < 0  # type: ignore[index]


def test_likeness_does_not_pay_for_lips() -> None:
    verdict = judge(values(identity=around(0.99, 0.01, 1), lip_sync=around(0.3)), values(), CONTROLS)
    assert (verdict.word, verdict.passed) == ("worse", False)


def test_a_difference_that_does_not_matter_decides_nothing() -> None:
    slightly = [value + 0.01 for value in values()["lip_sync"]]  # type: ignore[operator]
    verdict = judge(values(lip_sync=slightly), values(), CONTROLS)
    assert verdict.word == "equal"


def test_a_frozen_face_fails_whatever_else_it_does() -> None:
    verdict = judge(values(motion=[0.0] * COUNT, identity=around(0.99, 0.01, 1)), values(), CONTROLS)
    assert (verdict.word, verdict.passed) == ("worse", False)
    assert "motion" in verdict.reasons[0]


def test_a_measure_that_cannot_tell_spoilt_videos_abstains() -> None:
    verdict = judge(values(identity=around(0.99, 0.01, 1)), values(), {**CONTROLS, "identity": around(0.9, 0.01, 2)})
    line = next(line for line in verdict.lines if line.name == "identity")
    assert line.word == "abstained"
    assert verdict.word == "equal"


def test_without_a_face_nobody_can_tell() -> None:
    nothing: dict[str, list[float | None]] = {name: [None] * COUNT for name in values()}
    verdict = judge(nothing, values(), CONTROLS)
    assert (verdict.word, verdict.passed) == ("abstained", False)
    assert all(score.value is None for score in scores(verdict))


def test_two_runs_that_differ_with_one_seed_fail() -> None:
    verdict = judge(values(same_seed=[1.0] * COUNT), values(), CONTROLS)
    assert not verdict.passed


def test_what_fails_comes_last_and_the_best_first() -> None:
    examined = {
        "worse": values(lip_sync=around(0.3)),
        "good": values(identity=around(0.93, 0.01, 1)),
        "best": values(identity=around(0.95, 0.01, 1), mouth=around(0.9)),
    }
    places = ranked(examined, {name: Path(name) for name in examined}, values(), CONTROLS)
    assert [place.name for place in places] == ["best", "good", "worse"]
    assert [place.passed for place in places] == [True, True, False]


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=30))
def test_an_interval_holds_its_mean(found: list[float]) -> None:
    told = interval(found)
    assert told.low <= told.mean + 1e-9
    assert told.mean <= told.high + 1e-9
    assert interval(found) == told


def test_pairs_tell_what_means_alone_do_not() -> None:
    hard = [float(10 * index) for index in range(COUNT)]
    slightly_better = [value + 1 for value in hard]
    assert difference(slightly_better, hard).low > 0
    assert not interval(slightly_better).above(interval(hard))


def test_differences_need_pairs() -> None:
    with pytest.raises(ValueError, match="zip"):
        difference([1.0], [1.0, 2.0])


def test_the_page_escapes_what_comes_from_outside() -> None:
    verdict = judge(values(), values(), CONTROLS)
    outcome = Outcome(
        first="<script>alert(1)</script>",
        second="b",
        base="embedded",
        word=verdict.word,
        passed=verdict.passed,
        reasons=verdict.reasons,
        lines=verdict.lines,
        clips=(Clip(title="<b>a person", first="1.mp4", second="2.mp4"),),
    )
    shown = page(outcome)
    assert "<script>" not in shown
    assert "<b>a person" not in shown
    assert shown.count("<video") == 2
    assert all(line.name in shown for line in outcome.lines)
