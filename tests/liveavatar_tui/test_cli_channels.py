"""Channels by command: moved, promoted, gone back, and who is told what; on real folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from command_lines import asked, refused
from world import own_start, write_job, write_version

from engine.spec import RunSpec

pytestmark = pytest.mark.usefixtures("world")


def channels(world: Path) -> dict[str, str]:
    return yaml.safe_load((world / "config.yaml").read_text())["lora"]


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
    from liveavatar_tui import paths

    monkeypatch.setattr(paths, "config_candidates", lambda: iter(()))
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
