"""The memory plan: counted terms against the published table of the 14B model, peaks against their stages."""

from __future__ import annotations

import dataclasses

import pytest

from engine.memory import GIB, HOST, Mode, Parts, Stage, plan_memory
from engine.model.config import DiTConfig

PARTS_14B = Parts(dit=16_295_755_609, vae=126_892_531, t5=5_680_910_336, wav2vec=315_472_545)
CARD = Mode("cuda:0", 2, offload=False)


def sizes(height: int, width: int, steps: int = 4, mode: Mode = CARD) -> dict[str, float]:
    plan = plan_memory(DiTConfig(), PARTS_14B, height, width, steps, mode)
    return {term.name: term.size / GIB for term in plan.terms}


@pytest.mark.parametrize(
    ("height", "width", "rings", "condition"),
    [(384, 704, 38.672, 2.014), (640, 448, 41.016, 2.136), (512, 512, 37.5, 1.953)],
)
def test_caches_of_the_14b_model_are_those_of_the_table(
    height: int, width: int, rings: float, condition: float
) -> None:
    found = sizes(height, width)
    assert found["rings"] == pytest.approx(rings, abs=6e-4)
    assert found["condition cache"] == pytest.approx(5 * condition, abs=3e-3)
    assert found["text keys and values"] == pytest.approx(0.391, abs=6e-4)


def test_weights_of_the_14b_model_are_those_of_the_table() -> None:
    found = sizes(384, 704)
    assert found["video model"] == pytest.approx(30.353, abs=6e-4)
    assert found["text encoder"] == pytest.approx(10.582, abs=6e-4)
    assert found["VAE"] == pytest.approx(0.236, abs=6e-4)
    assert found["speech encoder"] == pytest.approx(0.588, abs=6e-4)


def test_rings_grow_with_the_steps() -> None:
    assert sizes(384, 704, steps=3)["rings"] == pytest.approx(sizes(384, 704)["rings"] * 3 / 4)


def test_offload_moves_the_text_encoder_off_the_card_while_it_generates() -> None:
    kept = plan_memory(DiTConfig(), PARTS_14B, 384, 704, 4, CARD)
    moved = plan_memory(DiTConfig(), PARTS_14B, 384, 704, 4, dataclasses.replace(CARD, offload=True))
    saved = kept.peak("cuda:0").size - moved.peak("cuda:0").size
    assert saved / GIB == pytest.approx(10.582, abs=6e-4)
    assert (moved.peak(HOST).size - kept.peak(HOST).size) / GIB == pytest.approx(10.582, abs=6e-4)
    assert "text encoder" in {term.name for term in moved.at("cuda:0", Stage.CONDITIONING)}


def test_the_peak_is_the_largest_stage_and_the_need_is_above_it() -> None:
    plan = plan_memory(DiTConfig(), PARTS_14B, 384, 704, 4, CARD)
    peak = plan.peak("cuda:0")
    assert peak.stage is Stage.GENERATING
    assert peak.size == sum(term.size for term in plan.at("cuda:0", Stage.GENERATING))
    assert plan.need("cuda:0") > peak.size
    assert plan.devices == ("cuda:0", HOST)
    listed = plan.at("cuda:0", Stage.GENERATING)
    assert [term.size for term in listed] == sorted((term.size for term in listed), reverse=True)


def test_a_run_on_the_host_has_one_device() -> None:
    plan = plan_memory(
        DiTConfig(dim=192, num_heads=6, num_layers=6, audio_inject_layers=(0,)),
        PARTS_14B,
        128,
        128,
        4,
        Mode(HOST, 4, False),
    )
    assert plan.devices == (HOST,)
