"""The engine as a process: by hand and as the app starts it, killed, stopped, refused, out of disk."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import pytest
from msgspec.structs import replace

from engine import identity
from engine.job_folder import JobFolder, lock_owner, read_journal
from engine.protocol import Cancelled, Failed, Finished, Phase, PhaseChanged, Progress, Started
from engine.spec import RunSpec, decode, encode
from lora_repository.files import write_whole
from tests.engine.tiny_run import CHECKPOINT, PORTRAIT, TEMPLATE, copy_checkpoint, make_version, spec, tone

ROOT = Path(__file__).parents[2]
ENGINE = (sys.executable, "-m", "engine.inference")


@dataclass
class Ended:
    code: int
    out: str
    err: str
    folder: JobFolder

    @property
    def events(self) -> list[object]:
        return list(read_journal(self.folder.events).events)

    @property
    def phases(self) -> list[Phase]:
        return [event.phase for event in self.events if isinstance(event, PhaseChanged) and not event.note]


def by_hand(folder: Path, *flags: str, **popen: object) -> Ended:
    """The engine from a shell, with good inputs unless flags say otherwise; the last of two equal flags counts."""
    given = ["--prompt", "a person talks", "--image", str(PORTRAIT), "--audio", str(tone(folder.parent / "a.wav", 0.9))]
    given += ["--ckpt_dir", str(CHECKPOINT), "--size", "64*64", "--sample_steps", "1", "--threads", "1"]
    command = [*ENGINE, *given, "--output", str(folder), *flags]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(folder.parent), cwd=ROOT, **popen)  # type: ignore[call-overload]
    return Ended(done.returncode, done.stdout, done.stderr, JobFolder(folder))


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "LIVEAVATAR_"))}
    return kept | {"XDG_STATE_HOME": str(home / "state"), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}


def as_the_app(folder: Path, wanted: RunSpec) -> subprocess.Popen[bytes]:
    job = JobFolder(folder)
    job.create()
    write_whole(job.spec, encode(wanted))
    with job.log.open("ab") as log:
        command = [*ENGINE, "--spec", str(job.spec)]
        streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        return subprocess.Popen(command, env=environment(folder.parent), cwd=ROOT, start_new_session=True, **streams)  # type: ignore[call-overload]


def wait_for(folder: Path, kind: Callable[[object], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not any(kind(event) for event in read_journal(folder / "events.jsonl").events):
        assert time.monotonic() < until, (folder / "engine.log").read_text()
        time.sleep(0.02)


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_version(tmp_path_factory.mktemp("repository") / "v2.1_customer_service")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, version: Path) -> Ended:
    return by_hand(tmp_path_factory.mktemp("hand") / "job", "--lora_path_dmd", f"{version}/", "--label", "mine")


def test_by_hand_the_words_of_the_log_are_those_that_people_look_for(finished: Ended, version: Path) -> None:
    assert finished.code == 0, finished.err
    expected = [
        f"[INFO] Loading DMD LoRA from {version}/",
        "[INFO] Loaded dmd_lora.safetensors (rank=4, alpha=16)",
        "[INFO] Loaded t5_lora.safetensors (rank=8, alpha=16)",
        "[INFO] LoRA injection completed for DiT and T5 modules",
    ]
    for text in (finished.err, finished.folder.log.read_text()):
        lines = text.splitlines()
        start = lines.index(expected[0])
        assert lines[start : start + 4] == expected
    assert finished.out == f"{finished.folder.output}\n"


def test_by_hand_the_folder_is_whole_and_private(finished: Ended) -> None:
    folder = finished.folder
    assert stat.S_IMODE(folder.root.stat().st_mode) == 0o700
    names = "spec.json engine.lock events.jsonl engine.log preview.jpg first.jpg last.jpg output.mp4 output.json"
    assert {path.name for path in folder.root.iterdir()} == set(names.split())
    assert lock_owner(folder.lock) is None
    first, last = finished.events[0], finished.events[-1]
    assert isinstance(first, Started) and first.boot_id == identity.boot_id() and first.engine
    assert isinstance(last, Finished) and last.frames == 24
    with av.open(str(folder.output)) as video:
        assert video.streams.video[0].codec_context.name == "h264" and video.streams.video[0].frames == 24
        assert video.streams.audio[0].codec_context.name == "aac"
    told = json.loads(folder.provenance.read_text())
    assert told["spec"]["label"] == "mine" and len(told["frames_sha256"]) == 64


def test_as_the_app_starts_it_a_hang_up_does_not_matter_and_the_bits_are_the_same(
    finished: Ended, tmp_path: Path
) -> None:
    told = json.loads(finished.folder.provenance.read_text())
    engine = as_the_app(tmp_path / "job", decode(finished.folder.spec.read_bytes()))
    wait_for(tmp_path / "job", lambda event: isinstance(event, Started))
    engine.send_signal(signal.SIGHUP)
    assert engine.wait(120) == 0
    folder = JobFolder(tmp_path / "job")
    assert json.loads(folder.provenance.read_text())["frames_sha256"] == told["frames_sha256"]
    assert folder.log.read_text().count("[INFO] Loaded dmd_lora") == 1
    assert isinstance(read_journal(folder.events).events[-1], Finished)


def test_a_second_run_into_the_same_folder_is_refused_and_writes_nothing(finished: Ended) -> None:
    before = {path.name: path.read_bytes() for path in finished.folder.root.iterdir()}
    again = subprocess.run([*ENGINE, "--spec", finished.folder.spec], capture_output=True, text=True, cwd=ROOT)
    assert again.returncode == 1 and again.stderr.startswith("RUN003: ")
    assert {path.name: path.read_bytes() for path in finished.folder.root.iterdir()} == before


@pytest.fixture
def long_run(tmp_path: Path) -> tuple[Path, subprocess.Popen[bytes]]:
    wanted = spec(size="64*64", sample_steps=1, num_clip=None, audio=str(tone(tmp_path / "long.wav", 60)))
    return tmp_path / "job", as_the_app(tmp_path / "job", wanted)


def test_sigterm_ends_at_the_next_block_and_leaves_no_half_video(
    long_run: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    root, engine = long_run
    wait_for(root, lambda event: isinstance(event, Progress))
    assert lock_owner(root / "engine.lock") == engine.pid
    second = subprocess.run([*ENGINE, "--spec", root / "spec.json"], capture_output=True, text=True, cwd=ROOT)
    assert second.returncode == 1 and second.stderr.startswith("RUN005: ") and f"kill {engine.pid}" in second.stderr
    engine.terminate()
    assert engine.wait(60) == 1
    last = read_journal(root / "events.jsonl").events[-1]
    assert isinstance(last, Cancelled) and last.reason == "SIGTERM"
    names = {path.name for path in root.iterdir()}
    assert names == {"spec.json", "engine.lock", "events.jsonl", "engine.log", "preview.jpg", "first.jpg"}
    assert lock_owner(root / "engine.lock") is None


def test_kill_leaves_a_readable_journal_a_free_lock_and_no_living_owner(
    long_run: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    root, engine = long_run
    wait_for(root, lambda event: isinstance(event, Progress))
    engine.kill()
    assert engine.wait(60) == -signal.SIGKILL
    content = (root / "events.jsonl").read_bytes()
    events = read_journal(root / "events.jsonl").events
    assert content.endswith(b"\n") and len(events) == content.count(b"\n")
    assert [event.seq for event in events] == list(range(len(events)))
    assert not isinstance(events[-1], Finished | Failed | Cancelled)
    assert lock_owner(root / "engine.lock") is None
    said = events[0]
    assert isinstance(said, Started) and said.pid == engine.pid
    assert not identity.is_alive(identity.Identity(said.pid, said.start_time, said.boot_id, said.host))
    assert not (root / "output.mp4").exists()


@pytest.mark.parametrize(
    ("harm", "code", "mends"),
    [
        (lambda lora: (lora / "config.json").unlink(), "LORA001", "config.json"),
        (lambda lora: (lora / "config.json").write_text('{"r": 8'), "LORA002", "config.json"),
        (lambda lora: (lora / "dmd_lora.safetensors").rename(lora / "dmd_lora.safetensor"), "LORA005", "mv "),
        (lambda lora: (lora / "config.json").write_text(json.dumps({**TEMPLATE, "dmd_rank": 128})), "LORA014", ""),
        (lambda lora: (lora / "dmd_lora.safetensors").write_bytes(b"\0" * 999), "LORA012", ""),
    ],
    ids=["config missing", "config broken", "misnamed", "rank", "damaged"],
)
def test_each_row_of_the_table_of_mistakes_ends_before_loading(
    tmp_path: Path, harm: Callable[[Path], object], code: str, mends: str
) -> None:
    lora = make_version(tmp_path / "my lora")
    harm(lora)
    ended = by_hand(tmp_path / "job", "--lora_path_dmd", str(lora))
    assert ended.code == 1
    assert ended.phases == [Phase.RESOLVING]
    last = ended.events[-1]
    assert isinstance(last, Failed) and last.code == code and mends in last.fix
    assert f"{code}: {last.message}" in ended.err and last.fix in ended.err
    assert "Traceback" not in ended.err + ended.folder.log.read_text()
    assert code in ended.folder.log.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user to be refused")
def test_an_adapter_without_read_permission_is_refused_to_an_ordinary_user(tmp_path: Path) -> None:
    lora = make_version(tmp_path / "lora")
    (lora / "dmd_lora.safetensors").chmod(0o600)
    for folder in (tmp_path, *tmp_path.parents[:3], lora):
        folder.chmod(0o777)
    # Modules first: the interpreter itself may lie where an ordinary user cannot read.
    script = (
        "import os, sys, av, platformdirs, engine.inference as engine\n"
        "os.setgid(65534); os.setuid(65534); sys.exit(engine.main(sys.argv[1:]))"
    )
    flags = [
        "--prompt",
        "x",
        "--image",
        PORTRAIT,
        "--audio",
        "a",
        "--ckpt_dir",
        copied(tmp_path),
        "--output",
        tmp_path / "job",
    ]
    command = [sys.executable, "-c", script, *flags, "--lora_path_dmd", lora]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment(tmp_path))
    assert done.returncode == 1, done.stderr
    assert "LORA006: " in done.stderr and f"chmod 644 {lora}/dmd_lora.safetensors" in done.stderr


def copied(folder: Path) -> Path:
    checkpoint = copy_checkpoint(folder / "ckpt")
    for path in (checkpoint, *checkpoint.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o644)
    return checkpoint


def test_a_full_disk_is_called_by_its_name_and_leaves_no_half_video(tmp_path: Path) -> None:
    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))

    ended = by_hand(tmp_path / "job", preexec_fn=little_room)
    last = ended.events[-1]
    assert ended.code == 1 and isinstance(last, Failed) and last.code in ("RUN042", "RUN051")
    assert not [path for path in ended.folder.root.iterdir() if "mp4" in path.name]


def test_what_nobody_foresaw_is_one_sentence_for_the_user_and_a_traceback_in_the_log(tmp_path: Path) -> None:
    script = (
        "import sys, engine.inference as e\ndef run(*a): return 1 // 0\ne.run = run\nsys.exit(e.main(sys.argv[1:]))"
    )
    flags = ["--prompt", "x", "--image", PORTRAIT, "--audio", "a", "--output", tmp_path / "job"]
    done = subprocess.run([sys.executable, "-c", script, *flags], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr.startswith("RUN099: ") and "ZeroDivisionError" in done.stderr and "Traceback" not in done.stderr
    assert "Traceback" in (tmp_path / "job" / "engine.log").read_text()


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"prompt": 3}', b'{"prompt":"","image":"","audio":"","color":1}', b"\xff"]
)
def test_a_spec_that_cannot_be_read_is_an_event_too(tmp_path: Path, content: bytes) -> None:
    folder = JobFolder(tmp_path)
    folder.spec.write_bytes(content)
    done = subprocess.run([*ENGINE, "--spec", folder.spec], capture_output=True, text=True, cwd=ROOT)
    last = read_journal(folder.events).events[-1]
    assert done.returncode == 1 and isinstance(last, Failed) and last.code == "RUN001"


def test_a_failure_speaks_the_language_of_the_spec(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    folder.spec.write_bytes(encode(replace(spec(image=str(tmp_path / "没有.png")), language="zh_CN")))
    done = subprocess.run([*ENGINE, "--spec", folder.spec], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and "没有.png" in done.stderr
