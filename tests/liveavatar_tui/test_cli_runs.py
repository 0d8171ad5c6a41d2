"""The command line on living jobs: a run of the real engine to its video, following, cancelling."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from engine.job_folder import lock_owner
from engine.spec import RunSpec
from liveavatar_tui.jobs.cancelling import cancel
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.starting import start
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.watching import list_jobs, read_job

GOLDENS = Path(__file__).parents[1] / "engine" / "goldens"
STANDIN = (sys.executable, str(Path(__file__).with_name("standin_engine.py")))
CLI = (sys.executable, "-m", "liveavatar_tui.cli")


@pytest.fixture(autouse=True)
def jobs_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # One thread: two that share busy cores with other tests take ten times as long.
    small = {"size": "128*64", "num_clip": 1, "sample_steps": 2, "threads": 1}
    image, audio = GOLDENS / "pipeline/ref_150x300.png", GOLDENS / "pipeline/audio_4s3_16k.wav"
    settings = {
        "jobs": {"folder": "jobs", "grace_s": 0.5},
        "ckpt_dir": str(GOLDENS / "ckpt_tiny"),
        "generate": {"image": str(image), "audio": str(audio), **small},
    }
    (tmp_path / "config.yaml").write_text(json.dumps(settings))
    monkeypatch.setenv("LIVEAVATAR_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.setenv("LIVEAVATAR_LANG", "en")
    yield tmp_path / "jobs"
    for job in list_jobs(tmp_path / "jobs"):
        cancel(job.folder, 0.1)


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CLI, *arguments], capture_output=True, text=True, check=False)


def steady(jobs_dir: Path) -> Job:
    job = start(RunSpec(prompt="steady", image="/i", audio="/a"), jobs_dir, command=STANDIN)
    deadline = time.monotonic() + 15
    while read_job(job.folder).story.progress is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return job


def test_a_run_from_the_command_line_to_its_video(jobs_dir: Path) -> None:
    told = call("run", "--no-lora", "--follow")
    assert told.returncode == 0, told.stderr
    assert "PRE002" in told.stderr and "PRE003" in told.stderr, "what preflight warns of is told before the start"
    lines = told.stdout.splitlines()
    assert any("4/4 blocks  48 frames" in line for line in lines)
    with av.open(lines[-1]) as video:
        assert [stream.type for stream in video.streams] == ["video", "audio"]
        assert sum(1 for _frame in video.decode(video=0)) == 48
    (job,) = list_jobs(jobs_dir)
    assert job.state is State.DONE
    shown = json.loads(call("jobs", "show", "last", "--json").stdout)
    assert (shown["state"], shown["output"], shown["finding"]) == ("done", lines[-1], None)


def test_a_run_that_fails_is_exit_1_with_the_cause(jobs_dir: Path) -> None:
    told = call("run", "--no-lora", "--image", "/no.png", "--force", "--wait")
    assert told.returncode == 1 and told.stdout == ""
    assert told.stderr.count("RUN020") == 2, "once from preflight, once from the engine itself"


@pytest.fixture
def hears_interrupts() -> Iterator[None]:
    """What a shell starts in the background ignores SIGINT, and so would all that is started here."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hears_interrupts")
def test_stopping_to_follow_does_not_stop_the_job(jobs_dir: Path) -> None:
    job = steady(jobs_dir)
    command = [*CLI, "jobs", "show", job.id, "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as cli:
        assert cli.stdout is not None
        cli.stdout.readline()
        cli.send_signal(signal.SIGINT)
        _out, err = cli.communicate(timeout=60)
    assert cli.returncode == 130
    assert b"goes on" in err and b"Traceback" not in err
    assert read_job(job.folder).state is State.RUNNING


def test_cancel_from_the_command_line(jobs_dir: Path) -> None:
    job = steady(jobs_dir)
    told = call("jobs", "cancel", job.id[-6:])
    assert (told.returncode, told.stdout) == (0, f"{job.id} ended.\n")
    assert lock_owner(job.folder.lock) is None
    assert "cancelled" in call("jobs").stdout
    again = call("jobs", "cancel", "last", "--json")
    assert json.loads(again.stdout) == {"id": job.id, "outcome": "not running"}


def test_a_lost_job_says_so(jobs_dir: Path) -> None:
    job = start(RunSpec(prompt="dies before it speaks", image="/i", audio="/a"), jobs_dir, command=STANDIN)
    deadline = time.monotonic() + 15
    while read_job(job.folder).state.live:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    told = call("jobs", "show", "last")
    assert told.returncode == 1 and "lost" in told.stdout and "RUN045" in told.stderr
