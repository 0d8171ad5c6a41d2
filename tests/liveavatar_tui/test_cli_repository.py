"""What the repository can do, by command: switched, gone back, published, mended, removed; on real folders."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from world import (
    ATTENTION,
    FEED_FORWARD,
    FINISHED,
    SPEC,
    adapter,
    own_start,
    write_job,
    write_tensors,
    write_version,
    write_world,
)

from engine.spec import RunSpec
from liveavatar_tui.cli import main
from lora_repository.remote_copies import url_place

URL = "https://oss.example.com/lora/warm.safetensors"
NOTED = "# what production uses: ask Li\n"


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_world(tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text(NOTED + config.read_text().replace("v1.0_product_demo", "v1.0_product_demo   # slow"))
    monkeypatch.setenv("LIVEAVATAR_CONFIG", str(config))
    monkeypatch.setenv("LIVEAVATAR_LANG", "en")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]):
    def _call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(one) for one in arguments])
        sys.stdout.flush()
        out, err = capfd.readouterr()
        return code, out, err

    return _call


def asked(call, *arguments: object):
    code, out, err = call(*arguments, "--json")
    assert err == ""
    return code, json.loads(out)


def refused(call, *arguments: object):
    """(exit code, code of the finding) of a command that is refused in both ways of telling."""
    code, out, err = call(*arguments)
    assert out == "" and "Traceback" not in err
    again, told = asked(call, *arguments)
    (finding,) = told["findings"]
    assert again == code and finding["code"] in err and finding["fix"], told
    return code, finding["code"]


def channels(world: Path) -> dict[str, str]:
    return yaml.safe_load((world / "config.yaml").read_text())["lora"]


# --- channels


def test_a_channel_moves_and_every_comment_stays(call, world: Path) -> None:
    before = (world / "config.yaml").read_text()
    code, out, err = call("activate", "v2.1", "--channel", "production", "--reason", "ticket 812")
    assert (code, err) == (0, "")
    assert "production: v1.0_product_demo -> v2.1_customer_service (generation 1" in out
    after = (world / "config.yaml").read_text()
    assert after == before.replace("production: v1.0_product_demo", "production: v2.1_customer_service")
    assert call("resolve", "production")[1] == f"{world}/lora/v2.1_customer_service\n"
    assert (world / "lora/latest").readlink() == Path("v2.1_customer_service")


def test_what_is_already_so_is_not_told_as_a_change(call) -> None:
    call("activate", "v2.1", "--channel", "staging")
    code, out, _err = call("activate", "v2.1", "--channel", "staging")
    assert code == 0 and "already" in out and "generation 1" in out
    assert len(asked(call, "history")[1]["generations"]) == 1


def test_it_is_told_for_whom_something_changes(call, world: Path) -> None:
    call("activate", "production", "--channel", "default")
    spec = RunSpec(prompt="x", image="/i", audio="/a", adapters=(str(world / "lora/v1.0_product_demo"),))
    write_job(world / "jobs", "20260101-000000-aaaaaa", spec, [own_start()])
    _code, out, _err = call("activate", "v2.1", "--channel", "production", "--reason", "x")
    assert "names production, default" in out and "1 running job keeps v1.0_product_demo" in out


def test_production_asks_why_unless_the_policy_does_not(call, world: Path) -> None:
    assert refused(call, "activate", "v2.1", "--channel", "production") == (2, "LORA064")
    assert refused(call, "promote") == (2, "LORA064")
    assert channels(world)["production"] == "v1.0_product_demo"
    with (world / "config.yaml").open("a") as file:
        file.write("policy:\n  reason: false\n")
    assert call("activate", "v2.1", "--channel", "production")[0] == 0


@pytest.mark.parametrize("demand", ["published", "no_warnings"])
def test_production_takes_what_the_policy_takes(call, world: Path, demand: str) -> None:
    with (world / "config.yaml").open("a") as file:
        file.write(f"policy:\n  {demand}: true\n")
    (world / "lora/v2.1_customer_service/old.pt").write_bytes(b"")
    assert refused(call, "activate", "v2.1", "--channel", "production", "--reason", "x") == (1, "LORA064")
    assert call("activate", "v2.1", "--channel", "staging")[0] == 0
    made = asked(call, "publish", world / "lora/v2.1_customer_service")[1]["version"]
    assert call("activate", made, "--channel", "production", "--reason", "x")[0] == 0


@pytest.mark.parametrize("reference", ["nightly", "./nightly/", "{world}/nightly"])
def test_a_typed_path_is_written_so_that_it_leads_there_from_anywhere(
    call, world: Path, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    write_version(world / "elsewhere/nightly")
    shutil.copytree(world / "elsewhere/nightly", world / "nightly")
    monkeypatch.chdir(world if "{" in reference else world / "elsewhere")
    expected = world / ("nightly" if "{" in reference else "elsewhere/nightly")
    assert call("activate", reference.format(world=world), "--channel", "staging")[0] == 0
    assert channels(world)["staging"] == str(expected)
    assert call("resolve", "staging")[1] == f"{expected}\n"


def test_a_channel_is_not_led_in_a_circle_nor_to_nothing(call, world: Path) -> None:
    before = (world / "config.yaml").read_bytes()
    assert refused(call, "activate", "staging", "--channel", "staging") == (2, "LORA062")
    assert refused(call, "activate", "v9.9", "--channel", "staging") == (2, "LORA040")
    assert refused(call, "activate", "org/name", "--channel", "staging") == (1, "LORA060")
    assert refused(call, "activate", "v2.0", "--channel", "staging") == (1, "LORA044")
    assert (world / "config.yaml").read_bytes() == before


def test_a_variable_that_outranks_the_file_is_told(call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEAVATAR_LORA_STAGING", "v1.0_product_demo")
    code, _out, err = call("activate", "v2.1", "--channel", "staging")
    assert code == 0 and "LIVEAVATAR_LORA_STAGING" in err


def test_without_a_settings_file_a_channel_has_no_place(call, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from liveavatar_tui import settings

    monkeypatch.setattr(settings, "config_candidates", list)
    monkeypatch.delenv("LIVEAVATAR_CONFIG")
    monkeypatch.setenv("LIVEAVATAR_LORA_REPOSITORY", str(world / "lora"))
    monkeypatch.setenv("LIVEAVATAR_CKPT_DIR", str(world / "base"))
    assert refused(call, "activate", "v2.1", "--channel", "staging") == (2, "CFG006")
    assert call("activate", "v1.0")[0] == 0


def test_rollback_of_a_channel(call, world: Path) -> None:
    call("activate", "v2.1", "--channel", "staging")
    call("activate", "v1.0", "--channel", "staging")
    code, told = asked(call, "rollback", "--channel", "staging", "--reason", "worse")
    assert (code, told["channel"], told["to"], told["back_to"]) == (0, "staging", "v2.1_customer_service", 1)
    assert call("rollback", "--channel", "staging", "--to", 0)[0] == 0
    assert channels(world)["staging"] == "v2.2_customer_service_calm"
    assert refused(call, "rollback", "--channel", "production") == (1, "LORA046")
    assert refused(call, "rollback", "--channel", "staging", "--to", 99) == (2, "LORA047")


@pytest.mark.parametrize(
    ("staging", "expected"),
    [("v2.2_customer_service_calm", "v2.2_customer_service_calm"), ("latest", "v2.1_customer_service"),
     ("default", "v2.1_customer_service"), ("v2.1", "v2.1")],
)  # fmt: skip
def test_promote_pins_what_staging_is(call, world: Path, staging: str, expected: str) -> None:
    text = (world / "config.yaml").read_text()
    (world / "config.yaml").write_text(text.replace("staging: v2.2_customer_service_calm", f"staging: {staging}"))
    code, told = asked(call, "promote", "--reason", "two quiet days")
    assert (code, told["channel"], told["from"], told["to"]) == (0, "production", "v1.0_product_demo", expected)
    assert channels(world)["production"] == expected and channels(world)["staging"] == staging


def test_nothing_to_promote(call, world: Path) -> None:
    text = (world / "config.yaml").read_text()
    (world / "config.yaml").write_text(text.replace("staging: v2.2_customer_service_calm", "staging:"))
    assert refused(call, "promote", "--reason", "x") == (2, "LORA061")


def test_history_newest_first_by_channel(call) -> None:
    assert "No switch is recorded" in call("history")[1]
    call("activate", "v1.0", "--reason", "first")
    call("activate", "v2.1", "--channel", "production", "--reason", "second")
    call("rollback")
    code, told = asked(call, "history")
    seen = [(one["number"], one["channel"], one["to"], one["reason"], one["back_to"]) for one in told["generations"]]
    assert code == 0 and seen == [
        (3, "latest", "v2.1_customer_service", "", 0),
        (2, "production", "v2.1_customer_service", "second", None),
        (1, "latest", "v1.0_product_demo", "first", None),
    ]
    assert set(told["generations"][0]["hashes"]) == {
        "dmd_lora.safetensors", "t5_lora.safetensors", "config.json",
    }  # fmt: skip
    _code, out, _err = call("history", "--channel", "production")
    (line,) = out.splitlines()
    assert line.startswith("2  ") and "v1.0_product_demo -> v2.1_customer_service" in line and line.endswith("second")


# --- making


def test_publish_a_folder(call, world: Path) -> None:
    write_version(world / "training/checkpoint-800")
    code, told = asked(call, "publish", world / "training/checkpoint-800")
    assert (code, told["version"]) == (0, "v2.3_checkpoint_800")
    assert set(told["files"]) == {"dmd_lora.safetensors", "t5_lora.safetensors", "config.json"}
    assert told["path"] == str(world / "lora/v2.3_checkpoint_800") and Path(told["path"]).is_dir()
    code, out, _err = call("publish", world / "training/checkpoint-800", "--as", "v3.0_calm")
    assert code == 0 and "liveavatar-tui activate v3.0_calm" in out
    assert refused(call, "publish", world / "training/checkpoint-800", "--as", "v3.0_x") == (1, "LORA052")
    assert refused(call, "publish", world / "training/checkpoint-800", "--as", "final") == (2, "LORA026")
    assert refused(call, "publish", "v2.0") == (1, "LORA051")
    assert refused(call, "publish", "nowhere/at/all") == (1, "LORA008")


def test_a_byte_that_changed_after_publication_fails_the_check(call, world: Path) -> None:
    call("publish", "v2.1", "--as", "v3.0_calm")
    assert call("check", "v3.0")[0] == 0
    file = world / "lora/v3.0_calm/dmd_lora.safetensors"
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    code, told = asked(call, "check", "v3.0")
    assert (code, told["ok"], [finding["code"] for finding in told["findings"]]) == (1, False, ["LORA050"])


def note_alpha(path: Path, alpha: int) -> None:
    """Say alpha in the metadata, as a single file must."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    raw = json.dumps({"__metadata__": {"lora_alpha": str(alpha)}} | json.loads(content[8:end])).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + content[end:])


def test_publish_a_url_that_was_fetched(call, world: Path) -> None:
    assert refused(call, "resolve", URL) == (1, "LORA060")
    write_tensors(url_place(URL), adapter(ATTENTION | FEED_FORWARD, 4))
    note_alpha(url_place(URL), 8)
    assert call("fetch", URL + "?token=secret") == (0, f"{url_place(URL)}\n", "")
    code, out, err = call("fetch", URL + "?token=secret", "--json")
    assert code == 0 and json.loads(out)["reference"] == URL and "secret" not in out + err
    told = asked(call, "publish", URL)[1]
    assert told["version"] == "v2.3_warm"
    assert json.loads((world / "lora/v2.3_warm/config.json").read_text())["lora_alpha"] == 8


def test_fetch_of_a_channel_from_the_hub(world: Path) -> None:
    """A server that speaks the hub's API; the client reads its address once, so it runs in a process of its own."""
    spec = importlib.util.spec_from_file_location("hub", Path(__file__).parents[1] / "lora_repository/small_hub.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    version = world / "lora/v2.1_customer_service"
    hub = module.SmallHub({file.name: file.read_bytes() for file in version.iterdir()})
    environ = os.environ | {"HF_ENDPOINT": hub.url, "LIVEAVATAR_LORA_STAGING": "org/name"}
    environ = {name: value for name, value in environ.items() if "HUB_OFFLINE" not in name}

    def called(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "liveavatar_tui.cli", *arguments]
        return subprocess.run(line, capture_output=True, text=True, env=environ)

    try:
        told = called("resolve", "staging")
        assert told.returncode == 1 and "liveavatar-tui fetch staging" in told.stderr
        told = called("fetch", "staging")
        assert (told.returncode, told.stdout) == (0, called("resolve", "staging").stdout), told.stderr
        assert (Path(told.stdout.strip()) / "config.json").read_bytes() == (version / "config.json").read_bytes()
        made = json.loads(called("publish", "staging", "--json").stdout)
        assert made["version"] == "v2.3_name"
        hub.refusal = 404
        told = called("fetch", "org/name@other")
        assert told.returncode == 1 and "LORA066" in told.stderr and told.stdout == ""
    finally:
        hub.close()


def test_convert_one_and_several(call, world: Path) -> None:
    kohya = {
        f"lora_unet_{name.replace('.', '_')}.lora_{role}.weight": shape
        for name, (rows, columns) in ATTENTION.items()
        for role, shape in (("down", (2, columns)), ("up", (rows, 2)))
    }
    write_tensors(world / "theirs.safetensors", kohya)
    code, told = asked(call, "convert", world / "theirs.safetensors", world / "ours")
    assert (code, told["ok"], told["config"]["dmd_rank"]) == (0, True, 2)
    assert call("check", world / "ours")[0] == 0
    code, told = asked(
        call, "convert", "v2.1", world / "theirs.safetensors", world / "both", "--strength", 1, "--strength", 0.5
    )
    # The version has rank 4 at strength 16 / 4, which stays the common one: alpha is 4 times the joint rank.
    assert (code, told["config"]["dmd_rank"], told["config"]["lora_alpha"]) == (0, 6, 24.0)
    assert [finding["code"] for finding in told["findings"]][:1] == ["LORA070"]
    assert refused(call, "convert", "v2.1", "v1.0", world / "x", "--strength", 1) == (2, "LORA069")
    assert refused(call, "convert", "v2.1", world / "x", "--strength", 0) == (2, "LORA069")
    assert refused(call, "convert", "v2.1", world / "ours") == (1, "LORA049")
    assert refused(call, "convert", world / "base/google", world / "x") == (1, "LORA004")


# --- mending


def spoil(folder: Path) -> Path:
    """A misnamed adapter that nobody may read, and a rank in config.json that no tensor has."""
    write_version(folder, said=8)
    (folder / "dmd_lora.safetensors").rename(folder / "dmd-lora.safetensors")
    (folder / "dmd-lora.safetensors").chmod(0o000)
    (folder / "config.json").chmod(0o666)
    return folder


def test_check_proposes_and_mends_only_when_asked(call, world: Path) -> None:
    folder = spoil(world / "spoilt")
    code, out, _err = call("check", folder)
    assert code == 1 and f"liveavatar-tui check {folder} --fix" in out and "Set the rights of" in out
    assert not (folder / "dmd_lora.safetensors").exists()
    code, told = asked(call, "check", folder, "--fix")
    assert (code, told["ok"], told["mendable"]) == (0, True, [])
    assert len(told["mended"]) == 4, told
    assert json.loads((folder / "config.json").read_text())["dmd_rank"] == 4
    code, out, _err = call("check", folder, "--fix")
    assert code == 0 and "mended" not in out


def test_check_full_reads_the_numbers(call, world: Path) -> None:
    _code, told = asked(call, "check", "v2.1")
    assert told["findings"] == []
    code, told = asked(call, "check", "v2.1", "--full")
    assert code == 0 and {finding["code"] for finding in told["findings"]} == {"LORA032"}
    file = world / "lora/v2.1_customer_service/dmd_lora.safetensors"
    file.write_bytes(file.read_bytes()[:-2] + b"\xc0\x7f")
    code, told = asked(call, "check", "v2.1", "--full")
    assert (code, told["ok"]) == (1, False) and "LORA031" in {finding["code"] for finding in told["findings"]}


# --- removing


def test_what_is_in_use_is_not_removed(call, world: Path) -> None:
    spec = RunSpec(prompt="x", image="/i", audio="/a", adapters=(str(world / "lora/v2.0_winter_campaign"),))
    job = write_job(world / "jobs", "20260101-000000-aaaaaa", spec, [own_start()])
    for version in ("v2.1", "v1.0", "v2.2", "v2.0"):
        assert refused(call, "remove", version) == (1, "LORA054"), version
    assert "activate VERSION --channel staging" in call("remove", "v2.2")[2]
    assert f"jobs cancel {job.root.name}" in call("remove", "v2.0")[2]
    assert asked(call, "prune", "--keep", 1)[1]["removed"] == []
    assert len(asked(call, "versions")[1]["versions"]) == 4


def test_remove_and_restore(call, world: Path) -> None:
    write_job(world / "jobs", "20260101-000000-aaaaaa", SPEC, [own_start(), FINISHED])
    assert "empty" in call("restore")[1]
    code, out, _err = call("remove", "v2.0")
    assert code == 0 and "liveavatar-tui restore v2.0_winter_campaign" in out
    assert not (world / "lora/v2.0_winter_campaign").exists()
    (gone,) = asked(call, "restore")[1]["trash"]
    assert gone["name"] == "v2.0_winter_campaign" and Path(gone["place"]).is_dir()
    assert refused(call, "restore", "v7.0_x") == (2, "LORA055")
    assert asked(call, "restore", "v2.0_winter_campaign") == (
        0,
        {"name": "v2.0_winter_campaign", "path": str(world / "lora/v2.0_winter_campaign")},
    )
    assert (world / "lora/v2.0_winter_campaign/config.json").exists()


def test_prune_keeps_the_newest_and_empties_the_trash_when_asked(call, world: Path) -> None:
    for number in range(3):
        write_version(world / f"lora/v1.{number + 1}_x")
    code, told = asked(call, "prune", "--keep", 2)
    assert code == 0
    assert [one["name"] for one in told["removed"]] == ["v1.1_x", "v1.2_x", "v1.3_x", "v2.0_winter_campaign"]
    assert told["deleted"] == [] and len(asked(call, "restore")[1]["trash"]) == 4
    assert asked(call, "prune", "--keep", 2, "--empty-trash", 1)[1] == {"removed": [], "deleted": []}
    code, out, _err = call("prune", "--keep", 2, "--empty-trash", 0)
    assert code == 0 and "4 removed versions are deleted" in out
    assert asked(call, "restore")[1]["trash"] == []


@pytest.mark.parametrize(
    "arguments",
    [["prune"], ["prune", "--keep", "0"], ["prune", "--keep", "-1"], ["prune", "--keep", "x"],
     ["prune", "--keep", "3", "--empty-trash", "-1"], ["activate", "v2.1", "--channel", "prod"], ["publish"],
     ["history", "--channel", "prod"],
     ["convert", "x"], ["rollback", "--to", "x"], ["fetch"]],
)  # fmt: skip
def test_misuse(call, world: Path, arguments: list[str]) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "") and f"liveavatar-tui {arguments[0]} --help" in err
    assert not (world / "lora/.liveavatar").exists()
