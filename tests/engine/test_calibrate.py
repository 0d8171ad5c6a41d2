"""Calibration: the way of a frame on drawn models, what is counted of them, and what is kept.

The measurement of a card itself needs one; what it is made of runs here on the processor.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from engine import calibrate
from engine.checkpoint_layout import find_layout
from engine.drawn import DrawnModels
from engine.execution import Execution
from engine.memory import HOST, PRIOR, Mode, mode_of, plan_case
from engine.memory.calibration import constants_for
from engine.memory.fitting import Point
from engine.memory.ours import case_of
from engine.model.config import DiTConfig
from engine.model.vae import VaeConfig
from engine.probe import probe

SMALL = DiTConfig(
    dim=64,
    ffn_dim=128,
    num_heads=4,
    num_layers=3,
    audio_inject_layers=(0, 2),
    audio_dim=32,
    audio_layers=3,
    text_dim=32,
)


@pytest.fixture(scope="module")
def models() -> DrawnModels:
    vae = VaeConfig(dim=8, decoder_dim=8, mean=(0.0,) * 16, std=(1.0,) * 16)
    return DrawnModels(Execution(), SMALL, vae).cut(2)


def test_the_way_of_a_frame_is_walked_on_drawn_models(models: DrawnModels) -> None:
    case = calibrate._case(models, 64, 128, Mode(HOST, 4, offload=False))
    calibrate.generate_blocks(models, case)


def test_what_is_counted_are_the_very_models(models: DrawnModels) -> None:
    parts = calibrate._case(models, 64, 128, Mode(HOST, 4, offload=False)).parts
    assert parts.dit == sum(part.numel() for part in models.dit.state_dict().values())
    assert parts.vae == sum(part.numel() for part in models.vae.parameters())
    assert (parts.t5, parts.decoder_width, parts.patch) == (0, 8, 1)
    assert 0 < parts.dit_fp8 < parts.dit


def test_what_was_measured_is_kept_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    layout = find_layout("embedded")
    case = case_of(layout, 128, 128, 4, mode_of(layout, None, offload=False))
    taken = plan_case(case, PRIOR).peak(HOST).size + (30 << 20)
    monkeypatch.setattr(calibrate, "measure_host", lambda: iter([Point(case, taken)]))
    monkeypatch.setattr(calibrate, "_has_cuda", lambda: False)
    assert calibrate.main(["--json", "--dry-run"]) == 0
    assert constants_for(probe(), HOST) == PRIOR, "a dry run keeps nothing"
    assert calibrate.main([]) == 0
    assert constants_for(probe(), HOST).host_process == pytest.approx(PRIOR.host_process + (30 << 20), abs=2)
    report, _brace, table = capfd.readouterr().out.partition("\n}\n")
    (row,) = json.loads(report + "}")["rows"]
    assert row["error_before"] < -0.01 and abs(row["error"]) < 1e-3
    assert "128x128" in table and "-> " in table


@pytest.mark.slow
def test_the_embedded_avatar_takes_what_is_planned() -> None:
    for point in calibrate.measure_host():
        assert plan_case(point.case, PRIOR).peak(HOST).size == pytest.approx(point.reserved, rel=0.07)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no card")
def test_a_card_is_measured_and_fits() -> None:
    from engine.memory.fitting import fit_card

    assert fit_card(list(calibrate.measure_card("cuda:0"))).error < 0.03
