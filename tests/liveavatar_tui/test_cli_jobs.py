"""The command line on queue, notes, filters, pruning and repeating: the words of the app, and JSON for scripts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from command_lines import Call, asked, refused
from standins import STANDIN, begin, enqueue, jobs_folder, kept, kill, over, running, until
from standins import keeper as keeper_of
from world import FINISHED, OUT_OF_MEMORY, SPEC, half_way, own_start, write_job

import liveavatar_tui.jobs.starting
from liveavatar_tui.jobs import sheltering
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.sheltering import Login, logout_finding
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.watching import list_jobs, read_job
from liveavatar_tui.settings import load_settings


@pytest.fixture
def jobs_dir(world: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Engines are stand-ins, wherever a command starts one."""
    starting = liveavatar_tui.jobs.starting
    monkeypatch.setattr(starting.submit, "__kwdefaults__", {"command": STANDIN, "repeats": ""})
    monkeypatch.setattr(starting.start, "__kwdefaults__", {"claim": None, "command": STANDIN, "repeats": ""})
    with jobs_folder(world / "jobs") as folder:
        yield folder


def steady(jobs_dir: Path) -> Job:
    job = begin(jobs_dir, "steady")
    running(job)
    return job


def test_a_run_waits_while_another_has_the_device(world: Path, jobs_dir: Path, call: Call) -> None:
    first = steady(jobs_dir)
    code, out, _err = call("run", "--no-lora", "--prompt", "finishes")
    assert code == 0 and "waits in the queue, at place 1" in out
    code, told = asked(call, "queue")
    (waiting,) = told["waiting"]
    assert code == 0 and waiting["devices"] == ["cpu"] and waiting["needs"]["cpu"] > 0
    assert waiting["why"] == "until the running job ends" and waiting["ahead"] == []
    call("cancel", first.id)
    second = list_jobs(jobs_dir)[0]
    until(lambda: read_job(second.folder).state is State.DONE)
    assert call("queue") == (0, "No job waits.\n", "")


def test_a_run_that_need_not_wait_and_one_that_will_not(world: Path, jobs_dir: Path, call: Call) -> None:
    code, out, _err = call("run", "--no-lora", "--prompt", "steady")
    assert code == 0 and out.startswith("Started")
    code, out, _err = call("run", "--no-lora", "--prompt", "steady", "--now")
    assert code == 0 and out.startswith("Started")
    until(lambda: [job.state for job in list_jobs(jobs_dir)] == [State.RUNNING] * 2)


def test_the_queue_is_rearranged(world: Path, jobs_dir: Path, call: Call) -> None:
    first = steady(jobs_dir)
    a, b = enqueue(jobs_dir, "finishes"), enqueue(jobs_dir, "finishes")
    code, told = asked(call, "queue", "move", b.id, 1)
    assert code == 0 and [one["id"] for one in told["waiting"]] == [b.id, a.id]
    assert told["waiting"][1]["why"] == f"after {b.id}"
    _code, out, _err = call("queue", "hold", b.id)
    assert [line.split()[:3] for line in out.splitlines()] == [["1", b.id, "cpu"], ["2", a.id, "cpu"]]
    assert "held" in call("jobs", "show", b.id)[1]
    call("queue", "release", b.id)
    assert asked(call, "cancel", a.id) == (0, {"id": a.id, "outcome": "withdrawn"})
    assert refused(call, "queue", "hold", first.id) == (1, "JOB007")
    call("cancel", first.id)
    until(lambda: over(b))


def test_looking_wakes_a_queue_whose_keepers_are_gone(world: Path, jobs_dir: Path, call: Call) -> None:
    first = steady(jobs_dir)
    waiting = enqueue(jobs_dir, "finishes")
    for job in (first, waiting):
        kill(keeper_of(job.folder))
    call("jobs")
    until(lambda: kept(waiting.folder))
    call("cancel", first.id)
    until(lambda: read_job(waiting.folder).state is State.DONE)


def test_the_list_is_filtered_and_ordered(world: Path, jobs_dir: Path, call: Call) -> None:
    write_job(jobs_dir, "20260310-000000-aaaaaa", SPEC, [*half_way(), FINISHED])
    write_job(jobs_dir, "20260311-000000-bbbbbb", SPEC, [own_start(), OUT_OF_MEMORY])

    def ids(*flags: str) -> list[str]:
        return [job["id"][-1] for job in asked(call, "jobs", *flags)[1]["jobs"]]

    assert (ids(), ids("--filter", "state:failed"), ids("--sort", "state")) == (["b", "a"], ["b"], ["a", "b"])
    assert "No job in" in call("jobs", "--filter", "nothing")[1]
    assert call("jobs", "--sort", "colour")[0] == 2


def test_a_note_is_written_read_and_taken_away(world: Path, jobs_dir: Path, call: Call) -> None:
    write_job(jobs_dir, "20260310-000000-aaaaaa", SPEC, [*half_way(), FINISHED])
    assert call("note", "last")[1].endswith("has no note.\n")
    assert call("note", "last", "the \x1b[31mtake")[1] == "the take\n"
    assert asked(call, "note", "last")[1]["note"] == "the \x1b[31mtake"
    assert "the take" in call("jobs")[1] and "the take" in call("jobs", "show", "last")[1]
    assert asked(call, "note", "last", "")[1]["note"] == ""


def test_pruning_shows_first_and_deletes_with_yes(world: Path, jobs_dir: Path, call: Call) -> None:
    old = write_job(jobs_dir, "20260310-000000-aaaaaa", SPEC, [*half_way(), FINISHED])
    assert call("jobs", "--prune") == (2, "", "Say what is old: --older-than 30d, --over 20GB, or both.\n")
    assert call("jobs", "--prune", "--older-than", "soon")[0] == 2
    _code, out, _err = call("jobs", "--prune", "--older-than", "30d")
    assert old.root.name in out and "add --yes" in out and old.root.exists()
    call("note", "last", "chosen")
    assert "No job is old enough" in call("jobs", "--prune", "--older-than", "30d", "--yes")[1]
    call("note", "last", "")
    code, told = asked(call, "jobs", "--prune", "--over", "1kB", "--yes")
    assert code == 0 and told["deleted"] == [old.root.name] and told["jobs"][0]["reason"] == "size"
    assert not old.root.exists()


def test_a_job_is_repeated_whole_or_changed(world: Path, jobs_dir: Path, call: Call) -> None:
    settings = load_settings(world / "config.yaml", environ={})
    stack = tuple(str(world / "lora" / name) for name in ("v1.0_product_demo", "v2.1_customer_service"))
    spec = msgspec.structs.replace(
        SPEC,
        prompt="finishes",
        image=settings.generate.image,
        audio=settings.generate.audio,
        ckpt_dir=settings.ckpt_dir,
        size="256*256",
        adapters=stack,
    )
    first = write_job(jobs_dir, "20260310-000000-aaaaaa", spec, [own_start(), OUT_OF_MEMORY])
    code, told = asked_last(call, "retry", first.root.name, "--wait")
    assert (code, told["state"], told["repeats"]) == (0, "done", first.root.name)
    assert newest(jobs_dir).spec == spec
    code, _told = asked_last(call, "retry", first.root.name, "--seed", "7", "--num-clip", "2", "--wait")
    assert newest(jobs_dir).spec == msgspec.structs.replace(spec, seed=7, num_clip=2)
    asked_last(call, "retry", first.root.name, "--no-lora", "--wait")
    assert newest(jobs_dir).spec.adapters == ()
    code, _out, _err = call("retry", first.root.name, "--cheaper", "--wait")
    changed = newest(jobs_dir).spec
    assert code == 0 and changed.adapters == stack and changed != spec
    first.spec.write_text("{")
    assert refused(call, "retry", first.root.name) == (1, "JOB010")


def asked_last(call: Call, *arguments: str) -> tuple[int, dict[str, object]]:
    """As `asked`, where preflight may warn on standard error."""
    import json

    code, out, _err = call(*arguments, "--json")
    return code, json.loads(out)


def newest(jobs_dir: Path) -> Job:
    return max(list_jobs(jobs_dir), key=lambda job: job.folder.spec.stat().st_mtime_ns)


# --- logind


@pytest.mark.parametrize(
    ("lingers", "kills", "manager", "scope", "warned"),
    [
        (True, True, True, True, False),
        (True, False, True, True, False),
        (True, True, False, False, True),
        (False, True, True, False, True),
        (False, False, True, False, False),
        (None, None, True, True, False),
        (None, None, False, False, False),
    ],
)
def test_a_scope_where_it_outlives_the_login_and_a_word_where_nothing_does(
    lingers: bool | None, kills: bool | None, manager: bool, scope: bool, warned: bool
) -> None:
    login = Login(lingers, kills, manager)
    finding = logout_finding(login)
    assert (login.scope, finding is not None) == (scope, warned)
    if finding is not None:
        assert finding.code == "JOB006" and "loginctl enable-linger" in finding.fix


def test_what_logind_says_is_asked_of_loginctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """loginctl itself is a script here: no logind runs where tests do."""
    script = tmp_path / "loginctl"
    script.write_text('#!/bin/sh\ncase "$*" in *KillUserProcesses*) echo yes;; *Linger*) echo no;; esac\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert sheltering.look({}) == Login(lingers=False, kills=True, manager=False)
    script.write_text("#!/bin/sh\nexit 1\n")
    assert sheltering.look({}) == Login(None, None, manager=False)
    script.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("loginctl") is None and sheltering.look({}) == Login(None, None, manager=False)


def test_a_run_warns_of_a_logout_that_would_end_it(
    world: Path, jobs_dir: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheltering, "look", lambda: Login(lingers=False, kills=True, manager=True))
    _code, _out, err = call("run", "--no-lora", "--prompt", "finishes", "--wait")
    assert "JOB006" in err and "loginctl enable-linger" in err
