"""The list of versions: channels, dates, remarks and proofs, read anew or remembered."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from world import write_base

from liveavatar_tui import proving
from liveavatar_tui.catalogue import Catalogue, Listing
from liveavatar_tui.settings import load_settings
from lora_repository.proof import Proof, prove
from lora_repository.shallow import shallow


@pytest.fixture
def asked(world: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Every path that is really proved; with a clock that lets files of this moment count as settled."""
    proved: list[Path] = []

    def counted(path: Path, *tables: object) -> Proof:
        proved.append(path)
        return prove(path, *tables)  # type: ignore[arg-type]

    now = time.time_ns
    monkeypatch.setattr(proving, "prove", counted)
    monkeypatch.setattr("lora_repository.settled.time.time_ns", lambda: now() + 10**10)
    yield proved


def catalogue(world: Path) -> Catalogue:
    settings = load_settings(world / "config.yaml", environ={})
    return Catalogue(Path(settings.lora.repository), settings.channels(), settings.ckpt_dir)


def pass_over(world: Path) -> tuple[Catalogue, Listing, list[bool]]:
    """A start of the app: list, judge, remember."""
    one = catalogue(world)
    listing = one.read()
    proofs = [one.shallow(row) for row in listing.rows]
    assert proofs == [shallow(one.prove(row)) for row in listing.rows]
    one.keep_proofs()
    return one, listing, [proof.ok for proof in proofs]


def test_the_second_start_proves_nothing_that_has_not_changed(world: Path, asked: list[Path]) -> None:
    assert pass_over(world)[2] == [True, True, False, True]
    asked.clear()
    one = catalogue(world)
    assert [one.shallow(row).ok for row in one.read().rows] == [True, True, False, True]
    assert not asked
    config = world / "lora/v2.1_customer_service/config.json"
    config.write_text(config.read_text().replace('"dmd_rank": 4', '"dmd_rank": 5'))
    one = catalogue(world)
    assert [one.shallow(row).ok for row in one.read().rows] == [True, False, False, True]
    assert [path.name for path in asked] == ["v2.1_customer_service"]


def test_another_base_model_is_another_proof(world: Path, asked: list[Path]) -> None:
    pass_over(world)
    asked.clear()
    write_base(world / "base")
    pass_over(world)
    assert len(asked) == 8  # each shallow and in full


def test_a_base_model_that_is_not_whole_is_told_and_not_remembered(world: Path, asked: list[Path]) -> None:
    pass_over(world)
    weights = world / "base/diffusion_pytorch_model.safetensors"
    weights.rename(world / "away")
    one = catalogue(world)
    told = {finding.code for row in one.read().rows for finding in one.shallow(row).findings}
    assert told == {"RUN011"}
    one.keep_proofs()
    (world / "away").rename(weights)
    assert pass_over(world)[2] == [True, True, False, True]


def test_what_people_say_is_in_the_list(world: Path) -> None:
    one = catalogue(world)
    one.annotate("v1.0", add=["old"], note="of the spring")
    row = next(row for row in one.read().rows if row.name == "v1.0_product_demo")
    assert (row.tags, row.note, row.compared) == (("old",), "of the spring", None)
    assert one.read().removed == 0


@pytest.mark.parametrize(
    "said", ["v2.1_customer_service", "v2.1", "2.1", "{root}/v2.1_customer_service", "{root}/v2.1_customer_service/"]
)
def test_a_channel_names_its_version_in_every_way(world: Path, said: str) -> None:
    one = Catalogue(world / "lora", {"staging": said.format(root=world / "lora")}, "embedded")
    rows = {row.name: row.channels for row in one.read().rows}
    assert rows["v2.1_customer_service"] == ("latest", "staging")
    assert rows["v1.0_product_demo"] == ()


def test_a_channel_that_follows_latest_moves_with_it(world: Path) -> None:
    for said in ("latest", str(world / "lora/latest"), str(world / "lora/latest/")):
        one = Catalogue(world / "lora", {"default": said}, "embedded")
        listing = one.read()
        assert next(row.channels for row in listing.rows if row.name == listing.latest) == ("latest", "default")


def test_a_history_that_cannot_be_read_does_not_hide_the_versions(world: Path) -> None:
    (world / "lora/.liveavatar/generations.jsonl").mkdir(parents=True)
    listing = catalogue(world).read()
    assert (len(listing.findings), len(listing.rows)) == (1, 4)


def test_notes_that_cannot_be_read_do_not_hide_the_versions(world: Path) -> None:
    notes = world / "lora/.liveavatar/notes.jsonl"
    notes.mkdir(parents=True)
    listing = catalogue(world).read()
    assert (len(listing.findings), len(listing.rows)) == (1, 4)
    notes.rmdir()
    notes.write_text("{\n" + json.dumps({"version": "v1.0_product_demo"}) + "\n")
    listing = catalogue(world).read()
    assert [finding.code for finding in listing.findings] == ["LORA072"]
    assert len(listing.rows) == 4
    assert os.access(notes, os.R_OK)
