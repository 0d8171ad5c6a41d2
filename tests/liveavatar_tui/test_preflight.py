"""Preflight: each check fails for its own true reason on real files, and is silent on a good run."""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from command_lines import Call
from PIL import Image
from world import adapter, write_tensors

from engine.checkpoint_layout import find_layout
from engine.memory.calibration import key_of
from engine.memory.records import Measured, case_name, note
from engine.probe import Card, Host, Machine, Source
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


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A hub that can be reached, on this host, and a state folder where nothing was ever run."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield


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


def test_a_base_model_that_is_missing_asks_for_the_network(
    spec: RunSpec, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(tmp_path / "base")
    assert told(preflight(spec, settings, ROOMY)) == {"RUN010": Severity.ERROR}
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed}")
    report = preflight(spec, settings, ROOMY)
    assert told(report)["PRE016"] is Severity.WARNING
    assert "refused" in next(one.message for one in report.findings if one.code == "PRE016")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    report = preflight(spec, settings, ROOMY)
    assert told(report) == {"RUN010": Severity.ERROR, "PRE015": Severity.WARNING}
    assert "unset HF_HUB_OFFLINE" in next(one.fix for one in report.findings if one.code == "PRE015")


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.safetensors", "Wan2.1_VAE.pth"])
def test_a_base_model_that_was_cut_short(spec: RunSpec, settings: Settings, tmp_path: Path, name: str) -> None:
    file = tmp_path / "base" / name
    os.truncate(file, file.stat().st_size - 1000)
    report = preflight(spec, settings, ROOMY)
    assert told(report) == {"RUN014": Severity.ERROR}
    assert name in report.findings[-1].message


def test_a_shard_without_what_the_index_promises(spec: RunSpec, settings: Settings, tmp_path: Path) -> None:
    index = {"weight_map": {"blocks.99.ffn.0.weight": "diffusion_pytorch_model.safetensors"}}
    (tmp_path / "base/diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    report = preflight(spec, settings, ROOMY)
    assert told(report) == {"RUN017": Severity.ERROR}
    assert "blocks.99" in report.findings[-1].message


def test_production_takes_published_versions_only_where_that_is_asked(spec: RunSpec, tmp_path: Path) -> None:
    text = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text + "policy: {published: true}\n")
    settings = load_settings(tmp_path / "config.yaml", environ={})
    report = preflight(changed(spec, label="v1.0_demo (production)"), settings, ROOMY)
    assert told(report) == {"LORA064": Severity.ERROR}
    assert told(preflight(changed(spec, label="v1.0_demo (staging)"), settings, ROOMY)) == {}


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


def sound(path: Path, samples: np.ndarray, rate: int = 16_000) -> None:
    """Samples in [-1, 1] as a wave file."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def voice(seconds: float, level: float = 0.5, rate: int = 16_000) -> np.ndarray:
    moments = np.arange(round(seconds * rate)) / rate
    return np.asarray(level * np.sin(2 * np.pi * 200 * moments) * (0.2 + np.abs(np.sin(2 * np.pi * 2 * moments))) / 1.2)


@pytest.mark.parametrize(
    ("samples", "rate", "code"),
    [
        (voice(3, 5.0), 16_000, "PRE006"),
        (np.concatenate([voice(1), np.zeros(40_000)]), 16_000, "PRE005"),
        (voice(3, 0.004), 16_000, "PRE008"),
        (voice(3, rate=8_000), 8_000, "PRE007"),
        (voice(3), 16_000, None),
        (voice(3, rate=44_100), 44_100, None),
    ],
)
def test_what_a_speech_sounds_like(
    spec: RunSpec, settings: Settings, samples: np.ndarray, rate: int, code: str | None
) -> None:
    sound(Path(spec.audio), samples, rate)
    report = preflight(spec, settings, ROOMY)
    assert told(report) == ({} if code is None else {code: Severity.WARNING}) and report.ok


def test_a_speech_that_ends_in_the_middle_of_its_file(spec: RunSpec, settings: Settings, tmp_path: Path) -> None:
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(2000))
    assert told(preflight(changed(spec, audio=str(torn)), settings, ROOMY)) == {"RUN026": Severity.ERROR}


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


def test_a_size_far_above_the_trained_one(spec: RunSpec, settings: Settings) -> None:
    assert told(preflight(changed(spec, size="1280*720"), settings, ROOMY)) == {"PRE009": Severity.WARNING}
    assert told(preflight(changed(spec, size="720*400"), settings, ROOMY)) == {}


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
    report = preflight(spec, settings, on_cards(card))
    assert told(report) == {}
    assert "NVIDIA H100" in row(report, "memory.cuda:0") and "NVIDIA H100" in row(report, "card")
    assert "frames/s" in row(report, "speed")
    full = replace(card, free=GIB // 4)
    assert told(preflight(spec, settings, on_cards(full))) == {"PRE020": Severity.ERROR}


def on_cards(*cards: Card) -> Machine:
    """Cards that are typed in: what is installed here is not judged by them."""
    return replace(ROOMY, cards=cards, source=Source.TYPED)


def test_it_needs_neither_torch_nor_textual(spec: RunSpec, settings: Settings, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom liveavatar_tui.cli import main\nmain(['preflight', '--json'])\n"
        "assert not {'torch', 'textual'} & set(sys.modules), 'heavy'\n"
    )
    environment = {**os.environ, "LIVEAVATAR_CONFIG": str(tmp_path / "config.yaml")}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(told.stdout)["ok"] is True


# --- where it does not fit


def test_the_fix_of_what_does_not_fit_is_one_that_fits(spec: RunSpec, settings: Settings) -> None:
    Image.new("RGB", (1600, 900)).save(spec.image)
    wide = changed(spec, size="704*384")
    card = Card(0, "NVIDIA L40S", "GPU-1", 48 * GIB, 44 * GIB, (8, 9))
    memory = preflight(wide, settings, on_cards(card)).memory
    assert memory is not None
    tight = replace(card, free=memory.need("cuda:0") - (1 << 20))
    report = preflight(wide, settings, on_cards(tight))
    assert told(report)["PRE020"] is Severity.ERROR
    (finding,) = (one for one in report.findings if one.code == "PRE020")
    assert finding.fix.startswith("--")
    assert report.solution is not None and report.solution.spec is not None
    assert preflight(report.solution.spec, settings, on_cards(tight)).ok
    document = report.as_dict()
    assert document["smallest"] and all(change["gives"] > 0 for change in document["changes"])
    json.dumps(document)


def test_where_no_setting_helps_that_is_said(spec: RunSpec, settings: Settings) -> None:
    card = Card(0, "NVIDIA T4", "GPU-1", 16 * GIB, 1 << 20, (7, 5))
    report = preflight(spec, settings, on_cards(card))
    (finding,) = (one for one in report.findings if one.code == "PRE020")
    assert "No setting makes it fit" in finding.fix and report.as_dict()["smallest"] is None


def test_what_the_last_run_took_is_told(spec: RunSpec, settings: Settings) -> None:
    report = preflight(spec, settings, ROOMY)
    assert "last such run" not in row(report, "memory.cpu") and report.solution is not None
    case = case_name(report.solution.verdict.case)
    sizes = {"predicted": {"decoding": 110}, "measured": {"decoding": 100}}
    note(Measured(key=key_of(ROOMY, "cpu"), case=case, device="cpu", **sizes))
    assert "predicted +10.0%" in row(preflight(spec, settings, ROOMY), "memory.cpu")


def test_a_run_that_would_be_slow_is_told(spec: RunSpec, settings: Settings) -> None:
    report = preflight(spec, settings, ROOMY)
    assert not [one for one in report.rows if one.check == "speed"], "nothing is known of a processor's speed"
    assert report.solution is not None
    case = case_name(report.solution.verdict.case)
    note(Measured(key=key_of(ROOMY, "cpu"), case=case, device="cpu", predicted={}, measured={}, fps=2.0))
    report = preflight(spec, settings, ROOMY)
    assert told(report) == {"PRE022": Severity.WARNING} and report.ok
    assert "2.0 frames/s" in row(report, "speed") and "last such run" in row(report, "speed")
    note(Measured(key=key_of(ROOMY, "cpu"), case=case, device="cpu", predicted={}, measured={}, fps=20.0))
    assert told(preflight(spec, settings, ROOMY)) == {}


# --- what upstream's scripts say


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--infer_frames", "80"], "a multiple of 12"),
        (["--infer_frames", "60"], "--num-clip"),
        (["--sample_solver", "unipc"], "euler"),
    ],
)
def test_what_upstream_would_trip_over_is_refused(
    settings: Settings, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch, flags: list[str], words: str
) -> None:
    monkeypatch.setenv("LIVEAVATAR_CONFIG", str(tmp_path / "config.yaml"))
    code, out, err = call("preflight", *flags)
    assert (code, out) == (2, "") and "RUN002" in err and words in err


def test_a_command_line_of_upstreams_scripts_is_understood(
    settings: Settings, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEAVATAR_CONFIG", str(tmp_path / "config.yaml"))
    upstream = (
        "--infer_frames",
        "48",
        "--sample_solver",
        "euler",
        "--sample_steps",
        "4",
        "--fp8",
        "--gpus",
        "A100 80GB",
    )
    code, out, _err = call("preflight", *upstream, "--json")
    found = json.loads(out)
    assert code == 1 and [one["code"] for one in found["findings"] if one["severity"] == "error"] == ["PRE023"]
