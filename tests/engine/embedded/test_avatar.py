"""The avatar that ships: loaded as a user's run loads it, it says what it hears."""

from __future__ import annotations

import pytest
import torch

from engine.checkpoint_layout import find_layout
from engine.embedded.metrics import lips, probe, real_speech
from engine.embedded.metrics.cases import recorded
from engine.embedded.metrics.evaluate import answer, round_trip
from engine.embedded.metrics.sharpness import face_box, psnr, sharpness
from engine.load import Models, load_models
from engine.weights import Weights


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models(find_layout("embedded"), torch.device("cpu"), torch.float32)


def test_the_lips_follow_a_recording_of_a_person_and_not_another(models: Models) -> None:
    case, other = sorted(recorded(real_speech.load()), key=lambda case: case.frames)[:2]
    video = answer(models, case)
    with torch.no_grad():
        seen = probe.load().read(video).state("open")
    assert len(video) == -(-case.frames // 12) * 12
    assert lips.correlation(seen, case.opening) > 0.5
    assert lips.correlation(seen, other.opening) < 0.4


def test_faces_are_true_and_sharp(models: Models) -> None:
    case = min(recorded(real_speech.load()), key=lambda case: case.frames)
    true = case.truth()[:25]
    drawn = round_trip(models, true)
    box = face_box(case.sitter, true.shape[-1])
    assert psnr(drawn, true) > 31
    assert sharpness(drawn, true, box) > 0.7


def test_matrices_stored_in_a_byte_are_read_with_their_scale() -> None:
    weights = Weights(find_layout("embedded").dit_files)
    matrix = weights["blocks.0.ffn.0.weight"]
    assert not any(name.endswith("_scale") for name in weights)
    assert matrix.dtype == torch.float32
    rows = matrix / matrix.abs().amax(1, keepdim=True) * 127
    assert torch.allclose(rows, rows.round(), atol=1e-3)


def test_everything_that_ships_of_the_avatar_is_at_most_16_megabytes() -> None:
    folder = find_layout("embedded").root
    shipped = [*folder.rglob("*"), *folder.parent.glob("*.safetensors")]
    assert sum(path.stat().st_size for path in shipped if path.is_file()) <= 16_000_000
