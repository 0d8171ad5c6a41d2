import json
import os

import pytest
from adapter_files import CONFIG, DIT, T5, adapter_shapes, write_adapter, write_version
from misfortune import as_an_ordinary_user

from lora_repository.finding import Problem
from lora_repository.proof import prove
from lora_repository.repair import apply_repairs, propose_repairs
from lora_repository.repository import LoraRepository


@pytest.fixture
def version(tmp_path):
    return write_version(tmp_path / "v1.0_demo")


def mend(version):
    """Repair until nothing is proposed; the titles of all that was done."""
    titles = []
    while repairs := propose_repairs(version):
        titles += [repair.title for repair in repairs]
        apply_repairs(repairs)
        assert len(titles) < 10
    return titles


def test_a_good_version_needs_nothing(version):
    assert propose_repairs(version) == []


def test_everything_that_is_surely_meant_is_mended_in_order(version):
    (version / "dmd_lora.safetensors").rename(version / "DMD-LoRA.safetensors")
    (version / "t5_lora.safetensors").rename(version / "t5_lora.safetensor")
    (version / "config.json").write_text(json.dumps(CONFIG | {"r": 9, "dmd_rank": 8, "note": "ü"}))
    (version / "config.json").chmod(0o666)
    titles = mend(version)
    assert len(titles) == 4
    assert "Rename DMD-LoRA.safetensors to dmd_lora.safetensors." in titles
    assert titles[-1] == "Set dmd_rank = 4, r = 3 in config.json, as the tensors have it."
    assert prove(version, DIT, T5).ok
    assert json.loads((version / "config.json").read_text()) == CONFIG | {"note": "ü"}
    assert (version / "config.json").stat().st_mode & 0o777 == 0o664


def test_rights_as_their_owner(version):
    for path, mode in ((version / "dmd_lora.safetensors", 0o000), (version, 0o000)):
        path.chmod(mode)
    assert len(mend(version)) == 2
    assert version.stat().st_mode & 0o500 == 0o500
    assert (version / "dmd_lora.safetensors").stat().st_mode & 0o400


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")
def test_what_belongs_to_another_is_left_alone(open_version):
    (open_version / "config.json").chmod(0o666)
    assert len(propose_repairs(open_version)) == 1
    assert as_an_ordinary_user(lambda: str(propose_repairs(open_version))) == "[]"


def test_a_published_version_gets_its_rights_back_and_nothing_else(version, tmp_path):
    (tmp_path / "repository").mkdir()
    repository = LoraRepository(tmp_path / "repository", lambda path: prove(path, DIT, T5))
    made = repository.publish(version)
    path = repository.root / made.version
    (path / "config.json").chmod(0o000)
    assert len(mend(path)) == 1
    (path / "dmd_lora.safetensors").rename(path / "dmd-lora.safetensors")
    assert propose_repairs(path) == []


def test_proposing_changes_nothing(version):
    (version / "dmd_lora.safetensors").rename(version / "dmd-lora.safetensors")
    before = sorted(version.iterdir())
    assert propose_repairs(version)
    assert sorted(version.iterdir()) == before


def test_a_rename_never_replaces(version):
    (version / "dmd_lora.safetensors").rename(version / "dmd-lora.safetensors")
    (repair,) = propose_repairs(version)
    (version / "dmd_lora.safetensors").write_bytes(b"somebody's")
    with pytest.raises(Problem) as caught:
        repair.apply()
    assert caught.value.finding.code == "LORA049"
    assert (version / "dmd_lora.safetensors").read_bytes() == b"somebody's"


def test_doubtful_cases_are_left_to_people(version):
    (version / "config.json").unlink()
    assert propose_repairs(version) == []
    (version / "config.json").write_text("{")
    assert propose_repairs(version) == []
    shapes = adapter_shapes(DIT, 4) | {"blocks.0.ffn.0.lora_A.weight": (5, 16), "blocks.0.ffn.0.lora_B.weight": (32, 5)}
    write_adapter(version / "dmd_lora.safetensors", shapes)
    (version / "config.json").write_text(json.dumps(CONFIG | {"dmd_rank": 7}))
    assert propose_repairs(version) == []
