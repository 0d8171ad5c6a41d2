"""Predicted against measured, kept from run to run; constants that belong to one machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.memory import GIB, HOST, PRIOR
from engine.memory.calibration import Fitted, constants_for, key_of, store, stored
from engine.memory.records import Measured, difference_rows, last, note, recent
from engine.probe import Card, Host, Machine

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
    found = last(recent(file), "a")
    assert found is not None and found.error == pytest.approx(0.10)
    assert difference_rows(found) == [("loading", 50, 49, 1), ("decoding", 110, 100, 10)]
    assert last(recent(file), "c") is None


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
