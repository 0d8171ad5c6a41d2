"""Versions by command: published, fetched, converted, mended, removed and brought back; on real folders."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_lines import asked, refused
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
)

from engine.spec import RunSpec
from lora_repository.remote_copies import url_place

pytestmark = pytest.mark.usefixtures("world")
URL = "https://oss.example.com/lora/warm.safetensors"


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
