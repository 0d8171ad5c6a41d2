"""Each measure on made-up cases where the answer is known, and on one where it must fail."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.embedded.corpus.identity import BACKGROUNDS, generator, sample
from engine.embedded.corpus.renderer import render
from engine.embedded.corpus.scene import rest
from engine.embedded.metrics import adherence, landmarks, lips, real_speech, report
from engine.embedded.metrics.identity import retrieval
from engine.embedded.metrics.probe import COLOURS, SHAPES, STATES, SWITCHES, Reading
from engine.embedded.metrics.sharpness import face_box, psnr, sharpness
from lora_repository.finding import Problem


def faces(count: int = 4) -> torch.Tensor:
    return render(sample(count, generator(6, held_out=True)), rest(count), 128)


def test_a_blurred_face_is_not_sharp_and_a_noisy_one_not_true() -> None:
    who, video = sample(4, generator(6, held_out=True)), faces()
    box = face_box(who.select(torch.tensor([0])), 128)
    soft = torch.nn.functional.avg_pool2d(video, 3, 1, 1)
    assert sharpness(video, video, box) == pytest.approx(1)
    assert sharpness(soft, video, box) < 0.35
    assert psnr(video, video) > 100
    assert psnr((video + 0.1).clamp(0, 2), video) == pytest.approx(20, abs=0.1)


def test_the_face_box_holds_the_face() -> None:
    who = sample(1, generator(6, held_out=True))
    rows, columns = face_box(who, 128)
    moved = rest(1)
    moved[0, 0] = 1
    changed = (render(who, moved, 128) - render(who, rest(1), 128)).abs().amax((0, 1)) > 0.02
    inside = torch.zeros(128, 128, dtype=torch.bool)
    inside[rows, columns] = True
    assert bool(changed.any()) and not bool((changed & ~inside).any())


def test_lag_and_amplitude() -> None:
    true = torch.sin(torch.arange(100) * 0.31) + torch.sin(torch.arange(100) * 0.11)
    late = torch.roll(true, 3) * 0.5 + 7
    assert lips.best_lag(late, true)[0] == 3
    assert lips.amplitude(late, true) == pytest.approx(0.5, abs=0.01)
    assert lips.correlation(true, true) == pytest.approx(1)
    assert lips.correlation(torch.zeros(100), true) == 0
    assert math.isnan(lips.mean([]))


def test_backgrounds_are_named_by_their_palette() -> None:
    for name, colour in BACKGROUNDS.items():
        video = torch.tensor(colour)[None, :, None, None].expand(3, 3, 32, 32) * 0.95
        assert adherence.background_name(video) == name


def reading(**states: float) -> Reading:
    values = torch.zeros(5, len(STATES))
    for name, value in states.items():
        values[:, STATES.index(name)] = value
    return Reading(values, torch.zeros(5, 3 * len(COLOURS)), torch.zeros(5, len(SHAPES) + len(SWITCHES)))


def test_the_strongest_feeling_is_named_and_a_weak_one_is_none() -> None:
    assert adherence.feeling(reading(smile=0.8)) == "smiling"
    assert adherence.feeling(reading(smile=-0.6, angry=0.9, sad=0.2)) == "angry"
    assert adherence.feeling(reading(surprise=0.2)) == "neutral"


def test_retrieval_finds_the_nearest_portrait_without_the_background() -> None:
    torch.manual_seed(0)
    portraits = Reading(torch.zeros(6, len(STATES)), torch.rand(6, 15), torch.rand(6, 10))
    still = torch.zeros(3, len(STATES))
    pairs = zip(portraits.colours, portraits.shapes, strict=True)
    videos = [Reading(still, colours.repeat(3, 1), shapes.repeat(3, 1)) for colours, shapes in pairs]
    for video in videos:
        video.colours[:, 12:] = 0  # another wall
    assert retrieval(videos, portraits) == 1
    assert retrieval([*videos[1:], videos[0]], portraits) == 0


def test_recordings_of_people_come_with_mouths() -> None:
    recordings = real_speech.load()
    assert len(recordings) == 10
    for recording in recordings:
        track = recording.track()
        assert recording.frames > 20 and len(track.mouth) == recording.frames
        assert 0.05 < float(track.mouth[:, 0].mean()) < 0.6
        assert np.abs(recording.audio).max() > 0.02
        assert max(segment.end for segment in recording.segments) <= len(recording.audio) / 16_000 + 0.1


def test_without_the_extra_landmarks_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmarks, "available", lambda: False)
    with pytest.raises(Problem, match="AVATAR011"):
        landmarks.lip_gap(faces())


@pytest.mark.skipif(not landmarks.available(), reason="the extra `evaluate` is not installed")
def test_landmarks_see_a_mouth_open() -> None:
    who, moves = sample(1, generator(6, held_out=True)).repeat(12), rest(12)
    moves[:, 0] = torch.linspace(0, 1, 12)
    gap, found = landmarks.lip_gap(render(who, moves, 128))
    assert found == 1
    assert lips.correlation(gap, moves[:, 0]) > 0.8


def test_the_report_is_a_table_and_a_sheet(tmp_path: Path) -> None:
    rows = {"model": {"mouth": 0.8, "mesh": float("nan")}, "true": {"mouth": 0.9, "mesh": float("nan")}}
    assert report.table(rows).splitlines() == ["| | mouth |", "|---|---|", "| model | 0.8 |", "| true | 0.9 |"]
    video = faces(4)
    strips = report.comparison(video[0], video, video[:3], columns=3)
    report.sheet([*strips, video[:1]], tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.size == (4 * 128, 3 * 128)
