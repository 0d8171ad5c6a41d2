import hashlib
import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from adapter_files import DIT, T5, adapter_shapes, write_adapter, write_version
from misfortune import die_at

from lora_repository.finding import Problem
from lora_repository.proof import prove
from lora_repository.published import read_published
from lora_repository.repository import LoraRepository


def held(root):
    return LoraRepository(root, lambda path: prove(path, DIT, T5))


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "repository").mkdir()
    return held(tmp_path / "repository")


@pytest.fixture
def source(tmp_path):
    return write_version(tmp_path / "training_output")


def refused(code, function, *arguments, **keywords):
    with pytest.raises(Problem) as caught:
        function(*arguments, **keywords)
    assert caught.value.finding.code == code, caught.value
    return caught.value.finding


def names(repository):
    return [str(version.name) for version in repository.versions()]


def test_a_training_output_becomes_a_version(repository, source):
    (source / "loss.csv").write_text("1")
    told = []
    made = repository.publish(source, title="Customer service", progress=told.append)
    assert names(repository) == ["v1.0_customer_service"] == [made.version]
    version = repository.root / made.version
    assert sorted(path.name for path in version.iterdir()) == [
        "config.json",
        "dmd_lora.safetensors",
        "t5_lora.safetensors",
    ]
    assert prove(version, DIT, T5).ok
    for name, sha in made.files.items():
        assert hashlib.sha256((source / name).read_bytes()).hexdigest() == sha
        assert (version / name).stat().st_mode & 0o777 == 0o444
    assert read_published(repository.state, made.version) == made
    assert list((repository.state / "incoming").iterdir()) == []
    assert repository.publish(source, title="b").version == "v1.1_b"
    assert repository.activate("v1.1").after == "v1.1_b"


def test_a_single_file_becomes_a_folder(repository, tmp_path):
    shapes = {k: s for k, s in adapter_shapes(DIT, 4).items() if ".ffn." in k}
    path = write_adapter(tmp_path / "mine.safetensors", shapes, metadata={"lora_alpha": "2"})
    made = repository.publish(path)
    assert made.version == "v1.0_mine"
    config = json.loads((repository.root / made.version / "config.json").read_text())
    assert config == {"r": 4, "lora_alpha": 2.0, "target_modules": ["ffn"], "dmd_rank": 4}
    assert prove(repository.root / made.version, DIT, T5).ok


def test_what_would_not_load_is_not_published(repository, source):
    write_adapter(source / "dmd_lora.safetensors", adapter_shapes(DIT, 5))
    assert "Ranks disagree" in refused("LORA051", repository.publish, source).message
    assert names(repository) == []


def test_a_source_that_changes_meanwhile_is_not_published(repository, source):
    def spoil(_count: int) -> None:
        (source / "config.json").write_text("{}")

    refused("LORA051", repository.publish, source, progress=spoil)
    assert names(repository) == []


def test_a_number_is_given_once(repository, source):
    repository.publish(source, "v1.0_a")
    refused("LORA052", repository.publish, source, "v1.0_a")
    refused("LORA052", repository.publish, source, "v1.0_b")
    refused("LORA026", repository.publish, source, "v1_b")
    assert repository.publish(source, "v1.0.1_a").version == "v1.0.1_a"


def test_no_room(repository, source, monkeypatch):
    usage = shutil.disk_usage(source)._replace(free=1000)
    monkeypatch.setattr("lora_repository.publish.shutil.disk_usage", lambda _path: usage)
    refused("LORA053", repository.publish, source)
    assert names(repository) == []


def test_a_published_version_never_changes(repository, source):
    repository.publish(source, "v1.0_a")
    version = repository.version("v1.0_a")
    assert repository.changed(version) is None
    config = version.path / "config.json"
    config.chmod(0o644)
    config.write_text(config.read_text().replace('"lora_alpha": 8', '"lora_alpha": 9'))
    assert prove(version.path, DIT, T5).ok
    finding = repository.changed(version)
    assert finding is not None
    assert (finding.code, "config.json" in finding.message) == ("LORA050", True)
    refused("LORA050", repository.activate, "v1.0_a")
    assert repository.latest() is None


def test_killed_anywhere_there_is_a_whole_version_or_none(tmp_path, source):
    step = 0
    killed = True
    while killed:
        step += 1
        root = tmp_path / str(step)
        root.mkdir()
        killed = die_at(step, lambda root=root: held(root).publish(source, "v1.0_a"))
        repository = held(root)
        if names(repository):
            assert repository.changed(repository.version("v1.0_a")) is None
            assert read_published(repository.state, "v1.0_a") is not None
        else:
            repository.publish(source, "v1.0_a")
        repository.publish(source, "v1.1_b")
        assert prove(root / "v1.0_a", DIT, T5).ok
        assert {path.name for path in repository.state.iterdir()} == {"incoming", "published", "lock"}
        assert list((repository.state / "incoming").iterdir()) == []
    assert step > 40


def test_removed_and_brought_back(repository, source):
    repository.publish(source, "v1.0_a")
    repository.publish(source, "v1.1_b")
    repository.activate("v1.1_b")
    refused("LORA054", repository.remove, "v1.1_b")
    assert "production" in refused("LORA054", repository.remove, "v1.0_a", ["production"]).message
    assert repository.remove("v1.0_a").name == "v1.0_a"
    assert names(repository) == ["v1.1_b"]
    assert [entry.name for entry in repository.removed()] == ["v1.0_a"]
    assert repository.restore("v1.0_a").path.is_dir()
    assert repository.changed(repository.version("v1.0_a")) is None
    assert names(repository) == ["v1.0_a", "v1.1_b"]
    refused("LORA055", repository.restore, "v1.0_a")
    repository.remove("v1.0_a")
    repository.publish(source, "v1.0_a")
    refused("LORA052", repository.restore, "v1.0_a")


def test_pruning_keeps_the_newest_and_what_is_needed(repository, source):
    for minor in range(6):
        repository.publish(source, f"v1.{minor}_x")
    repository.activate("v1.0_x")
    pruned = repository.prune(2, {"v1.2_x": ["production"]})
    assert [entry.name for entry in pruned] == ["v1.1_x", "v1.3_x"]
    assert names(repository) == ["v1.0_x", "v1.2_x", "v1.4_x", "v1.5_x"]
    assert repository.prune(0, {name: ["job"] for name in names(repository)}) == []


def test_the_trash_is_emptied_by_age(repository, source):
    from lora_repository.trash import empty

    repository.publish(source, "v1.0_a")
    repository.remove("v1.0_a")
    now = datetime.now(UTC)
    assert empty(repository.root, repository.state, now - timedelta(hours=1)) == []
    assert empty(repository.root, repository.state, now + timedelta(hours=1)) == ["v1.0_a"]
    assert not repository.removed()
    assert read_published(repository.state, "v1.0_a") is None


def test_killed_in_a_removal_it_is_here_or_in_the_trash(tmp_path, source):
    step = 0
    killed = True
    while killed:
        step += 1
        root = tmp_path / str(step)
        root.mkdir()
        held(root).publish(source, "v1.0_a")
        killed = die_at(step, lambda root=root: held(root).remove("v1.0_a"))
        repository = held(root)
        assert names(repository) + [entry.name for entry in repository.removed()] == ["v1.0_a"]
        if not names(repository):
            repository.restore("v1.0_a")
        assert repository.changed(repository.version("v1.0_a")) is None
    assert step > 8


def test_a_closed_source_is_explained(repository, source):
    (source / "dmd_lora.safetensors").unlink()
    os.mkfifo(source / "dmd_lora.safetensors")
    refused("LORA051", repository.publish, source)
