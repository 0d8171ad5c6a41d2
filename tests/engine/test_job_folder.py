"""The job folder with real files, locks and processes."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import identity
from engine.job_folder import JobFolder, Journal, fresh_job_id, jobs_root, lock_owner, read_journal
from engine.protocol import Finished, Phase, PhaseChanged, Progress, encode_line
from lora_repository.files import write_whole
from lora_repository.finding import Problem

HOLD_LOCK = """
import os, signal, sys, time
from pathlib import Path
from engine.job_folder import RecordLock
lock = RecordLock(Path(sys.argv[1]))
print(lock.take(), flush=True)
if os.fork() == 0:
    signal.alarm(20)
    signal.pause()
signal.pause()
"""


def progress(block: int) -> Progress:
    return Progress(block=block, blocks=9, frame=12 * block, frames=108, fps=25.0, eta_s=1.0)


def test_the_jobs_root_follows_the_state_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert jobs_root() == Path("/somewhere/liveavatar-tui/jobs")


def test_job_ids_differ_within_one_second() -> None:
    assert len({fresh_job_id() for _ in range(100)}) == 100


def test_a_created_folder_is_private(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "jobs" / "one")
    folder.create()
    assert stat.S_IMODE(folder.root.stat().st_mode) == 0o700
    assert not folder.holds_a_run()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Problem) as caught:
        JobFolder(tmp_path / "file" / "job").create()
    assert caught.value.finding.code == "RUN004"


def test_atomic_write_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    target = tmp_path / "output.json"
    write_whole(target, b"old")
    write_whole(target, b"new")
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_atomic_write_keeps_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "output.json"
    write_whole(target, b"old")
    script = "import resource, signal, sys; from pathlib import Path; from lora_repository.files import write_whole\n"
    script += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
    script += "write_whole(Path(sys.argv[1]), b'x' * 1000)"
    done = subprocess.run([sys.executable, "-c", script, target], capture_output=True, check=False)
    assert done.returncode == 1 and b"File too large" in done.stderr
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_lock_names_its_owner_and_dies_with_it_though_a_forked_child_lives(tmp_path: Path) -> None:
    path = tmp_path / "engine.lock"
    assert lock_owner(path) is None
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, path], stdout=subprocess.PIPE, start_new_session=True
    ) as held:
        assert held.stdout is not None and held.stdout.readline() == b"True\n"
        assert lock_owner(path) == held.pid
        second = subprocess.run([sys.executable, "-c", HOLD_LOCK.split("if os.fork")[0], path], capture_output=True)
        assert second.stdout == b"False\n"
        held.kill()
        os.waitpid(held.pid, 0)
        assert lock_owner(path) is None
        os.killpg(held.pid, signal.SIGKILL)


def test_events_are_numbered_and_read_back_from_any_offset(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    journal.append(PhaseChanged(phase=Phase.LOADING))
    first = read_journal(path)
    journal.append(progress(1))
    journal.append(progress(2))
    rest = read_journal(path, first.offset)
    assert [event.seq for event in first.events + rest.events] == [0, 1, 2]
    assert [type(event) for event in rest.events] == [Progress, Progress]
    assert read_journal(path, rest.offset).events == ()
    assert rest.events[1].mono >= rest.events[0].mono > 0


def test_a_missing_journal_reads_as_empty(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "none").events == ()


def test_a_line_of_a_newer_engine_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    strange = b'{"kind":"hologram","seq":0}\n\xff\xfe{\n\n{"kind":"preview","frame":"\xff"}\n'
    path.write_bytes(strange + encode_line(progress(1)))
    assert [type(event) for event in read_journal(path).events] == [Progress]


@given(st.integers(0, 400), st.integers(0, 400))
def test_a_journal_torn_anywhere_loses_only_what_is_torn(
    tmp_path_factory: pytest.TempPathFactory, a: int, b: int
) -> None:
    lines = [encode_line(progress(n)) for n in range(4)]
    content = b"".join(lines)
    early, late = sorted((min(a, len(content)), min(b, len(content))))
    path = tmp_path_factory.mktemp("torn") / "events.jsonl"
    path.write_bytes(content[:early])
    first = read_journal(path)
    path.write_bytes(content[:late])
    rest = read_journal(path, first.offset)
    whole = [n for n in range(4) if sum(map(len, lines[: n + 1])) <= late]
    assert [event.block for event in first.events + rest.events if isinstance(event, Progress)] == whole


@given(st.binary(max_size=200))
def test_no_content_of_a_journal_raises(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "events.jsonl"
    path.write_bytes(content + b"\n" + encode_line(progress(1)))
    assert read_journal(path).events[-1] == progress(1)


def test_a_line_cut_by_a_full_disk_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    journal = Journal(path)
    journal.append(progress(1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, before[1]))
    try:
        with pytest.raises(OSError, match="No space left"):
            journal.append(progress(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    journal.append(Finished(output="output.mp4", frames=1, seconds=1, fps=1, first_frame_s=1))
    assert [(event.seq, type(event)) for event in read_journal(path).events] == [(0, Progress), (1, Finished)]


def test_identity_tells_a_reused_process_number(tmp_path: Path) -> None:
    me = identity.own()
    assert identity.is_alive(me)
    fake = tmp_path / str(me.pid)
    fake.mkdir()
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text(me.boot_id + "\n")
    real = Path(f"/proc/{me.pid}/stat").read_text()
    (fake / "stat").write_text(real.replace(real.split("(")[1].split(")")[0], "a) (b 9 9 9"))
    assert identity.is_alive(me, proc=tmp_path)
    (fake / "stat").write_text(real.replace(str(me.start_time), str(me.start_time + 1)))
    assert not identity.is_alive(me, proc=tmp_path)


def test_identity_of_a_dead_process_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        start = identity.start_time(child.pid)
        assert start is not None
        me = identity.own()
        who = identity.Identity(child.pid, start, me.boot_id, me.host)
        assert identity.is_alive(who)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not identity.is_alive(who), "a zombie is not alive"
    assert not identity.is_alive(who)
