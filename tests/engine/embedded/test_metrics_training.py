"""The judges can be made again: their training runs, learns, and what it writes is read back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from engine.embedded import portrait_reader
from engine.embedded.corpus.identity import Identity
from engine.embedded.corpus.renderer import render
from engine.embedded.metrics import judges, probe, real_speech, sync
from engine.embedded.metrics.cases import recorded
from engine.embedded.metrics.sync import contrast
from lora_repository.finding import Problem
from tests.engine.embedded.tapes import recorded_tape

MOMENT = 0.002
"""Minutes: a step or two."""


def test_the_loop_learns() -> None:
    torch.manual_seed(0)
    net, x = nn.Linear(4, 1), torch.randn(64, 4)
    truth = x @ torch.tensor([[1.0], [-2.0], [3.0], [0.5]])
    told = list(judges.train(net, lambda: (net(x) - truth).square().mean(), 0.03, 0.05))
    assert told[-1][1] < 0.05 * told[0][1]


def coarse(who: Identity, moves: torch.Tensor, _size: int) -> torch.Tensor:
    return render(who, moves, 32)


def test_every_training_begins() -> None:
    torch.set_num_threads(1)
    assert isinstance(probe.train(MOMENT, "cpu", coarse), probe.Probe)
    assert isinstance(portrait_reader.train(MOMENT, "cpu", coarse), portrait_reader.PortraitReader)
    assert isinstance(sync.train(recorded_tape(), MOMENT, "cpu", coarse), sync.SyncJudge)


def test_the_right_moment_costs_less_than_a_wrong_one() -> None:
    judge = sync.load()

    case = recorded(real_speech.load())[1]
    video, audio = case.truth()[None, :48], torch.from_numpy(case.audio)[None, : 48 * 640]
    assert float(contrast(judge, video, audio)) < float(contrast(judge, video.roll(6, 1), audio)) - 1


def test_weights_are_read_back_and_missing_ones_say_how_to_make_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judges, "WEIGHTS", tmp_path)
    with pytest.raises(Problem, match="AVATAR010") as raised:
        probe.load()
    assert raised.value.finding.fix == "python -m engine.embedded.metrics.probe --train --minutes 3"
    made = probe.Probe()
    path = judges.save(made, "probe")
    assert path.stat().st_size < 400_000 and [entry.name for entry in tmp_path.iterdir()] == ["probe.safetensors"]
    frames = torch.rand(3, 3, 128, 128)
    with torch.no_grad():
        torch.testing.assert_close(probe.load()(frames), made(frames), atol=5e-3, rtol=0)
