"""What an out-of-memory error was about, from its own words and the run's shapes."""

from __future__ import annotations

from pathlib import Path

import pytest
from big_checkpoint import write_14b
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine import codes
from engine.failure import Scene, classify
from engine.memory import GIB, KNOWN_14B, MIB, Case, Mode
from engine.memory.autopsy import Cause, autopsy, read_error, tensors
from engine.memory.explain import explained
from engine.model.config import DiTConfig
from engine.probe import Card, Host, Machine
from engine.protocol import Phase
from engine.spec import RunSpec, encode

SQUARE = Case(DiTConfig(), KNOWN_14B, 512, 512, 4, Mode("cuda:0", 2, True))
WIDE = Case(DiTConfig(), KNOWN_14B, 384, 704, 4, Mode("cuda:0", 2, True))


def error(asked: str, free: str = "245.00 MiB", kept: str = "8.00 MiB", other: str = "") -> str:
    return (
        f"CUDA out of memory. Tried to allocate {asked}. GPU 0 has a total capacity of 79.35 GiB of which {free} is "
        f"free. {other}Including non-PyTorch memory, this process has 78.90 GiB memory in use. Of the allocated memory "
        f"78.20 GiB is allocated by PyTorch, and {kept} is reserved by PyTorch but unallocated. See documentation for "
        "Memory Management (https://pytorch.org/docs/stable/notes/cuda.html)"
    )


def test_the_360_mib_are_a_ring_that_grew_with_three_clips() -> None:
    told = read_error(error("360.00 MiB"))
    assert told is not None and told.asked == 360 * MIB
    found = autopsy(told, SQUARE)
    assert found.cause is Cause.GROWN and found.times == 3
    assert found.tensor is not None and found.tensor.size == 120 * MIB
    assert "ring" in found.tensor.name and "one layer" in found.tensor.name


def test_the_picture_decides_what_a_size_means() -> None:
    told = read_error(error("360.00 MiB"))
    assert told is not None
    found = autopsy(told, WIDE)
    assert found.cause is not Cause.GROWN, "123.75 MiB a layer: three clips would be 371.25"


@pytest.mark.parametrize("case", [SQUARE, WIDE])
def test_every_tensor_is_known_by_its_size_alone(case: Case) -> None:
    for tensor in tensors(case):
        rounded = -(-tensor.size // (2 * MIB)) * 2
        told = read_error(error(f"{rounded:.2f} MiB"))
        assert told is not None
        found = autopsy(told, case)
        assert found.times == 1 and found.tensor is not None
        assert abs(found.tensor.size - tensor.size) < 2 * MIB


def test_room_in_pieces_is_fragmentation() -> None:
    told = read_error(error("124.00 MiB", kept="9.10 GiB"))
    assert told is not None and autopsy(told, WIDE).cause is Cause.FRAGMENTED


def test_other_processes_are_named() -> None:
    told = read_error(error("124.00 MiB", free="12.00 MiB", other="Process 4711 has 30.25 GiB memory in use. "))
    assert told is not None
    assert told.others == ((4711, round(30.25 * 1024 * MIB)),)
    assert autopsy(told, WIDE).cause is Cause.TENANTS


def test_what_fits_no_tensor_is_not_guessed() -> None:
    told = read_error(error("333.00 MiB"))
    assert told is not None
    found = autopsy(told, WIDE)
    assert found.tensor is None and found.cause is Cause.TOO_LARGE


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    told = read_error("Tried to allocate 5.00 GiB " + text)
    assert told is not None and told.asked == 5 << 30
    read_error(text)


# --- in words, from the engine's failure path


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A 14B run with a square portrait that asks for too much of a card."""
    Image.new("RGB", (1024, 1024)).save(tmp_path / "square.png")
    base = write_14b(tmp_path / "base")
    spec = RunSpec(prompt="p", image=str(tmp_path / "square.png"), audio="s.wav", ckpt_dir=str(base), num_clip=3)
    (tmp_path / "spec.json").write_bytes(encode(spec))
    return Scene(Phase.GENERATING, tmp_path, tmp_path / "engine.log")


class OutOfMemoryError(RuntimeError):
    """Torch raises a class of this name; its kind is told by its name so that torch need not be imported."""


OutOfMemoryError.__module__ = "torch"


def test_the_failure_of_a_run_names_tensor_and_cause(scene: Scene) -> None:
    found = classify(OutOfMemoryError(error("360.00 MiB")), scene)
    assert found.code == "RUN040"
    assert "asked for 360.00 MiB" in found.message
    assert "3 times 120.0 MiB" in found.message and "grown with the number of clips" in found.message


def test_the_fix_is_what_would_have_fitted(scene: Scene) -> None:
    card = Card(0, "NVIDIA H100 80GB HBM3", "GPU-1", 80 * GIB, GIB // 4, (9, 0))
    machine = Machine(Host("here", 512 * GIB, 500 * GIB, None), (card,))
    plain = codes.OUT_OF_MEMORY.finding(device="GPU 0", asker="x", asked="4800.00 MiB", free="245.00 MiB")
    told = explained(plain, error("4800.00 MiB"), scene.folder / "spec.json", machine)
    assert "keys or values of one ring, all layers" in told.message
    assert told.fix != plain.fix and told.fix.startswith("--"), "the run's own 79 GiB count as free"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (error("124.00 MiB", kept="9.10 GiB"), "expandable_segments"),
        (error("124.00 MiB", free="1.00 MiB", other="Process 4711 has 30.25 GiB memory in use. "), "kill 4711"),
    ],
)
def test_the_fix_fits_the_cause(scene: Scene, text: str, word: str) -> None:
    assert word in classify(OutOfMemoryError(text), scene).fix


def test_without_a_readable_spec_the_error_is_told_as_it_is(tmp_path: Path) -> None:
    found = classify(OutOfMemoryError(error("360.00 MiB")), Scene(Phase.LOADING, tmp_path, tmp_path / "log"))
    assert found.code == "RUN040" and "times" not in found.message
