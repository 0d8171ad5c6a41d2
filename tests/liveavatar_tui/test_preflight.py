"""Preflight: each check fails for its own true reason on real files, and is silent on a good run."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from PIL import Image
from world import adapter, write_tensors

from engine.checkpoint_layout import find_layout
from engine.probe import Card, Host, Machine
from engine.resolving import base_tables
from engine.spec import RunSpec
from liveavatar_tui.launch import compose_spec
from liveavatar_tui.preflight import Report, preflight
from liveavatar_tui.settings import Settings, load_settings
from lora_repository.finding import Severity

CHECKPOINT = Path(__file__).parents[1] / "engine" / "goldens" / "ckpt_tiny"
GIB = 1 << 30
ROOMY = Machine(Host("here", 16 * GIB, 12 * GIB, None), ())


def write_speech(path: Path, seconds: float) -> Path:
    """A tone of 220 Hz."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        values = (round(9000 * math.sin(2 * math.pi * 220 * i / 16_000)) for i in range(round(16_000 * seconds)))
        file.writeframes(b"".join(value.to_bytes(2, "little", signed=True) for value in values))
    return path


def write_version(folder: Path, *, rank: int = 4) -> Path:
    dit, _t5 = base_tables(find_layout(CHECKPOINT))
    linears = {name: dit.modules[name] for name in dit.covered_by("attn")}
    write_tensors(folder / "dmd_lora.safetensors", adapter(linears, rank))
    config = {"r": 4, "lora_alpha": 16, "target_modules": ["attn"], "dmd_rank": 4}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    write_version(tmp_path / "lora/v1.0_demo")
    Image.new("RGB", (192, 128), "olive").save(tmp_path / "face.png")
    write_speech(tmp_path / "speech.wav", 3.0)
    shutil.copytree(CHECKPOINT, tmp_path / "base")
    (tmp_path / "config.yaml").write_text(
        "lora: {default: v1.0_demo, repository: lora}\nckpt_dir: base\njobs: {folder: jobs}\n"
        "generate: {image: face.png, audio: speech.wav}\n"
    )
    return load_settings(tmp_path / "config.yaml", environ={})


@pytest.fixture
def spec(settings: Settings) -> RunSpec:
    return compose_spec(settings, (settings.lora.default,))


def changed(spec: RunSpec, **values: object) -> RunSpec:
    return msgspec.structs.replace(spec, **values)


def told(report: Report) -> dict[str, Severity]:
    return {finding.code: finding.severity for finding in report.findings if finding.severity is not Severity.INFO}


def row(report: Report, check: str) -> str:
    return " ".join(" ".join(row.cells()) for row in report.rows if row.check == check)


def test_a_good_run_is_silent(spec: RunSpec, settings: Settings) -> None:
    report = preflight(spec, settings, ROOMY)
    assert report.ok and told(report) == {}
    assert all(one.worst is None for one in report.rows)
    assert [one.check for one in report.rows] == [
        "lora",
        "base",
        "portrait",
        "speech",
        "settings",
        "place",
        "memory.cpu",
    ]
    assert "v1.0_demo" in row(report, "lora") and "strength 4" in row(report, "lora")
    assert "192x128" in row(report, "portrait")
    assert "2 clips" in row(report, "speech")
    assert not settings.jobs_folder().exists(), "looking must leave nothing behind"
    json.dumps(report.as_dict())


def test_a_lora_of_another_rank(spec: RunSpec, settings: Settings) -> None:
    shutil.rmtree(spec.adapters[0])
    write_version(Path(spec.adapters[0]), rank=8)
    report = preflight(spec, settings, ROOMY)
    assert told(report) == {"LORA014": Severity.ERROR} and not report.ok
    assert len(report.rows) == 7, "one refusal does not hide the other checks"


def test_a_base_model_with_a_part_missing(spec: RunSpec, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "base/Wan2.1_VAE.pth").unlink()
    report = preflight(spec, settings, ROOMY)
    assert told(report) == {"RUN011": Severity.ERROR}
    assert "not proved" in row(report, "lora")
    assert report.memory is None


def test_a_base_model_whose_config_is_not_one(spec: RunSpec, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "base/config.json").write_text('{"dim": "wide"}')
    assert told(preflight(spec, settings, ROOMY)) == {"RUN012": Severity.ERROR}


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, "RUN020"),
        (lambda path: path.write_text("not a picture"), "RUN021"),
        (lambda path: Image.new("RGB", (200, 50)).save(path), "RUN023"),
    ],
)
def test_a_portrait_that_cannot_be_used(spec: RunSpec, settings: Settings, make, code: str) -> None:
    Path(spec.image).unlink()
    make(Path(spec.image))
    assert told(preflight(spec, settings, ROOMY)) == {code: Severity.ERROR}


def test_a_portrait_that_is_cut(spec: RunSpec, settings: Settings) -> None:
    Image.new("RGB", (128, 190)).save(spec.image)
    report = preflight(changed(spec, size="128*128"), settings, ROOMY)
    assert told(report) == {"PRE001": Severity.WARNING} and report.ok
    assert "top and bottom" in row(report, "portrait")


def test_a_portrait_that_lies_on_its_side_is_measured_upright(spec: RunSpec, settings: Settings) -> None:
    turned = Image.Exif()
    turned[274] = 6
    Image.new("RGB", (192, 128)).save(spec.image, exif=turned)
    assert "scaled to 128x192" in row(preflight(spec, settings, ROOMY), "portrait")


def test_a_speech_that_cannot_be_used(spec: RunSpec, settings: Settings) -> None:
    assert told(preflight(changed(spec, audio="/nowhere.wav"), settings, ROOMY)) == {"RUN025": Severity.ERROR}
    assert told(preflight(changed(spec, audio=spec.image), settings, ROOMY)) == {"RUN026": Severity.ERROR}
    write_speech(Path(spec.audio), 0.0)
    assert set(told(preflight(spec, settings, ROOMY))) <= {"RUN026", "RUN027"}


@pytest.mark.parametrize(("clips", "cut"), [(None, False), (2, False), (100, False), (1, True)])
def test_nothing_is_cut_in_silence(spec: RunSpec, settings: Settings, clips: int | None, cut: bool) -> None:
    report = preflight(changed(spec, num_clip=clips), settings, ROOMY)
    assert told(report) == ({"PRE002": Severity.WARNING} if cut else {})
    if cut:
        (finding,) = (one for one in report.findings if one.code == "PRE002")
        assert "1.9 s of the 3.0 s" in finding.message and "--num-clip 2" in finding.fix


@pytest.mark.parametrize(
    ("field", "value"), [("size", "big"), ("size", "8*8"), ("sample_steps", 0), ("num_clip", 0), ("threads", 0)]
)
def test_numbers_that_no_run_can_have(spec: RunSpec, settings: Settings, field: str, value: object) -> None:
    assert told(preflight(changed(spec, **{field: value}), settings, ROOMY)) == {"RUN002": Severity.ERROR}


def test_a_speech_is_measured_again_when_it_changes(spec: RunSpec, settings: Settings) -> None:
    assert "0:03" in row(preflight(spec, settings, ROOMY), "speech")
    write_speech(Path(spec.audio), 5.0)
    assert "0:05" in row(preflight(spec, settings, ROOMY), "speech")


def test_steps_that_the_model_was_not_distilled_for(spec: RunSpec, settings: Settings) -> None:
    report = preflight(changed(spec, sample_steps=8), settings, ROOMY)
    assert told(report) == {"PRE003": Severity.WARNING} and report.ok


@pytest.mark.parametrize("folder", ["speech.wav/jobs", "/proc/jobs"])
def test_a_place_that_cannot_be_written(spec: RunSpec, tmp_path: Path, folder: str) -> None:
    settings = load_settings(tmp_path / "config.yaml", environ={"LIVEAVATAR_JOBS_FOLDER": str(tmp_path / folder)})
    assert told(preflight(spec, settings, ROOMY)) == {"PRE010": Severity.ERROR}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount a small disk here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_place_that_is_too_small(spec: RunSpec, tmp_path: Path, small_disk: Path) -> None:
    settings = load_settings(tmp_path / "config.yaml", environ={"LIVEAVATAR_JOBS_FOLDER": str(small_disk / "jobs")})
    assert told(preflight(spec, settings, ROOMY)) == {"PRE011": Severity.ERROR}


def need(spec: RunSpec, settings: Settings) -> int:
    memory = preflight(spec, settings, ROOMY).memory
    assert memory is not None
    return memory.need("cpu")


def host_with(available: int) -> Machine:
    return replace(ROOMY, host=replace(ROOMY.host, available=available))


@pytest.mark.parametrize(
    ("share", "found"),
    [(2.0, {}), (1.05, {"PRE021": Severity.WARNING}), (0.99, {"PRE020": Severity.ERROR})],
)
def test_memory_of_the_host(spec: RunSpec, settings: Settings, share: float, found: dict[str, Severity]) -> None:
    machine = host_with(round(need(spec, settings) * share))
    assert told(preflight(spec, settings, machine)) == found


def test_a_run_too_large_for_this_very_host(spec: RunSpec, settings: Settings) -> None:
    Image.new("1", (9000, 9000)).save(spec.image)
    report = preflight(changed(spec, size="20000*20000", num_clip=1), settings)
    assert told(report)["PRE020"] is Severity.ERROR


def test_a_card_is_planned_for_when_there_is_one(spec: RunSpec, settings: Settings) -> None:
    card = Card(0, "NVIDIA H100", "GPU-1", 80 * GIB, 79 * GIB, (9, 0))
    report = preflight(spec, settings, replace(ROOMY, cards=(card,)))
    assert told(report) == {}
    assert "NVIDIA H100" in row(report, "memory.cuda:0")
    full = replace(card, free=GIB // 4)
    assert told(preflight(spec, settings, replace(ROOMY, cards=(full,)))) == {"PRE020": Severity.ERROR}


def test_it_needs_neither_torch_nor_textual(spec: RunSpec, settings: Settings, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom liveavatar_tui.cli import main\nmain(['preflight', '--json'])\n"
        "assert not {'torch', 'textual'} & set(sys.modules), 'heavy'\n"
    )
    environment = {**os.environ, "LIVEAVATAR_CONFIG": str(tmp_path / "config.yaml")}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(told.stdout)["ok"] is True
