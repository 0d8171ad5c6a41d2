import json
from pathlib import Path

import pytest
from adapter_files import DIT, T5, adapter_shapes, write_adapter, write_version

from lora_repository.finding import Problem
from lora_repository.proof import prove
from lora_repository.repository import LoraRepository

NAMES = ["v1.0_product_demo", "v1.9_x", "v1.10_x", "v2.1_customer_service"]


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "lora_repository"
    for name in NAMES:
        write_version(root / name)
    return LoraRepository(root, lambda path: prove(path, DIT, T5))


def refused(code, function, *arguments, **keywords):
    with pytest.raises(Problem) as caught:
        function(*arguments, **keywords)
    assert caught.value.finding.code == code, caught.value
    assert caught.value.finding.fix
    return caught.value.finding


def latest(repository):
    version = repository.latest()
    return version and str(version.name)


def test_versions_by_number(repository):
    (repository.root / "notes").mkdir()
    (repository.root / "v3.0_file").write_text("")
    (repository.root / "v4.0_link").symlink_to("v1.9_x")
    assert [str(version.name) for version in repository.versions()] == NAMES
    assert [finding.code for finding in repository.findings()] == ["LORA026"]
    assert "notes" in repository.findings()[0].message


def test_a_version_by_its_name_or_number(repository):
    assert repository.version("v2.1_customer_service").path == repository.root / NAMES[3]
    assert str(repository.version("v2.1").name) == NAMES[3]
    assert str(repository.version("1.0").name) == NAMES[0]
    assert NAMES[3] in refused("LORA040", repository.version, "v2.1_customer_servise").fix
    write_version(repository.root / "v2.1_other")
    refused("LORA040", repository.version, "v2.1")
    for name in ("", ".", "..", "v1.0_product_demo/", "../lora_repository/v1.9_x", "latest"):
        refused("LORA040", repository.version, name)


def test_no_repository(tmp_path):
    assert "mkdir" in refused("LORA041", LoraRepository(tmp_path / "none").versions).fix
    (tmp_path / "file").write_text("")
    refused("LORA041", LoraRepository(tmp_path / "file").versions)


def test_reading_writes_nothing(repository):
    before = sorted(repository.root.iterdir())
    repository.versions(), repository.latest(), repository.findings(), repository.history()
    assert sorted(repository.root.iterdir()) == before


def test_switching_moves_a_relative_link_and_records_it(repository):
    assert repository.latest() is None
    first = repository.activate(NAMES[0], "first release")
    second = repository.activate("v2.1", "warmer voice")
    assert (repository.root / "latest").readlink() == Path(NAMES[3])
    assert latest(repository) == NAMES[3]
    assert repository.history() == [first, second]
    assert (second.number, second.channel, second.before, second.after) == (2, "latest", NAMES[0], NAMES[3])
    assert second.reason == "warmer voice"
    assert second.user
    assert second.host
    assert set(second.hashes) == {"dmd_lora.safetensors", "t5_lora.safetensors", "config.json"}
    lines = (repository.state / "generations.jsonl").read_text().splitlines()
    assert [(line["from"], line["to"]) for line in map(json.loads, lines)][1] == (NAMES[0], NAMES[3])
    assert not [path for path in repository.state.iterdir() if path.name not in ("lock", "generations.jsonl")]


def test_switching_to_what_is_there_already_makes_no_generation(repository):
    first = repository.activate(NAMES[0])
    assert repository.activate(NAMES[0]) == first
    assert len(repository.history()) == 1


def test_a_version_that_would_not_load_is_refused(repository):
    repository.activate(NAMES[0])
    write_adapter(repository.root / NAMES[3] / "dmd_lora.safetensors", adapter_shapes(DIT, 5))
    finding = refused("LORA044", repository.activate, NAMES[3])
    assert "Ranks disagree" in finding.message
    assert latest(repository) == NAMES[0]
    assert len(repository.history()) == 1


def test_rollback_goes_further_back_each_time(repository):
    for name in (NAMES[0], NAMES[1], NAMES[3]):
        repository.activate(name)
    assert repository.rollback(reason="lips late").after == NAMES[1]
    last = repository.rollback()
    assert (last.after, last.back_to, latest(repository)) == (NAMES[0], 1, NAMES[0])
    refused("LORA046", repository.rollback)
    assert repository.activate(NAMES[2]).number == 6
    assert repository.rollback().after == NAMES[0]
    refused("LORA046", repository.rollback)


def test_rollback_to_a_generation(repository):
    for name in (NAMES[0], NAMES[1], NAMES[3]):
        repository.activate(name)
    assert repository.rollback(to=1).after == NAMES[0]
    assert repository.rollback(to=3).after == NAMES[3]
    assert repository.rollback().after == NAMES[1]
    refused("LORA047", repository.rollback, 99)
    refused("LORA047", repository.rollback, 0)


def test_rollback_before_the_first_generation(repository):
    (repository.root / "latest").symlink_to(NAMES[1])
    repository.activate(NAMES[0])
    assert repository.rollback().after == NAMES[1]
    refused("LORA046", repository.rollback)


def test_nothing_to_roll_back(repository):
    refused("LORA046", repository.rollback)
    repository.activate(NAMES[0])
    refused("LORA046", repository.rollback)


def test_rollback_after_a_hand_made_change_returns_to_the_last_record(repository):
    repository.activate(NAMES[0])
    repository.activate(NAMES[1])
    (repository.root / "latest").unlink()
    (repository.root / "latest").symlink_to(NAMES[3])
    back = repository.rollback()
    assert (back.before, back.after, back.back_to) == (NAMES[3], NAMES[1], 2)


def test_rollback_to_what_is_no_longer_what_it_was(repository):
    repository.activate(NAMES[0])
    repository.activate(NAMES[1])
    config = repository.root / NAMES[0] / "config.json"
    good = config.read_text()
    config.write_text(good.replace('"lora_alpha": 8', '"lora_alpha": 9'))
    assert "config.json changed" in refused("LORA050", repository.rollback).message
    config.unlink()
    refused("LORA044", repository.rollback)
    config.write_text(good)
    assert repository.rollback().after == NAMES[0]


def test_rollback_to_a_version_that_is_gone(repository):
    repository.activate(NAMES[0])
    repository.activate(NAMES[1])
    (repository.root / NAMES[0]).rename(repository.root.parent / "elsewhere")
    refused("LORA040", repository.rollback)
    assert latest(repository) == NAMES[1]


@pytest.mark.parametrize(
    "target", ["v9.9_gone", "..", "/", "notes", "latest", "../elsewhere/v1.0_x", "v1.0_product_demo/x"]
)
def test_a_latest_that_leads_astray(repository, target):
    (repository.root / "notes").mkdir()
    write_version(repository.root.parent / "elsewhere" / "v1.0_x")
    (repository.root / "latest").symlink_to(target)
    refused("LORA043", repository.latest)
    assert "LORA043" in {finding.code for finding in repository.findings()}
    assert repository.activate(NAMES[0]).after == NAMES[0]
    assert latest(repository) == NAMES[0]


def test_an_absolute_latest_works_and_is_warned_about(repository):
    (repository.root / "latest").symlink_to(repository.root / NAMES[1])
    assert latest(repository) == NAMES[1]
    (finding,) = repository.findings()
    assert (finding.code, finding.severity) == ("LORA043", "warning")


def test_a_real_folder_called_latest_is_not_touched(repository):
    write_version(repository.root / "latest")
    refused("LORA042", repository.latest)
    refused("LORA042", repository.activate, NAMES[0])
    assert not repository.history()
    assert (repository.root / "latest" / "config.json").is_file()


def test_a_torn_line_loses_nothing_else(repository):
    repository.activate(NAMES[0])
    with (repository.state / "generations.jsonl").open("ab") as file:
        file.write(b'{"number":2,"time":"20')
    assert [generation.number for generation in repository.history()] == [1]
    repository.activate(NAMES[1])
    assert [generation.number for generation in repository.history()] == [1, 2]
    assert "LORA048" in {finding.code for finding in repository.findings()}
