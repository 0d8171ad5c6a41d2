"""Predicted against measured, kept from run to run; constants that belong to one machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.memory import GIB, HOST, KNOWN_14B, PRIOR, Case, Mode, Stage, plan_case
from engine.memory.calibration import Fitted, constants_for, key_of, store, stored
from engine.memory.fitting import Point, compare, fit_card, fit_host
from engine.memory.noting import MemoryNotes
from engine.memory.records import Measured, difference_rows, last, note, recent
from engine.model.config import DiTConfig
from engine.probe import Card, Host, Machine
from engine.protocol import Finished, Memory

CARD = Card(0, "NVIDIA H200", "GPU-1", 140 * GIB, 139 * GIB, (9, 0))
MACHINE = Machine(Host("here", 64 * GIB, 60 * GIB, None), (CARD,), driver="580.1")


def run(key: str, predicted: int = 103, measured: int = 100) -> Measured:
    return Measured(
        key=key,
        case="c",
        device="cuda:0",
        predicted={"loading": 50, "decoding": predicted},
        measured={"loading": 49, "decoding": measured},
    )


def test_runs_are_added_and_the_last_of_a_card_is_found(tmp_path: Path) -> None:
    file = tmp_path / "state/measured.jsonl"
    assert recent(file) == []
    for one in (run("a"), run("b", 90), run("a", 110)):
        note(one, file)
    found = last(recent(file), "a", "c")
    assert found is not None and found.error == pytest.approx(0.10)
    assert difference_rows(found) == [("loading", 50, 49, 1), ("decoding", 110, 100, 10)]
    assert last(recent(file), "c", "c") is None and last(recent(file), "a", "d") is None


def test_a_torn_line_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "measured.jsonl"
    note(run("a"), file)
    with file.open("ab") as opened:
        opened.write(b'{"key": "a", "ca')
    note(run("b"), file)
    assert [one.key for one in recent(file)] == ["a", "b"]


def test_constants_belong_to_card_driver_torch_and_engine(tmp_path: Path) -> None:
    file = tmp_path / "state/calibration.json"
    assert constants_for(MACHINE, "cuda:0", file) == PRIOR
    store(file, key_of(MACHINE, "cuda:0"), Fitted(context=500 << 20, scale=1.1))
    store(file, key_of(MACHINE, HOST), Fitted(host_process=1 << 20))
    found = constants_for(MACHINE, "cuda:0", file)
    assert (found.context, found.scale, found.calibrated) == (500 << 20, 1.1, True)
    assert found.margin < PRIOR.margin and found.activations == PRIOR.activations
    assert constants_for(MACHINE, HOST, file).host_process == 1 << 20
    assert constants_for(replace(MACHINE, driver="999"), "cuda:0", file) == PRIOR
    assert len(stored(file)) == 2


@given(st.binary(max_size=60))
def test_a_damaged_file_counts_as_none(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("state") / "calibration.json"
    file.write_bytes(content)
    assert constants_for(MACHINE, "cuda:0", file) == PRIOR


# --- fitting

WITHOUT_TEXT = replace(KNOWN_14B, dit=2_500_000_000, dit_fp8=1_600_000_000, t5=0)
"""Four blocks, as calibration draws them."""


def points(scale: float, extra: int, context: int) -> list[Point]:
    """Readings of a card whose work takes `scale` times what is expected, and `extra` bytes that nobody knows of."""
    truth = replace(PRIOR, scale=scale, extra=extra)
    found = []
    for fp8 in (False, True):
        mode = Mode("cuda:0", 2, offload=False, fp8=fp8, fp8_cache=fp8)
        for height, width in ((384, 704), (640, 448), (256, 256)):
            case = Case(
                replace(DiTConfig(), num_layers=4, audio_inject_layers=(0,)), WITHOUT_TEXT, height, width, 4, mode
            )
            found.append(Point(case, plan_case(case, truth).torch_size("cuda:0", Stage.DECODING), context))
    return found


def test_a_fit_finds_what_a_card_takes() -> None:
    fitted = fit_card(points(0.7, 300 << 20, 900 << 20))
    assert fitted.scale == pytest.approx(0.7, rel=0.05)
    assert fitted.extra == pytest.approx(300 << 20, rel=0.25)
    assert fitted.context == (900 << 20) - PRIOR.libraries
    assert fitted.error < 0.005


@given(st.floats(0.2, 3.0), st.integers(0, 2 << 30))
def test_a_fit_is_never_worse_than_no_fit(scale: float, extra: int) -> None:
    measured = points(scale, extra, 0)
    fitted = fit_card(measured)
    assert fitted.scale is not None and fitted.scale > 0 and (fitted.extra or 0) >= 0
    worst = max(abs(one.error) for one in compare(measured, PRIOR))
    assert fitted.error <= worst + 1e-3 or fitted.error < 0.02


def test_a_host_is_fitted_by_what_its_process_takes() -> None:
    case = Case(
        DiTConfig(dim=64, num_heads=4, num_layers=2, audio_inject_layers=(0,)),
        KNOWN_14B,
        128,
        128,
        2,
        Mode(HOST, 4, False),
    )
    plain = plan_case(case, PRIOR).peak(HOST).size
    fitted = fit_host([Point(case, plain + (50 << 20)), Point(case, plain + (52 << 20))])
    assert fitted.host_process == pytest.approx(PRIOR.host_process + (51 << 20), abs=1 << 20)
    assert fitted.error < 0.001


def test_stages_of_a_run_are_held_against_the_plan() -> None:
    case = Case(DiTConfig(), KNOWN_14B, 384, 704, 4, Mode("cuda:0", 2, offload=True))
    plan = plan_case(case)
    notes = MemoryNotes()
    notes.saw(Stage.LOADING, [Memory(device="cuda:0", used=1, peak=40 * GIB)])
    notes.saw(Stage.DECODING, [Memory(device="cuda:0", used=1, peak=70 * GIB), Memory(device="cpu", used=1, peak=GIB)])
    finished = Finished(output="o", frames=48, seconds=4.0, fps=12.0, first_frame_s=1.0)
    card, host = notes.measured(plan, case, finished, "job-1")
    assert (card.device, card.fps, card.frames, card.job) == ("cuda:0", 12.0, 48, "job-1")
    assert (
        card.predicted["decoding"] == plan.torch_peak("cuda:0") and host.predicted["decoding"] == plan.peak(HOST).size
    )
    rows = difference_rows(card)
    assert [row[0] for row in rows] == ["loading", "decoding"]
    assert rows[1][3] == plan.torch_peak("cuda:0") - 70 * GIB
