"""What the repository's commands print as JSON is what docs/schemas says; and the schemas are those in force."""

from __future__ import annotations

import json
import runpy
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from command_lines import Call
from world import write_version

from liveavatar_tui.commands.reports import REPORTS
from lora_repository.published import hashes_of
from lora_repository.repository import LoraRepository
from lora_repository.scores import Comparison, Sample, Score

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "docs/schemas"


def held(call: Call, report: str, *arguments: object, code: int = 0) -> Any:
    """The document that a command prints, which has to be a `report`, with no key more and none less."""
    found, out, err = call(*arguments, "--json")
    assert (found, err) == (code, "")
    msgspec.json.decode(out, type=REPORTS[report])
    document = json.loads(out)
    _same_keys(document, json.loads((SCHEMAS / f"{report}.schema.json").read_text()))
    return document


def _same_keys(document: Any, schema: dict[str, Any]) -> None:
    root = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    assert set(root["required"]) <= set(document) <= set(root["properties"])


def compare(world: Path, passed: bool) -> None:
    version = LoraRepository(world / "lora").version("v2.1")
    made = Comparison(
        version=str(version.name),
        hashes=hashes_of(version.path),
        time=datetime(2026, 3, 14, 9, 26, tzinfo=UTC),
        user="li",
        host="gpu-07",
        protocol="standard-1",
        passed=passed,
        verdict="better",
        against="v1.0_product_demo",
        reasons=("its lips follow the sound",),
        scores=(Score(name="lip_sync", value=0.8, low=0.7, high=0.9, reference=0.7, passed=True),),
        samples=(Sample(file="x/a.mp4"),),
    )
    LoraRepository(world / "lora").add_comparison(made)


def test_the_schemas_in_docs_and_package_are_those_in_force() -> None:
    generator = runpy.run_path(str(SCHEMAS / "generate.py"))
    pages = dict(generator["pages"]())
    for path, text in pages.items():
        assert path.read_text() == text, "write them again: python docs/schemas/generate.py"
    assert {path for path in pages if path.parent == SCHEMAS} == set(SCHEMAS.glob("*.json"))


def test_reports_of_looking(call: Call, world: Path) -> None:
    held(call, "versions", "versions")
    told = held(call, "versions", "versions", "--check", code=1)
    assert [one["proof"]["ok"] for one in told["versions"]] == [True, True, False, True]
    held(call, "resolve", "resolve", "production")
    held(call, "check", "check", "v2.1")
    held(call, "check", "check", "v2.0", code=1)
    held(call, "scores", "scores", "v2.1")
    held(call, "tag", "tag", "v2.1")
    held(call, "diff", "diff", "v1.0", "v2.1")
    held(call, "refusal", "resolve", "nothing", code=2)


def test_reports_of_changing(call: Call, world: Path) -> None:
    write_version(world / "training")
    held(call, "publish", "publish", world / "training")
    held(call, "activate", "activate", "v2.2")
    held(call, "rollback", "rollback")
    held(call, "promote", "promote", "--reason", "tested")
    held(call, "history", "history")
    held(call, "remove", "remove", "v2.3")
    held(call, "trash", "restore")
    held(call, "restore", "restore", "v2.3_training")
    held(call, "prune", "prune", "--keep", "1")
    held(call, "convert", "convert", world / "training/dmd_lora.safetensors", world / "out", "--alpha", "4")
    held(call, "fetch", "fetch", world / "training")
    held(call, "tag", "tag", "v2.1", "--add", "calm", "--note", "for the shop")


def test_reports_of_comparisons(call: Call, world: Path) -> None:
    compare(world, passed=True)
    told = held(call, "scores", "scores", "v2.1")
    assert told["comparisons"][0]["scores"][0]["low"] == 0.7


# --- what people read


def test_tags_and_notes(call: Call, world: Path) -> None:
    code, out, _err = call("tag", "v2.1")
    assert code == 0 and "Nobody has said anything" in out
    code, out, _err = call("tag", "v2.1", "--add", "calm", "--add", "draft", "--note", "for the shop\nand winter")
    assert code == 0 and "calm draft" in out and "  and winter" in out
    code, out, _err = call("tag", "v2.1", "--remove", "draft")
    assert "draft" not in out and "for the shop" in out
    code, out, _err = call("versions", "--filter", "tag:calm shop")
    assert code == 0 and "v2.1" in out and "v2.2" not in out
    assert call("tag", "v2.1", "--add", "Not A Tag")[0] == 2


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("winter", ["v2.0_winter_campaign"]),
        ("-customer", ["v2.0_winter_campaign", "v1.0_product_demo"]),
        ("channel:production", ["v1.0_product_demo"]),
        ("finding:error", ["v2.0_winter_campaign"]),
        ("customer -finding:LORA020", ["v2.2_customer_service_calm", "v2.1_customer_service"]),
        ("passed:yes", ["v2.1_customer_service"]),
        (
            "base:base",
            ["v2.2_customer_service_calm", "v2.1_customer_service", "v2.0_winter_campaign", "v1.0_product_demo"],
        ),
    ],
)
def test_versions_are_filtered(
    call: Call, world: Path, monkeypatch: pytest.MonkeyPatch, query: str, names: list[str]
) -> None:
    # Files that were written just now are not remembered as hashed: their times cannot tell a change.
    now = time.time_ns()
    monkeypatch.setattr("lora_repository.settled.time.time_ns", lambda: now + 10**10)
    compare(world, passed=True)
    code, out, _err = call("versions", f"--filter={query}", "--json")
    assert code == 0
    assert [one["name"] for one in json.loads(out)["versions"]] == names


def test_a_version_that_did_not_pass_is_told(call: Call, world: Path) -> None:
    compare(world, passed=False)
    code, out, _err = call("scores", "v2.1")
    assert code == 1 and "not passed" in out and "lip_sync" in out and "its lips follow the sound" in out


def test_production_asks_for_a_comparison_where_the_settings_say_so(call: Call, world: Path) -> None:
    config = world / "config.yaml"
    config.write_text(config.read_text() + "policy:\n  compared: true\n")
    switch = ("activate", "v2.1", "--channel", "production", "--reason", "x")
    code, _out, err = call(*switch)
    assert code == 1 and "LORA064" in err
    compare(world, passed=True)
    assert call(*switch)[0] == 0


def test_check_says_what_would_not_load(call: Call, world: Path) -> None:
    code, out, _err = call("versions", "--check")
    assert code == 1 and "would not load: LORA014" in out and "would load" in out


def test_diff_reads_without_colour(call: Call, world: Path) -> None:
    code, out, _err = call("diff", "v1.0", "v2.2", "--map", "a")
    assert code == 0 and "\x1b" not in out
    assert "4 -> 8" in out and "self_attn" in out and "blocks: a" in out
    assert call("diff", "v1.0", "v2.0")[0] == 1


def test_diff_without_the_base_model_says_that_strengths_are_absolute(call: Call, world: Path) -> None:
    code, out, _err = call("diff", ROOT / "ckpt/lora_repository/v1.0_product_demo", "v1.0", "--ckpt-dir", world / "no")
    assert code == 1 and "held against Wan2.2-S2V-14B" in out


def test_a_copy_is_told_when_it_is_published(call: Call, world: Path) -> None:
    write_version(world / "training")
    assert "LORA075" not in call("publish", world / "training")[1]
    code, out, _err = call("publish", world / "training")
    assert code == 0 and "LORA075" in out and "v2.3_training" in out
    code, out, _err = call("check", "v2.3")
    assert code == 0 and "LORA075" in out and "v2.4_training" in out


def test_the_base_adapter_of_a_version_stays(call: Call, world: Path) -> None:
    config = world / "lora/v2.2_customer_service_calm/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"base_adapter": "v2.0_winter_campaign"}))
    code, _out, err = call("remove", "v2.0")
    assert code == 1 and "LORA054" in err and "v2.2_customer_service_calm" in err
    call("prune", "--keep", "1")
    assert (world / "lora/v2.0_winter_campaign").is_dir()
    call("remove", "v2.2", "--json")


def test_resolve_prints_one_path_and_nothing_else(call: Call, world: Path) -> None:
    code, out, err = call("resolve", "production")
    assert (code, out, err) == (0, f"{world / 'lora/v1.0_product_demo'}\n", "")
