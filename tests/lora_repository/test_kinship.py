import pytest
from adapter_files import write_version

from lora_repository.kinship import bases_by_version, copies, same_bytes
from lora_repository.proof import Proof
from lora_repository.published import hashes_of
from lora_repository.repository import LoraRepository


@pytest.fixture
def held(tmp_path):
    return LoraRepository(tmp_path / "lora", lambda path: Proof(path, "any", (), ()))


@pytest.mark.parametrize("way", ["{name}", "{root}/{name}", "../lora/{name}", "{root}/{name}/dmd_lora.safetensors"])
def test_a_base_adapter_is_found_as_the_engine_finds_it(held, way):
    base = write_version(held.root / "v1.0_base")
    (held.root / "latest").symlink_to(base.name)
    write_version(held.root / "v1.1_a", base_adapter=way.format(name=base.name, root=held.root))
    write_version(held.root / "v1.2_b", base_adapter="latest")
    assert bases_by_version(held.root, held.versions()) == {"v1.0_base": ["v1.1_a", "v1.2_b"]}


@pytest.mark.parametrize(
    "said", [None, "", 7, "v9.9_gone", "/etc", "~nobody-here/x", "org/name", "a\0b", ".", "v1.1_a"]
)
def test_what_names_no_other_version(held, said):
    write_version(held.root / "v1.1_a", base_adapter=said)
    found = bases_by_version(held.root, held.versions())
    assert found in ({}, {"v9.9_gone": ["v1.1_a"]})


@pytest.mark.parametrize("content", [b"", b'["base_adapter"]', b'{"base_adapter":', b"\xff base_adapter"])
def test_a_broken_config_names_nothing(held, content):
    (write_version(held.root / "v1.1_a") / "config.json").write_bytes(content)
    assert bases_by_version(held.root, held.versions()) == {}


def test_copies_are_told(held, tmp_path):
    write_version(tmp_path / "one")
    write_version(tmp_path / "two", lora_alpha=9)
    held.root.mkdir()
    for name, source in (("v1.0_a", "one"), ("v1.1_b", "two"), ("v1.2_c", "one")):
        held.publish(tmp_path / source, name)
    assert copies(held.state, held.versions()) == [("v1.0_a", "v1.2_c")]
    found = same_bytes(held.state, held.versions(), "v1.2_c", hashes_of(held.root / "v1.2_c"))
    assert found.code == "LORA075"
    assert "v1.0_a" in found.message
    assert same_bytes(held.state, held.versions(), "v1.1_b", hashes_of(held.root / "v1.1_b")) is None
