"""Jobs with real processes: they outlive who started them, are judged by identity, and leave no orphan."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from standins import STANDIN, alive, begin, exists, jobs_folder, running, until

from engine.identity import boot_id, own
from engine.job_folder import JobFolder, Journal
from engine.protocol import Finished, Phase, Progress, Started, encode_line
from engine.spec import RunSpec, encode
from liveavatar_tui.jobs.cancelling import Outcome, cancel
from liveavatar_tui.jobs.ending import explain
from liveavatar_tui.jobs.records import launch_path, read_exit
from liveavatar_tui.jobs.starting import engine_environment, start
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.watching import Watcher, find_job, job_folders, list_jobs, read_job
from lora_repository.files import write_whole
from lora_repository.finding import Problem


@pytest.fixture
def jobs_dir(tmp_path: Path) -> Iterator[Path]:
    with jobs_folder(tmp_path / "jobs") as folder:
        yield folder


def test_a_job_from_start_to_end(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "finishes")
    assert job.state in (State.STARTING, State.RUNNING)
    until(lambda: not read_job(job.folder).state.live)
    over = read_job(job.folder)
    assert (over.state, over.story.phase, over.fraction) == (State.DONE, Phase.DONE, 1.0)
    assert over.spec is not None and over.spec.prompt == "finishes"
    assert "stdin: /dev/null session: True" in over.folder.log.read_text()


def test_the_folder_is_private_and_the_spec_precedes_the_engine(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "finishes")
    assert stat.S_IMODE(job.folder.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(job.folder.log.stat().st_mode) == 0o600
    assert job.folder.spec.exists()


def test_a_failure_is_told(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "fails")
    until(lambda: not read_job(job.folder).state.live)
    over = read_job(job.folder)
    assert over.state is State.FAILED
    assert over.story.end is not None and over.story.end.code == "RUN040"


def test_an_engine_that_dies_before_it_speaks_is_lost_at_once(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "dies before it speaks")
    until(lambda: read_job(job.folder).state is State.LOST)
    assert "libnowhere" in job.folder.log.read_text()


def test_the_starter_killed_9_does_not_touch_the_job(jobs_dir: Path) -> None:
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time, pathlib\n"
            "from engine.spec import RunSpec\nfrom liveavatar_tui.jobs.starting import start\n"
            "start(RunSpec(prompt='steady', image='/i', audio='/a'), pathlib.Path(sys.argv[1]), command=sys.argv[2:]);"
            "print('up', flush=True); time.sleep(60)",
            str(jobs_dir),
            *STANDIN,
        ],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert starter.stdout is not None and starter.stdout.readline() == b"up\n"
    job = list_jobs(jobs_dir)[0]
    pid = running(job)
    os.killpg(starter.pid, signal.SIGKILL)
    starter.communicate()
    before = read_job(job.folder).story.seq
    until(lambda: read_job(job.folder).story.seq > before + 5)
    assert read_job(job.folder).state is State.RUNNING
    assert os.getsid(pid) == pid


def test_the_engine_killed_9_is_lost(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "steady")
    os.kill(running(job), signal.SIGKILL)
    until(lambda: read_job(job.folder).state is State.LOST)
    assert read_job(job.folder).story.phase is Phase.GENERATING


def test_a_stopped_engine_does_not_respond_until_it_is_woken(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "steady")
    pid = running(job)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: read_job(job.folder).state is State.SILENT)
    finding = explain(read_job(job.folder))
    assert finding is not None and finding.code == "JOB009" and f"kill -CONT {pid}" in finding.fix
    os.kill(pid, signal.SIGCONT)
    until(lambda: read_job(job.folder).state is State.RUNNING)


def test_cancel_that_is_obeyed(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "steady")
    pid = running(job)
    assert cancel(job.folder, 10) is Outcome.ENDED
    assert read_job(job.folder).state is State.CANCELLED
    until(lambda: not exists(pid))
    assert cancel(job.folder, 10) is Outcome.NOT_RUNNING


def test_cancel_right_after_the_start(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "steady")
    assert cancel(job.folder, 10) in (Outcome.ENDED, Outcome.FORCED)
    assert read_job(job.folder).state is State.CANCELLED


def test_cancel_of_a_deaf_engine_is_forced_and_still_reads_cancelled(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "deaf")
    pid = running(job)
    assert cancel(job.folder, 0.3) is Outcome.FORCED
    assert read_job(job.folder).state is State.CANCELLED
    until(lambda: not exists(pid))


def test_cancel_leaves_no_worker_of_the_session(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "leaves a worker")
    pid = running(job)
    workers = [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    assert workers
    assert cancel(job.folder, 10) is Outcome.ENDED
    until(lambda: not any(alive(one) for one in workers))


def test_a_reused_process_number_is_not_the_engine(jobs_dir: Path, tmp_path: Path) -> None:
    job = begin(jobs_dir, "steady")
    pid = running(job)
    os.kill(pid, signal.SIGKILL)
    until(lambda: read_job(job.folder).state is State.LOST)
    proc = process_table(tmp_path, pid, start_time=1)
    assert read_job(job.folder, proc=proc).state is State.LOST
    assert cancel(job.folder, 0.1, proc=proc) is Outcome.NOT_RUNNING


def test_a_reboot_is_recognised(jobs_dir: Path, tmp_path: Path) -> None:
    job = begin(jobs_dir, "steady")
    os.kill(running(job), signal.SIGKILL)
    until(lambda: read_job(job.folder).state is State.LOST)
    proc = process_table(tmp_path, 1, start_time=1, boot="another-boot")
    assert read_job(job.folder, proc=proc).state is State.REBOOTED


def process_table(tmp_path: Path, pid: int, start_time: int, boot: str | None = None) -> Path:
    """A folder that reads as /proc: one process, `pid`, of another start time."""
    proc = tmp_path / "proc"
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "stat").write_text(f"{pid} (a stranger) S 1 {pid} {pid}" + " 0" * 15 + f" {start_time} 0 0")
    (proc / "sys/kernel/random").mkdir(parents=True)
    (proc / "sys/kernel/random/boot_id").write_text((boot or boot_id()) + "\n")
    return proc


def folder_of(jobs_dir: Path, name: str = "20250101-000000-abc123") -> JobFolder:
    folder = JobFolder(jobs_dir / name)
    folder.create()
    write_whole(folder.spec, encode(RunSpec(prompt="p", image="/i", audio="/a")))
    return folder


def test_another_host_is_not_judged_nor_signalled(jobs_dir: Path) -> None:
    folder = folder_of(jobs_dir)
    me = own()
    journal = Journal(folder.events)
    journal.append(Started(v=1, pid=me.pid, start_time=me.start_time, boot_id=me.boot_id, host="elsewhere", engine="0"))
    assert read_job(folder).state is State.FOREIGN
    with pytest.raises(Problem) as refusal:
        cancel(folder, 0.1)
    assert refusal.value.finding.code == "JOB004" and "elsewhere" in refusal.value.finding.message


def test_a_folder_whose_starter_died_before_the_spawn(jobs_dir: Path) -> None:
    folder = folder_of(jobs_dir)
    assert read_job(folder).state is State.STARTING
    os.utime(folder.spec, (0, time.time() - 60))
    assert read_job(folder).state is State.LOST


def test_a_torn_last_line_is_read_when_it_is_whole(jobs_dir: Path) -> None:
    folder = folder_of(jobs_dir)
    me = own()
    started = Started(seq=0, v=1, pid=me.pid, start_time=me.start_time, boot_id=me.boot_id, host=me.host, engine="0")
    last = encode_line(Finished(seq=1, output="/o.mp4", frames=1, seconds=1, fps=1, first_frame_s=1))
    folder.events.write_bytes(encode_line(started) + last[:20])
    watcher = Watcher(folder)
    assert watcher.poll().state is State.RUNNING  # this very process is its engine
    with folder.events.open("ab") as file:
        file.write(last[20:])
    assert watcher.poll().state is State.DONE


def test_an_event_of_a_later_version_is_skipped(jobs_dir: Path) -> None:
    folder = folder_of(jobs_dir)
    line = encode_line(Progress(seq=3, block=1, blocks=2, frame=12, frames=24, fps=1, eta_s=1))
    folder.events.write_bytes(b'{"kind":"from a later version","seq":2}\n' + line)
    watcher = Watcher(folder)
    assert watcher.poll().fraction == 0.5
    assert [event.seq for event in watcher.fresh] == [3]


def test_two_watchers_see_the_same_and_disturb_nothing(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "finishes")
    one, two = Watcher(job.folder), Watcher(job.folder)
    seen: tuple[list[int], list[int]] = ([], [])
    while one.poll().state.live or two.poll().state.live:
        seen[0].extend(event.seq for event in one.fresh)
        seen[1].extend(event.seq for event in two.fresh)
        time.sleep(0.01)
    seen[0].extend(event.seq for event in one.fresh)
    two.poll()
    late = Watcher(job.folder)
    assert late.poll().state is one.poll().state is two.poll().state is State.DONE
    assert seen[0] == [event.seq for event in late.fresh] == list(range(len(late.fresh)))


def test_the_list_is_newest_first_and_skips_strangers(jobs_dir: Path) -> None:
    assert list_jobs(jobs_dir) == []
    names = ["20250101-000000-aaaaaa", "20250102-000000-bbbbbb"]
    for name in names:
        folder_of(jobs_dir, name)
    (jobs_dir / "notes").mkdir()
    (jobs_dir / "x.txt").touch()
    assert [job.id for job in list_jobs(jobs_dir)] == names[::-1]


def test_a_job_is_found_by_a_few_letters(jobs_dir: Path) -> None:
    first = folder_of(jobs_dir, "20250101-000000-aaaaaa")
    second = folder_of(jobs_dir, "20250102-000000-bbbbbb")
    assert find_job(jobs_dir, "aaaa") == first
    assert find_job(jobs_dir, "20250102") == second
    assert find_job(jobs_dir, "last") == second
    for name, code in [("2025", "JOB002"), ("zz", "JOB001"), ("", "JOB001"), ("../x", "JOB001")]:
        with pytest.raises(Problem) as refusal:
            find_job(jobs_dir, name)
        assert refusal.value.finding.code == code


def test_a_spec_that_cannot_be_read_does_not_hide_the_job(jobs_dir: Path) -> None:
    folder = folder_of(jobs_dir)
    folder.spec.write_text('{"prompt": 3}')
    assert read_job(folder).spec is None
    launch_path(folder).write_text("not json")
    assert read_job(folder).state is State.STARTING


def test_a_command_that_does_not_exist_leaves_no_folder(jobs_dir: Path) -> None:
    with pytest.raises(Problem) as refusal:
        start(RunSpec(prompt="", image="/i", audio="/a"), jobs_dir, command=("/nowhere/python",))
    assert refusal.value.finding.code == "JOB003"
    assert job_folders(jobs_dir) == [] and not list(jobs_dir.glob("[0-9]*"))


def test_the_engine_sees_named_variables_only() -> None:
    shell = {
        "CUDA_VISIBLE_DEVICES": "1",
        "AWS_SECRET_ACCESS_KEY": "x",
        "PATH": "/bin",
        "COLUMNS": "80",
        "TERM": "xterm",
    }
    seen = engine_environment(shell, "zh_CN")
    assert seen["CUDA_VISIBLE_DEVICES"] == "1" and seen["PATH"] == "/bin"
    assert "AWS_SECRET_ACCESS_KEY" not in seen and "COLUMNS" not in seen
    assert (seen["LIVEAVATAR_LANG"], seen["PYTHONUTF8"], seen["TERM"]) == ("zh_CN", "1", "dumb")


def test_the_end_of_a_killed_engine_is_explained(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "steady")
    os.kill(running(job), signal.SIGKILL)
    until(lambda: read_exit(job.folder))
    finding = explain(read_job(job.folder))
    assert finding is not None and finding.code == "RUN044" and "SIGKILL" in finding.message


def test_the_end_of_a_crashed_engine_is_explained(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "crashes")
    until(lambda: read_job(job.folder).state is State.LOST)
    finding = explain(read_job(job.folder))
    assert finding is not None and finding.code == "RUN043" and "SIGSEGV" in finding.message


def test_the_end_by_a_reboot_is_explained(jobs_dir: Path, tmp_path: Path) -> None:
    job = begin(jobs_dir, "steady")
    os.kill(running(job), signal.SIGKILL)
    until(lambda: read_job(job.folder).state is State.LOST)
    finding = explain(read_job(job.folder, proc=process_table(tmp_path, 1, start_time=1, boot="another-boot")))
    assert finding is not None and finding.code == "RUN046"


def test_a_good_end_needs_no_explanation(jobs_dir: Path) -> None:
    job = begin(jobs_dir, "finishes")
    until(lambda: not read_job(job.folder).state.live)
    assert explain(read_job(job.folder)) is None
