"""Each net by itself, with real processes: the brand in the environment, the control group, the session."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from standins import alive, until

from engine.identity import Identity, boot_id, own, start_time
from engine.job_folder import JobFolder
from liveavatar_tui.jobs import control_group
from liveavatar_tui.jobs.records import Launch, write_launch
from liveavatar_tui.jobs.sweeping import BRAND, sweep

_DAEMON = (
    "import os, signal, sys, time\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "        open(sys.argv[1] + '.new', 'w').write(str(os.getpid())); os.rename(sys.argv[1] + '.new', sys.argv[1])\n"
    "        time.sleep(600)\n"
    "    os._exit(0)\n"
    "os.wait()"
)


def daemon(folder: JobFolder, environ: dict[str, str]) -> int:
    """A process that left session and parent, and will not be asked."""
    note = folder.root / "daemon.pid"
    subprocess.run([sys.executable, "-c", _DAEMON, str(note)], env=environ, check=True)
    until(note.exists)
    return int(note.read_text())


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    made = JobFolder(tmp_path / "20260310-000000-aaaaaa")
    made.create()
    return made


def test_the_brand_is_found_wherever_it_went(folder: JobFolder) -> None:
    ours = daemon(folder, {**os.environ, BRAND: str(folder.root)})
    (folder.root / "daemon.pid").unlink()
    other = daemon(folder, {**os.environ, BRAND: f"{folder.root}2"})
    try:
        assert sweep(folder, None) == 1
        assert not alive(ours) and alive(other), "another job's is not touched"
    finally:
        os.kill(other, 9)


def test_nobody_gets_out_of_a_control_group(folder: JobFolder) -> None:
    with control_group.inside(f"liveavatar-{folder.root.name}") as group:
        if group is None:
            pytest.skip("no control group may be made here (version 2, and the right to)")
        ours = daemon(folder, {"PATH": os.environ["PATH"]})
    assert control_group.own_group() != group and (group / "cgroup.procs").read_text().split() == [str(ours)]
    me = own()
    write_launch(folder, Launch(engine=Identity(1, 1, me.boot_id, me.host), time=0, cgroup=str(group)))
    assert sweep(folder, None) == 1
    assert not alive(ours) and not group.exists()
    assert control_group.end(group) == 0, "what is gone is gone"


def test_a_group_that_is_not_the_jobs_is_left_alone(folder: JobFolder, tmp_path: Path) -> None:
    stranger = tmp_path / "somebody"
    stranger.mkdir()
    (stranger / "cgroup.procs").write_text("1\n")
    me = own()
    write_launch(folder, Launch(engine=Identity(1, 1, me.boot_id, me.host), time=0, cgroup=str(stranger)))
    assert sweep(folder, None) == 0 and stranger.exists()


def test_the_session_of_a_dead_leader_is_found(folder: JobFolder) -> None:
    leader = subprocess.Popen(
        ["sh", "-c", "sleep 600 >/dev/null & echo $!; exec sleep 600"], stdout=subprocess.PIPE, start_new_session=True
    )
    assert leader.stdout is not None
    member = int(leader.stdout.readline())
    began = start_time(leader.pid)
    assert began is not None
    who = Identity(leader.pid, began, boot_id(), own().host)
    leader.kill()
    leader.communicate()
    assert alive(member)
    assert sweep(folder, who) == 1
    until(lambda: not alive(member))
    assert sweep(folder, who) == 0


def test_a_group_that_cannot_be_made_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(control_group, "own_group", lambda: tmp_path / "nowhere")
    with control_group.inside("x") as group:
        assert group is None
    assert control_group.end(tmp_path / "nowhere") == 0
