"""The plan of upstream's code against what was measured of it, and what follows for cards of every size."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from engine.memory import GIB, MIB, Case, Mode, plan_case
from engine.memory.ours import on
from engine.memory.plan import Stage
from engine.memory.sizes import KNOWN_14B, LITE, parts_of
from engine.memory.speed import expected_pace
from engine.memory.upstream import ACCURACY, CARD, Rank, UpstreamRun, decoding, plan_upstream
from engine.model.config import DiTConfig

A800 = UpstreamRun(512, 512, frames=80, offload_kv_cache=True)
DENOISER = UpstreamRun(fp8=True, offload_model=False, rank=Rank.DENOISER)
DECODER = UpstreamRun(fp8=True, offload_model=False, rank=Rank.DECODER)
USABLE = {"A800 80GB": 79.1 * GIB, "H100 80GB": 79.2 * GIB, "H200": 139.7 * GIB, "B200": 178.0 * GIB}
ALONE_24 = 22.15 * GIB
"""What the seed calls usable of a 24 GB card."""


@pytest.mark.parametrize(
    ("run", "gib"),
    [
        (UpstreamRun(), 72.6),  # bf16, eager
        (UpstreamRun(), 72.5),  # bf16, compiled
        (UpstreamRun(fp8=True), 57.7),  # fp8, eager and compiled
    ],
)
def test_what_an_h200_allocated(run: UpstreamRun, gib: float) -> None:
    assert plan_upstream(run).live_peak(CARD) / GIB == pytest.approx(gib, rel=0.07)


@pytest.mark.parametrize(("whole_clip", "gib"), [(False, 5.0), (True, 5.6)])
def test_what_its_decoder_allocated(whole_clip: bool, gib: float) -> None:
    assert sum(term.size for term in decoding(384, 704, whole_clip=whole_clip)) / GIB == pytest.approx(gib, rel=0.07)


@pytest.mark.parametrize(
    ("run", "held"),
    [
        (A800, 52_153 * MIB),  # one A800, ring offloaded, 80 frames, a square portrait
        (DENOISER, 47.6e9),  # five B200 in a pipeline, each of the four that denoise
        (DECODER, 38.8e9),  # and the one that decodes
    ],
)
def test_what_cards_in_the_field_held(run: UpstreamRun, held: float) -> None:
    assert plan_upstream(run).peak(CARD).size == pytest.approx(held, rel=ACCURACY)


@pytest.mark.parametrize(
    ("run", "card", "ran"),
    [
        (A800, "A800 80GB", True),
        (UpstreamRun(512, 512, offload_kv_cache=True, grown=3), "A800 80GB", True),  # slow, and it fitted
        (UpstreamRun(512, 512, grown=3), "A800 80GB", False),  # rings that grow with the clips
        (DENOISER, "B200", True),
        (DECODER, "B200", True),
        (UpstreamRun(), "H200", True),
        (UpstreamRun(fp8=True), "H200", True),
        (UpstreamRun(), "H100 80GB", True),  # as its authors say
    ],
)
def test_yes_and_no_as_it_went(run: UpstreamRun, card: str, ran: bool) -> None:
    assert (plan_upstream(run).need(CARD) <= USABLE[card]) == ran


@pytest.mark.parametrize("usable", [23.99, 31.5])
@pytest.mark.parametrize(
    "run", [DENOISER, UpstreamRun(fp8=True, offload_kv_cache=True), UpstreamRun(256, 384, fp8=True)]
)
def test_cards_of_24_and_32_gb_cannot_even_load_it(usable: float, run: UpstreamRun) -> None:
    assert plan_upstream(run).size(CARD, Stage.LOADING) > usable * GIB


# --- the seed's claims


def test_the_4_17_is_what_fsdp_gathers_whole() -> None:
    config, blocks = DiTConfig(), 14_055_772_160
    outside = KNOWN_14B.dit - blocks
    assert outside * 2 / GIB == pytest.approx(4.172, abs=5e-4)
    assert parts_of(config) == KNOWN_14B


def test_the_21_48_holds_the_4_17_already_so_their_sum_counts_it_twice() -> None:
    quarter = KNOWN_14B.dit * 2 / 4 / GIB
    plan = plan_upstream(DENOISER)
    ring = next(term.size for term in plan.terms if term.name == "rings") / GIB
    assert quarter + ring == pytest.approx(17.26, abs=0.01)
    assert quarter + ring + 4.172 == pytest.approx(21.48, rel=0.004)


def test_five_cards_of_24_gb_do_not_run_it() -> None:
    assert pytest.approx(25.65) == 21.48 + 4.17 and 25.65 * GIB > ALONE_24
    for rank in (Rank.DENOISER, Rank.DECODER):
        assert plan_upstream(UpstreamRun(fp8=True, rank=rank)).peak(CARD).size > ALONE_24
    ours = Case(DiTConfig(), KNOWN_14B, 384, 704, 4, Mode(CARD, 2, True, fp8=True, fp8_cache=True, cards=5))
    plan = plan_case(ours)
    assert len(plan.devices) == 6
    assert plan.need(CARD) > ALONE_24
    assert not {term.name for term in plan.terms if term.device == "cuda:4"} & {"rings", "activations"}


def test_one_card_of_80_gb_does() -> None:
    assert plan_upstream(UpstreamRun()).need(CARD) <= USABLE["H100 80GB"]
    assert plan_upstream(UpstreamRun(offload_model=False)).live_peak(CARD) > plan_upstream(UpstreamRun()).live_peak(
        CARD
    )


def test_offload_model_moves_the_text_encoder_and_not_the_rings() -> None:
    kept, moved = (plan_upstream(UpstreamRun(offload_model=flag)) for flag in (False, True))
    assert kept.live_peak(CARD) - moved.live_peak(CARD) == KNOWN_14B.t5 * 2
    assert moved.peak(CARD).size > ALONE_24 and moved.size(CARD, Stage.LOADING) > ALONE_24


def test_one_card_of_24_gb_runs_it_only_with_blocks_and_rings_on_the_host_and_slowly() -> None:
    whole = Case(DiTConfig(), KNOWN_14B, 384, 704, 3, Mode(CARD, 2, True, fp8=True, fp8_cache=True))
    assert plan_case(whole).need(CARD) > 24 * GIB
    away = on(whole, blocks_on_host=True, rings_on_host=True)
    plan = plan_case(away)
    assert plan.size(CARD, Stage.DECODING) < ALONE_24
    assert plan.need("cpu") > 20 * GIB
    fast, slow = expected_pace(whole, "RTX 4090"), expected_pace(away, "RTX 4090")
    assert fast is not None and slow is not None
    assert 0.2 < slow.fps / fast.fps < 1


def test_a_model_of_6_billion_would_fit_two_cards_of_24_gb() -> None:
    parts = parts_of(LITE)
    assert parts.dit == pytest.approx(6e9, rel=0.02)
    small = Case(LITE, parts, 384, 704, 4, Mode(CARD, 2, True, fp8=True, fp8_cache=True, cards=2))
    plan = plan_case(small)
    assert plan.devices == ("cuda:0", "cuda:1", "cpu")
    assert max(plan.size(device, Stage.DECODING) for device in ("cuda:0", "cuda:1")) < ALONE_24
    large = plan_case(on(small, fp8=False, fp8_cache=False))
    assert large.peak("cuda:1").size > ALONE_24, "in bf16 it does not"


def test_the_tables_of_the_page_are_those_of_the_plans() -> None:
    docs = Path(__file__).parents[2] / "docs"
    tables = runpy.run_path(str(docs / "memory_tables.py"))
    text = (docs / "memory.md").read_text(encoding="utf-8")
    assert tables["page"](text) == text, "write them again: python docs/memory_tables.py"
