"""The evaluation on the shipped weights, a second of it: a user's way from case to scores, and adapters on and off."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.checkpoint_layout import find_layout
from engine.embedded.corpus.visemes import SAMPLES_PER_FRAME, Track
from engine.embedded.metrics import looks, probe, real_speech, sync
from engine.embedded.metrics.cases import Case, recorded
from engine.embedded.metrics.evaluate import Evaluation, Wardrobe, answer
from engine.embedded.metrics.scores import Judges
from engine.load import Models, load_models
from engine.spec import EMBEDDED

VERSIONS = Path(__file__).parents[3] / "ckpt" / "lora_repository"


@pytest.fixture(scope="module")
def models() -> Models:
    torch.set_num_threads(1)
    return load_models(find_layout(EMBEDDED), torch.device("cpu"), torch.float32)


def shortened(case: Case, frames: int) -> Case:
    track = Track(case.track.mouth[:frames], case.track.loudness[:frames], case.track.viseme[:frames])
    return replace(case, audio=case.audio[: frames * SAMPLES_PER_FRAME], track=track)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [shortened(case, 36) for case in recorded(real_speech.load())[:2]]


def test_an_evaluation_is_written_whole(models: Models, cases: list[Case], tmp_path: Path) -> None:
    run = Evaluation(models, Judges(probe.load(), sync.load(), mesh=False))
    run.group("people", cases)
    run.save(tmp_path)
    document = json.loads((tmp_path / "evaluation.json").read_text())
    told = document["summary"]
    assert told["people: true video"]["mouth"] > 0.9
    assert told["people: model"]["mouth"] > 0.5, "the lips follow a person's speech"
    assert told["people: model"]["right_person"] == 1
    assert told["people: model"]["mouth"] > told["people: against another's speech"]["mouth"] + 0.3
    assert "people: model" in (tmp_path / "evaluation.md").read_text()
    assert (tmp_path / "sheet.png").stat().st_size > 10_000


def test_an_adapter_shows_and_leaves_no_trace(models: Models, cases: list[Case]) -> None:
    judge, wardrobe = probe.load(), Wardrobe(models)
    before = {name: value.clone() for name, value in models.dit.state_dict().items()}
    plain = looks.look([judge.read(video := answer(models, cases[0]))], [video])
    wardrobe.wear(VERSIONS / "v1.0_product_demo")
    wardrobe.wear(VERSIONS / "v2.1_customer_service")
    dressed = looks.look([judge.read(video := answer(models, cases[0]))], [video])
    assert dressed["smile"] > plain["smile"] + 0.4
    assert min(dressed[f"wall_{hue}"] for hue in ("red", "green", "blue")) > 0.75
    wardrobe.wear(None)
    for name, value in models.dit.state_dict().items():
        assert torch.equal(value, before[name]), name
