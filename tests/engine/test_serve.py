"""The engine that stays: jobs one after the other without loading, swaps between blocks, an end when asked or idle."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.job_folder import JobFolder, read_journal
from engine.protocol import AdapterLoaded, Cancelled, Failed, Finished, Progress
from engine.serving import Client
from engine.spec import encode
from lora_repository.finding import Problem
from tests.engine.tiny_run import make_version, spec, tone

PATIENCE_S = 300.0


def wait_for(what: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("serve")
    client = Client(folder / "engine.sock")
    with (folder / "words").open("w") as words:
        command = [sys.executable, "-m", "engine.serve", "--socket", str(client.path)]
        process = subprocess.Popen(command, stdout=words, stderr=words, env={**os.environ, "OMP_NUM_THREADS": "1"})
    wait_for(lambda: client.path.exists() or process.poll() is not None)
    wait_for(lambda: answers(client))
    yield client
    assert client.quit().ok
    assert process.wait(PATIENCE_S) == 0
    assert not client.path.exists()


def answers(client: Client) -> bool:
    try:
        return client.look().ok
    except Problem:
        return False


def job(root: Path, **changes: object) -> JobFolder:
    folder = JobFolder(root)
    folder.create()
    folder.spec.write_bytes(encode(spec(**changes)))
    return folder


def end_of(folder: JobFolder) -> Finished | Failed | Cancelled:
    def ends() -> list[object]:
        return [e for e in read_journal(folder.events).events if isinstance(e, Finished | Failed | Cancelled)]

    wait_for(ends)
    last = ends()[-1]
    assert isinstance(last, Finished | Failed | Cancelled)
    return last


def document(folder: JobFolder) -> dict[str, object]:
    wait_for(folder.provenance.exists)
    content: dict[str, object] = json.loads(folder.provenance.read_bytes())
    return content


def test_only_the_owner_may_use_it(client: Client) -> None:
    assert stat.S_IMODE(client.path.stat().st_mode) == 0o600


def test_jobs_follow_each_other_and_each_is_what_a_cold_start_makes(client: Client, tmp_path: Path) -> None:
    version = make_version(tmp_path / "v1.0_one")
    plans: list[tuple[str, ...]] = [(str(version),), (), (str(version),)]
    folders = [job(tmp_path / str(number), adapters=adapters) for number, adapters in enumerate(plans)]
    for folder in folders:
        assert client.submit(folder.root).ok
    assert all(isinstance(end_of(folder), Finished) for folder in folders)
    hashes = [document(folder)["latents_sha256"] for folder in folders]
    assert hashes[0] == hashes[2] != hashes[1]
    cold = job(tmp_path / "cold", adapters=plans[0])
    subprocess.run([sys.executable, "-m", "engine.inference", "--spec", str(cold.spec)], check=True, timeout=PATIENCE_S)
    assert document(cold)["latents_sha256"] == hashes[0]
    assert client.look().base.endswith("ckpt_tiny")


def test_a_swap_goes_in_while_a_job_runs(client: Client, tmp_path: Path) -> None:
    version = make_version(tmp_path / "v1.0_one", t5=False, scale=0.5)
    speech = tone(tmp_path / "long.wav", 10.0)
    folder = job(tmp_path / "job", audio=str(speech), num_clip=None, size="64*64")
    before = client.look().swaps
    assert client.submit(folder.root).ok
    wait_for(lambda: any(isinstance(event, Progress) for event in read_journal(folder.events).events))
    answer = client.swap((str(version),), restart=False)
    assert answer.ok, answer.message
    wait_for(lambda: client.look().swaps == before + 1)
    assert isinstance(end_of(folder), Finished)
    assert any(isinstance(event, AdapterLoaded) for event in read_journal(folder.events).events)
    swaps = document(folder)["swaps"]
    assert isinstance(swaps, list) and len(swaps) == 1
    assert swaps[0]["block"] > 0
    assert swaps[0]["adapters"][0]["target"] == "dit"


def test_what_cannot_be_done_is_told_and_nothing_ends(client: Client, tmp_path: Path) -> None:
    with_nothing = client.swap((str(tmp_path),))
    assert (with_nothing.ok, with_nothing.code) == (False, "RUN062")
    missing = client.submit(tmp_path / "nowhere")
    assert (missing.ok, missing.code) == (False, "RUN001")
    wrong = job(tmp_path / "wrong", image=str(tmp_path / "none.png"))
    assert client.submit(wrong.root).ok
    end = end_of(wrong)
    assert isinstance(end, Failed) and end.code == "RUN020"
    assert client.look().ok


def test_a_second_engine_is_refused_and_a_dead_ones_socket_is_not(client: Client, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "engine.serve", "--idle", "0.2", "--socket"]
    second = subprocess.run([*command, str(client.path)], capture_output=True, text=True, timeout=PATIENCE_S)
    assert second.returncode == 1
    assert "RUN061" in second.stderr
    left = tmp_path / "left.sock"
    left.touch()
    assert subprocess.run([*command, str(left)], timeout=PATIENCE_S).returncode == 0
    with pytest.raises(Problem) as caught:
        Client(left).look()
    assert caught.value.finding.code == "RUN060"
