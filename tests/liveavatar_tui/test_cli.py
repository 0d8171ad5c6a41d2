"""The command line: what it prints, where, with which exit code; the same whether a person or a script reads it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from world import write_job, write_version, write_world

from engine.protocol import Failed
from engine.spec import RunSpec
from liveavatar_tui.cli import main


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_world(tmp_path)
    monkeypatch.setenv("LIVEAVATAR_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.setenv("LIVEAVATAR_LANG", "en")
    return tmp_path


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]):
    def _call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(one) for one in arguments])
        sys.stdout.flush()
        out, err = capfd.readouterr()
        return code, out, err

    return _call


def asked(call, *arguments: object) -> tuple[int, dict[str, object]]:
    code, out, err = call(*arguments, "--json")
    assert err == ""
    return code, json.loads(out)


def test_versions_newest_first_with_channels(call) -> None:
    code, out, _err = call("versions")
    lines = [line.split() for line in out.splitlines()[1:]]
    assert code == 0
    assert [line[1 if line[0] == "*" else 0] for line in lines] == [
        "v2.2_customer_service_calm",
        "v2.1_customer_service",
        "v2.0_winter_campaign",
        "v1.0_product_demo",
    ]
    assert lines[1][0] == "*" and {"latest,", "default"} <= set(lines[1])


def test_versions_for_scripts(call, world: Path) -> None:
    code, told = asked(call, "versions")
    assert (code, told["latest"], told["findings"]) == (0, "v2.1_customer_service", [])
    first = told["versions"][0]
    assert first["path"] == str(world / "lora/v2.2_customer_service_calm") and first["channels"] == ["staging"]


def test_a_broken_latest_is_told_and_fails(call, world: Path) -> None:
    (world / "lora/latest").unlink()
    (world / "lora/latest").symlink_to("v9.9_gone")
    code, out, _err = call("versions")
    assert code == 1 and "LORA043" in out


def test_check_of_a_good_version(call) -> None:
    code, out, err = call("check", "v2.1_customer_service")
    assert code == 0 and err == ""
    assert "dmd_lora.safetensors" in out and "rank 4" in out and "24 of 24 tensors" in out and "strength 4" in out


def test_check_names_code_cause_and_mending_command(call) -> None:
    code, out, _err = call("check", "v2.0")
    assert code == 1
    assert "error LORA014" in out and "to mend: sed " in out


@pytest.mark.parametrize(
    "name", ["latest", "default", "v2.1", "lora/v2.1_customer_service", "lora/v2.1_customer_service/"]
)
def test_check_takes_any_name_of_a_lora(call, world: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(world)
    code, told = asked(call, "check", name)
    assert (code, told["ok"], told["path"]) == (0, True, str(world / "lora/v2.1_customer_service"))


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (lambda folder: (folder / "config.json").unlink(), "LORA001"),
        (lambda folder: (folder / "config.json").write_text("{"), "LORA002"),
        (lambda folder: (folder / "dmd_lora.safetensors").rename(folder / "dmd-lora.safetensors"), "LORA005"),
        (lambda folder: (folder / "dmd_lora.safetensors").write_bytes(b"no header"), "LORA013"),
    ],
)
def test_the_mistakes_of_the_table(call, world: Path, harm, code: str) -> None:
    harm(world / "lora/v2.1_customer_service")
    exit_code, told = asked(call, "check", "v2.1")
    found = {finding["code"]: finding for finding in told["findings"]}
    assert exit_code == 1 and code in found, told
    assert found[code]["fix"]


def test_activate_and_rollback(call, world: Path) -> None:
    code, out, _err = call("activate", "v1.0", "--reason", "ticket 812")
    assert code == 0 and "v2.1_customer_service -> v1.0_product_demo" in out
    assert (world / "lora/latest").readlink() == Path("v1.0_product_demo")
    code, told = asked(call, "rollback")
    assert code == 0 and told["to"] == "v2.1_customer_service"
    assert (world / "lora/latest").readlink() == Path("v2.1_customer_service")
    code, told = asked(call, "rollback", "--to", "1", "--reason", "again")
    assert code == 0 and (told["to"], told["back_to"], told["reason"]) == ("v1.0_product_demo", 1, "again")


def test_activate_refuses_what_would_not_load(call, world: Path) -> None:
    code, out, err = call("activate", "v2.0")
    assert (code, out) == (1, "") and "LORA044" in err
    assert (world / "lora/latest").readlink() == Path("v2.1_customer_service")


def test_resolve_prints_one_path_and_nothing_else(call, world: Path) -> None:
    for channel, version in [("latest", "v2.1_customer_service"), ("production", "v1.0_product_demo")]:
        assert call("resolve", channel) == (0, f"{world}/lora/{version}\n", "")


def test_resolve_of_nothing_prints_nothing_on_stdout(call) -> None:
    code, out, err = call("resolve", "produktion")
    assert (code, out) == (2, "") and "LORA061" in err and "production" in err


def test_resolve_in_a_script(world: Path) -> None:
    script = 'LORA_PATH=$("$0" -m liveavatar_tui.cli resolve staging) && cd "$LORA_PATH" && pwd'
    told = subprocess.run(["sh", "-c", script, sys.executable], capture_output=True, text=True, check=True)
    assert told.stdout == f"{world}/lora/v2.2_customer_service_calm\n"


def test_jobs_of_a_new_user(call, world: Path) -> None:
    assert call("jobs") == (0, f"No jobs in {world}/jobs.\n", "")
    code, told = asked(call, "jobs")
    assert (code, told["jobs"]) == (0, [])


def test_a_job_that_is_not_there(call) -> None:
    code, out, err = call("jobs", "show", "last")
    assert (code, out) == (1, "") and "JOB001" in err
    code, out, err = call("jobs", "cancel", "x", "--json")
    assert code == 1 and json.loads(out)["findings"][0]["code"] == "JOB001" and err == ""


def test_config_tells_where_each_value_comes_from(call, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEAVATAR_GENERATE_SEED", "7")
    code, told = asked(call, "config")
    assert code == 0
    assert told["generate.seed"] == {"value": 7, "source": "environment", "origin": "LIVEAVATAR_GENERATE_SEED"}
    assert told["lora.production"]["origin"] == f"{world}/config.yaml:3"


def test_a_broken_settings_file_is_misuse(call, world: Path) -> None:
    (world / "config.yaml").write_text("lora:\n  prodution: x\n")
    code, out, err = call("versions")
    assert (code, out) == (2, "")
    assert "CFG003" in err and "line 2" in err and "lora.production" in err


def test_another_settings_file(call, world: Path) -> None:
    other = world / "other.yaml"
    other.write_text("lora: {repository: elsewhere}\n")
    code, out, _err = call("--config", other, "versions")
    assert code == 1 and "LORA041" in out


@pytest.mark.parametrize("arguments", [["nope"], ["versions", "--nope"], ["check"], ["run", "--seed", "x"]])
def test_misuse_is_exit_2_without_a_traceback(call, arguments: list[str]) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "") and "Traceback" not in err and err


@pytest.mark.parametrize("arguments", [["preflight", "--seed", "-3"], ["run", "--offload-model", "perhaps"]])
def test_a_flag_that_does_not_fit_names_the_flag(call, arguments: list[str]) -> None:
    code, _out, err = call(*arguments)
    assert code == 2 and "CFG005" in err and arguments[1] in err


def test_preflight_takes_the_flags_of_upstream(call, world: Path) -> None:
    code, told = asked(
        call,
        *("preflight", "--lora_path_dmd", world / "lora/v2.2_customer_service_calm/", "--ckpt_dir", world / "base"),
        *(
            "--size",
            "688*368",
            "--num_clip",
            100,
            "--offload_model",
            "True",
            "--image",
            "/no.png",
            "--audio",
            "/no.wav",
        ),
    )
    found = {finding["code"] for finding in told["findings"]}
    assert code == 1 and {"RUN020", "RUN025"} <= found
    assert any("688*368" in row["value"] for row in told["rows"])


def test_run_starts_nothing_that_preflight_refuses(call, world: Path) -> None:
    code, out, err = call("run", "--image", "/no.png")
    assert (code, out) == (1, "") and "RUN020" in err and "Nothing was started" in err
    assert not (world / "jobs").exists()


def test_hostile_text_does_not_reach_the_terminal(call, world: Path) -> None:
    hostile = world / "\x1b]0;owned\x07\x1b[31mv3"
    write_version(hostile)
    spec = RunSpec(prompt="\x1b[31m", image="/i\x9b", audio="/a", label="\x1b]0;owned\x07")
    write_job(world / "jobs", "20260101-000000-aaaaaa", spec, [Failed(code="RUN099", message="\x1b[2J", fix="\x07")])
    of_jobs = [["jobs"], ["jobs", "show", "last"], ["jobs", "show", "\x1b[2J\x9b31m"]]
    for arguments in (*of_jobs, ["versions"], ["versions", "\x1b[31m"], ["check", hostile], ["\x1b[31m"]):
        _code, out, err = call(*arguments)
        assert not {"\x1b", "\x07", "\x9b"} & set(out + err), arguments


def test_a_name_that_is_not_utf8_survives_json_and_resolve(world: Path) -> None:
    folder = os.fsencode(world) + b"/l\xff"
    shutil.copytree(os.fsencode(world / "lora/v2.1_customer_service"), folder)
    told = subprocess.run([sys.executable, "-m", "liveavatar_tui.cli", "resolve", folder], capture_output=True)
    assert told.returncode == 0 and told.stdout == folder + b"\n"
    told = subprocess.run([sys.executable, "-m", "liveavatar_tui.cli", "check", "--json", folder], capture_output=True)
    assert json.loads(told.stdout)["ok"] is True
