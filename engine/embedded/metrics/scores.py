"""One video against its case, in numbers; many of them in one line. Knows no model and no file."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import torch
from torch import Tensor

from engine.embedded.corpus.prompts import UNSAID
from engine.embedded.metrics import adherence, landmarks, lips
from engine.embedded.metrics.cases import Case
from engine.embedded.metrics.identity import drift, retrieval
from engine.embedded.metrics.probe import Probe, Reading
from engine.embedded.metrics.sharpness import face_box, psnr, sharpness
from engine.embedded.metrics.sync import SyncJudge


@dataclass(frozen=True)
class Judges:
    """The networks that judge; `mesh`: ask MediaPipe too."""

    probe: Probe
    sync: SyncJudge
    mesh: bool


@dataclass(frozen=True)
class Score:
    """What is measured of one video. Correlations are with the true opening of the mouth; see each measure's module."""

    name: str
    mouth: float
    lag: int
    amplitude: float
    mean_opening: float
    mesh_mouth: float
    mesh_found: float
    lse_d: float
    lse_c: float
    offset: int
    psnr: float
    sharpness: float
    feeling: str
    feeling_ok: bool
    background: str
    background_ok: bool | None
    drift: float
    reading: Reading


def judge(case: Case, video: Tensor, judges: Judges, truth: Tensor | None = None) -> Score:
    """Measure `video` [T, 3, 128, 128] in 0..1; frames beyond the case's are not looked at."""
    true = case.truth() if truth is None else truth
    frames = min(len(video), case.frames)
    video, true, opening = video[:frames], true[:frames], case.opening[:frames]
    reading = judges.probe.read(video)
    measured = reading.state("open")
    lag, _best = lips.best_lag(measured, opening)
    gap, found = landmarks.lip_gap(video) if judges.mesh else (torch.zeros(frames), float("nan"))
    sync = judges.sync.score(video, torch.from_numpy(case.audio))
    asked = case.prompt.attributes
    feeling, place = adherence.feeling(reading), adherence.background_name(video)
    return Score(
        name=case.name,
        mouth=lips.correlation(measured, opening),
        lag=lag,
        amplitude=lips.amplitude(measured, opening),
        mean_opening=float(measured.mean()),
        mesh_mouth=lips.correlation(gap, opening) if judges.mesh else float("nan"),
        mesh_found=found,
        lse_d=sync.distance,
        lse_c=sync.confidence,
        offset=sync.offset,
        psnr=psnr(video, true),
        sharpness=sharpness(video, true, face_box(case.sitter, video.shape[-1])),
        feeling=feeling,
        feeling_ok=feeling == asked["emotion"],
        background=place,
        background_ok=None if asked["background"] == UNSAID else place == asked["background"],
        drift=drift(reading)[-1],
        reading=reading,
    )


_MEANS: Final = (
    *("mouth", "amplitude", "mean_opening", "mesh_mouth", "mesh_found", "lse_d", "lse_c", "psnr", "sharpness"),
    "drift",
)


def summary(scores: list[Score], portraits: Reading) -> dict[str, float]:
    """Means over cases, shares of right answers, and how many portraits are found again among all."""
    told = {name: lips.mean([getattr(score, name) for score in scores]) for name in _MEANS}
    told["mouth_least"] = min(score.mouth for score in scores)
    told["lag_0"] = lips.mean([float(abs(score.lag) <= 1) for score in scores])
    told["offset_0"] = lips.mean([float(abs(score.offset) <= 1) for score in scores])
    told["right_person"] = retrieval([score.reading for score in scores], portraits)
    told["feeling_ok"] = lips.mean([float(score.feeling_ok) for score in scores])
    named = [float(score.background_ok) for score in scores if score.background_ok is not None]
    told["background_ok"] = lips.mean(named)
    return told


def plain(score: Score) -> dict[str, object]:
    """For JSON: without the reading."""
    return {field.name: getattr(score, field.name) for field in fields(score) if field.name != "reading"}
