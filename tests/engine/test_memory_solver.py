"""Verdicts on a true 14B checkpoint (a hole on the disk), what to change where it does not fit, and how fast it is."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from big_checkpoint import write_14b
from PIL import Image

from engine.checkpoint_layout import find_layout
from engine.memory import GIB, KNOWN_14B, count_parts
from engine.memory.fits import fits
from engine.memory.records import Measured, case_name
from engine.memory.solver import Solution, solve
from engine.probe import Card, Host, Machine
from engine.spec import Precision, Pristine, RunSpec
from lora_repository.finding import Problem


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_14b(tmp_path_factory.mktemp("base") / "Wan2.2-S2V-14B")


@pytest.fixture
def spec(base: Path, tmp_path: Path) -> RunSpec:
    Image.new("RGB", (1920, 1080)).save(tmp_path / "wide.png")
    return RunSpec(prompt="a person", image=str(tmp_path / "wide.png"), audio="speech.wav", ckpt_dir=str(base))


def machine(name: str = "NVIDIA H200", free: float = 139.0, capability: tuple[int, int] = (9, 0)) -> Machine:
    card = Card(0, name, "GPU-1", round(free * GIB), round(free * GIB), capability)
    return Machine(Host("here", 512 * GIB, 500 * GIB, None), (card,))


def answer(spec: RunSpec, where: Machine) -> Solution:
    return solve(spec, where, runs=[])


def keys(solution: Solution) -> list[str]:
    assert solution.smallest is not None
    return [change.key for change in solution.smallest]


def test_the_parts_of_the_14b_model_are_read_from_its_headers(base: Path) -> None:
    assert count_parts(find_layout(base)) == KNOWN_14B


def test_a_shard_that_was_cut_short_is_told(base: Path, tmp_path: Path) -> None:
    layout = find_layout(base)
    cut = tmp_path / layout.dit_files[1].name
    with layout.dit_files[1].open("rb") as whole:
        cut.write_bytes(whole.read(200_000))
    files = (layout.dit_files[0], cut, *layout.dit_files[2:])
    with pytest.raises(Problem) as refusal:
        count_parts(replace(layout, dit_files=files))
    assert refusal.value.finding.code == "RUN014" and "cut short" in refusal.value.finding.message


def test_a_verdict_needs_no_torch(spec: RunSpec, tmp_path: Path) -> None:
    from engine.spec import encode

    (tmp_path / "spec.json").write_bytes(encode(spec))
    code = (
        "import sys, pathlib\nfrom engine.spec import decode\nfrom engine.memory.fits import fits\n"
        f"fits(decode(pathlib.Path({str(tmp_path / 'spec.json')!r}).read_bytes()))\n"
        "assert 'torch' not in sys.modules and 'av' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_true_size_comes_from_the_portrait(spec: RunSpec, tmp_path: Path) -> None:
    wide = fits(spec, machine()).case
    Image.new("RGB", (2048, 2048)).save(tmp_path / "square.png")
    square = fits(msgspec.structs.replace(spec, image=str(tmp_path / "square.png")), machine()).case
    assert (wide.width, wide.height) == (704, 384)
    assert (square.width, square.height) == (512, 512)


def test_what_fits_needs_no_change(spec: RunSpec) -> None:
    solution = answer(spec, machine())
    assert solution.verdict.ok and solution.smallest == () and solution.changes == ()
    assert solution.spec == spec


def test_the_first_single_change_that_is_enough_is_named(spec: RunSpec) -> None:
    need = fits(spec, machine()).devices[0].need / GIB
    solution = answer(spec, machine(free=need - 5))
    assert not solution.verdict.ok
    assert keys(solution) == ["offload"]
    assert solution.cheapest is not None and solution.cheapest.flag == "--offload-model True"
    assert solution.cheapest.gives > KNOWN_14B.t5 * 2
    assert fits(solution.cheapest.spec, machine(free=need - 5)).ok


def test_each_change_alone_is_told_in_order_with_what_it_gives_and_costs(spec: RunSpec) -> None:
    solution = answer(msgspec.structs.replace(spec, pristine=Pristine.CARD), machine(free=60))
    assert [change.key for change in solution.changes] == ["offload", "pristine", "fp8", "passes", "fp8-cache", "size"]
    assert all(change.gives > 0 for change in solution.changes)
    by_key = {change.key: change for change in solution.changes}
    assert solution.pace is not None and not solution.pace.measured
    for key in ("fp8", "passes", "size"):
        pace = by_key[key].pace
        assert pace is not None and pace.fps > solution.pace.fps, "these make it faster"
    assert not any(change.fits for change in solution.changes) and solution.cheapest is None


def test_the_smallest_combination_fits_and_nothing_smaller_does(spec: RunSpec) -> None:
    where = machine("NVIDIA L40S", free=44.0, capability=(8, 9))
    solution = answer(spec, where)
    assert solution.smallest and solution.spec is not None
    assert fits(solution.spec, where).ok
    assert not any(change.fits for change in solution.changes)
    assert len(solution.smallest) >= 2


def test_a_card_without_fp8_is_not_told_to_use_it(spec: RunSpec) -> None:
    solution = answer(spec, machine("NVIDIA A100-SXM4-80GB", free=79.0, capability=(8, 0)))
    assert not solution.verdict.ok
    assert "fp8" not in {change.key for change in solution.changes}
    assert solution.spec is not None and solution.spec.precision is Precision.BF16


def test_where_nothing_helps_it_says_so(spec: RunSpec) -> None:
    solution = answer(spec, machine("NVIDIA T4", free=14.0, capability=(7, 5)))
    assert solution.smallest is None and solution.changes


def test_a_measured_run_outranks_the_table(spec: RunSpec) -> None:
    from engine.memory.calibration import key_of

    where = machine()
    case = fits(spec, where).case
    run = Measured(
        key=key_of(where, "cuda:0"), case=case_name(case), device="cuda:0", predicted={}, measured={}, fps=7.5
    )
    pace = solve(spec, where, [run]).pace
    assert pace is not None and pace.measured and pace.fps == 7.5 and pace.seconds(75) == 10
    smaller = solve(msgspec.structs.replace(spec, size="512*288"), where, [run]).pace
    assert smaller is not None and not smaller.measured
    assert answer(spec, machine("Unheard-of 1")).pace is None


def test_the_pace_of_an_h200_is_that_of_its_measured_kernels(spec: RunSpec) -> None:
    pace = answer(spec, machine()).pace
    assert pace is not None
    assert 12 / pace.fps == pytest.approx(4 * 0.175 + 0.09, rel=0.1)
