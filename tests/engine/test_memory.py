"""The memory plan: counted terms against the published table of the 14B model, peaks against their stages."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.cache import ConditionCache, Ring, Shape, padded
from engine.checkpoint_layout import find_layout
from engine.fp8 import narrow
from engine.job_folder import read_journal
from engine.memory import (
    GIB,
    HOST,
    KNOWN_14B,
    Case,
    Mode,
    Stage,
    count_parts,
    mode_of,
    plan_case,
    plan_memory,
    plan_run,
)
from engine.memory.ours import model_bytes, ring_bytes
from engine.model.config import DiTConfig
from engine.model.dit import DiT
from engine.protocol import Memory, Plan
from engine.spec import Pristine, RunSpec, encode
from lora_repository.finding import Problem

CHECKPOINT = Path(__file__).parent / "goldens" / "ckpt_tiny"
PIPELINE = Path(__file__).parent / "goldens" / "pipeline"

CARD = Mode("cuda:0", 2, offload=False)


def sizes(height: int, width: int, steps: int = 4, mode: Mode = CARD) -> dict[str, float]:
    plan = plan_memory(DiTConfig(), KNOWN_14B, height, width, steps, mode)
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
    assert found["condition cache"] == pytest.approx(1.2 * condition, rel=0.03), "once, and the reference again by half"
    assert found["text keys and values"] == pytest.approx(0.391, abs=6e-4)


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize(("height", "width"), [(384, 704), (640, 448)])
def test_caches_are_the_very_storage_of_the_engine(height: int, width: int, narrow: bool) -> None:
    mode = dataclasses.replace(CARD, fp8_cache=narrow)
    case = Case(DiTConfig(), KNOWN_14B, height, width, 4, mode)
    shape, like = Shape(40, 1, 40, 128), torch.empty(0, dtype=torch.bfloat16, device="meta")
    ring = Ring(shape, padded(case.ring, 128), like, narrow=narrow)
    held = sum(tensor.nbytes for tensor in ring._storage)
    assert ring_bytes(case) == held
    cache = ConditionCache(shape, case.condition, case.tokens, like, 128)
    condition = cache.reference.nbytes + sum(part.key.nbytes + part.value.nbytes for part in cache.layers)
    plan = {term.name: term.size for term in plan_case(case).terms}
    assert plan["rings"] == 4 * held
    assert plan["condition cache"] == condition


@pytest.mark.parametrize("fp8", [False, True])
def test_the_video_model_is_the_very_storage_of_the_engine(fp8: bool) -> None:
    with torch.device("meta"):
        model = DiT(DiTConfig()).to(torch.bfloat16)
    if fp8:
        narrow(model.blocks)
        narrow(model.audio_injector)
    held = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
    assert model_bytes(KNOWN_14B, 2, fp8=fp8) == held


def test_weights_of_the_14b_model_are_those_of_the_table() -> None:
    found = sizes(384, 704)
    assert found["video model"] == pytest.approx(30.353, abs=6e-4)
    assert found["text encoder"] == pytest.approx(10.582, abs=6e-4)
    assert found["VAE"] == pytest.approx(0.236, abs=6e-4)
    assert found["speech encoder"] == pytest.approx(0.588, abs=6e-4)


def test_rings_grow_with_the_steps() -> None:
    assert sizes(384, 704, steps=3)["rings"] == pytest.approx(sizes(384, 704)["rings"] * 3 / 4)


def test_offload_lets_go_of_the_text_encoder_before_it_generates() -> None:
    kept = plan_memory(DiTConfig(), KNOWN_14B, 384, 704, 4, CARD)
    freed = plan_memory(DiTConfig(), KNOWN_14B, 384, 704, 4, dataclasses.replace(CARD, offload=True))
    saved = kept.peak("cuda:0").size - freed.peak("cuda:0").size
    assert saved / GIB == pytest.approx(10.582, rel=0.01)
    assert "text encoder" in {term.name for term in freed.at("cuda:0", Stage.CONDITIONING)}
    assert kept.peak(HOST) == freed.peak(HOST)


def test_the_peak_is_the_largest_stage_and_the_need_is_above_it() -> None:
    plan = plan_memory(DiTConfig(), KNOWN_14B, 384, 704, 4, CARD)
    peak = plan.peak("cuda:0")
    assert peak.stage is Stage.DECODING
    assert peak.size == sum(term.size for term in plan.at("cuda:0", Stage.DECODING))
    assert plan.need("cuda:0") > peak.size
    assert plan.devices == ("cuda:0", HOST)
    listed = plan.at("cuda:0", Stage.GENERATING)
    assert [term.size for term in listed] == sorted((term.size for term in listed), reverse=True)


@pytest.mark.parametrize(
    ("fp8", "cache", "passes", "gib"),
    [(True, False, 4, 62.8), (True, False, 3, 53.1), (True, True, 4, 44.0), (False, False, 4, 77.5)],
)
def test_what_an_h200_reserved_is_planned(fp8: bool, cache: bool, passes: int, gib: float) -> None:
    """Peaks of torch's reserved memory end to end, drawn weights, text encoder let go."""
    mode = Mode("cuda:0", 2, offload=True, fp8=fp8, fp8_cache=cache)
    plan = plan_memory(DiTConfig(), KNOWN_14B, 384, 704, passes, mode)
    assert plan.torch_peak("cuda:0") / GIB == pytest.approx(gib, rel=0.03)


def test_a_swap_beside_the_run_is_planned_for() -> None:
    plain = plan_memory(DiTConfig(), KNOWN_14B, 384, 704, 4, CARD)
    ready = plan_memory(DiTConfig(), KNOWN_14B, 384, 704, 4, dataclasses.replace(CARD, pristine=Pristine.HOST))
    assert ready.peak(HOST).size - plain.peak(HOST).size == KNOWN_14B.dit * 2
    assert ready.peak("cuda:0").size > plain.peak("cuda:0").size


def test_sizes_are_read_from_headers() -> None:
    parts = count_parts(find_layout(CHECKPOINT))
    assert (parts.decoder_width, parts.patch) == (8, 1)
    assert parts.dit == sum(t.numel() for t in load_file(CHECKPOINT / "diffusion_pytorch_model.safetensors").values())
    assert parts.vae == sum(t.numel() for t in torch.load(CHECKPOINT / "Wan2.1_VAE.pth", weights_only=True).values())


def test_a_file_that_is_no_vae_is_told(tmp_path: Path) -> None:
    layout = find_layout(CHECKPOINT)
    with pytest.raises(Problem) as refusal:
        count_parts(dataclasses.replace(layout, vae=layout.t5))
    assert refusal.value.finding.code == "RUN017"


def test_a_run_on_the_host_has_one_device() -> None:
    plan = plan_memory(
        DiTConfig(dim=192, num_heads=6, num_layers=6, audio_inject_layers=(0,)),
        KNOWN_14B,
        128,
        128,
        4,
        Mode(HOST, 4, False),
    )
    assert plan.devices == (HOST,)


def test_a_real_run_takes_what_was_planned(tmp_path: Path) -> None:
    spec = RunSpec(
        prompt="a person talks",
        image=str(PIPELINE / "ref_150x300.png"),
        audio=str(PIPELINE / "audio_4s3_16k.wav"),
        ckpt_dir=str(CHECKPOINT),
        size="128*64",
        num_clip=1,
        sample_steps=2,
        threads=1,
    )
    (tmp_path / "spec.json").write_bytes(encode(spec))
    command = [sys.executable, "-m", "engine.inference", "--spec", str(tmp_path / "spec.json")]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    events = read_journal(tmp_path / "events.jsonl").events
    last = [event for event in events if isinstance(event, Memory)][-1]
    (video,) = (event for event in events if isinstance(event, Plan))
    layout = find_layout(CHECKPOINT)
    plan = plan_run(layout, video.height, video.width, 2, mode_of(layout, None, offload=False))
    assert last.predicted == plan.peak(HOST).size
    assert 0.8 < last.predicted / last.peak < 1.4


def test_the_embedded_model_stays_on_the_host_and_others_take_the_card() -> None:
    layout = find_layout(CHECKPOINT)
    assert mode_of(layout, "cuda:0", offload=True) == Mode("cuda:0", 2, offload=True)
    assert mode_of(layout, None, offload=True) == Mode(HOST, 4, offload=True)
    embedded = dataclasses.replace(layout, embedded=True)
    assert mode_of(embedded, "cuda:0", offload=False).device == HOST
    plan = plan_run(embedded, 128, 128, 4, Mode(HOST, 4, offload=False))
    assert "portrait check" in {term.name for term in plan.at(HOST, Stage.CONDITIONING)}
