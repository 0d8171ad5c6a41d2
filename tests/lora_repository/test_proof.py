import json
import subprocess

import pytest
from adapter_files import CONFIG, DIT, T5, adapter_shapes, targets, write_adapter, write_version

from lora_repository.base import BaseTable
from lora_repository.finding import Severity
from lora_repository.proof import prove


@pytest.fixture
def version(tmp_path):
    return write_version(tmp_path / "v1.0_demo")


def codes(proof):
    return {finding.code for finding in proof.errors}


def test_a_version_that_holds_to_the_contract(version):
    proof = prove(version, DIT, T5)
    assert proof.ok
    assert not proof.findings
    dit, t5 = proof.parts
    assert (dit.target, dit.rank, dit.alpha, dit.strength) == ("dit", 4, 8, 2.0)
    assert (t5.target, t5.rank, t5.strength) == ("t5", 3, 8 / 3)
    assert dit.matched == dit.total == 2 * len(targets(DIT))
    assert dit.coverage == {"attn": (20, 20), "ffn": (4, 4)}
    assert {pair.module for pair in t5.pairs} == set(T5.modules)
    assert dit.file == version / "dmd_lora.safetensors"


def test_trailing_slash_and_relative_path(version, monkeypatch):
    monkeypatch.chdir(version.parent)
    from pathlib import Path

    assert prove(Path("v1.0_demo/"), DIT, T5).ok
    assert prove(Path(f"{version}/"), DIT, T5).path == version


def test_without_t5_it_is_told_and_good(tmp_path):
    proof = prove(write_version(tmp_path / "v1.0_x", t5=False), DIT, T5)
    assert proof.ok
    assert [(f.code, f.severity) for f in proof.findings] == [("LORA020", Severity.INFO)]


@pytest.mark.parametrize("prefix", ["", "base_model.model."])
@pytest.mark.parametrize("infix", ["", ".default"])
@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
def test_every_accepted_spelling(version, prefix, infix, dtype):
    form = prefix + "{module}.lora_{side}" + infix + ".weight"
    write_adapter(version / "dmd_lora.safetensors", adapter_shapes(DIT, 4, form), dtype)
    proof = prove(version, DIT, T5)
    assert not proof.findings
    assert proof.parts[0].pairs[0].key_a.startswith(prefix)


def test_ranks_disagree_and_the_given_command_mends_it(version):
    write_adapter(version / "dmd_lora.safetensors", adapter_shapes(DIT, 6))
    proof = prove(version, DIT, T5)
    (finding,) = proof.errors
    assert finding.code == "LORA014"
    for said in ("have 6", "dmd_rank = 4", "small-dit takes at most 16"):
        assert said in finding.message
    subprocess.run(["sh", "-c", finding.fix], check=True)
    assert prove(version, DIT, T5).ok
    assert json.loads((version / "config.json").read_text())["r"] == 3


def test_a_rank_above_what_the_base_can_take(version):
    write_adapter(version / "dmd_lora.safetensors", adapter_shapes(DIT, 17))
    (version / "config.json").write_text(json.dumps(CONFIG | {"dmd_rank": 17}))
    (finding,) = prove(version, DIT, T5).errors
    assert finding.code == "LORA014"
    assert "have 17, config.json says dmd_rank = 17, small-dit takes at most 16" in finding.message


def test_rank_of_t5_is_r(version):
    write_adapter(version / "t5_lora.safetensors", adapter_shapes(T5, 5))
    (finding,) = prove(version, DIT, T5).errors
    assert finding.code == "LORA014"
    assert "r = 3" in finding.message
    subprocess.run(["sh", "-c", finding.fix], check=True)
    assert prove(version, DIT, T5).ok


@pytest.mark.parametrize("name", ["dmd-lora.safetensors", "DMD_LORA.safetensors", "dmd_lora.safetensor", "dmd_lora",
                                  "dmd_lora.safetensors.txt", "dmd lora.safetensors", "dmd_lora_.safetensors",
                                  "adapter.safetensors"])  # fmt: skip
def test_a_wrong_name_is_named_and_mended(version, name):
    (version / "dmd_lora.safetensors").rename(version / name)
    proof = prove(version, DIT, T5)
    (finding,) = proof.errors
    assert finding.code in ("LORA004", "LORA005")
    assert name in finding.message
    assert "expected exactly dmd_lora.safetensors" in finding.message
    subprocess.run(["sh", "-c", finding.fix], check=True)
    assert prove(version, DIT, T5).ok


def test_upstreams_single_file(tmp_path):
    base = BaseTable.known_14b()
    form = "base_model.model.{module}.lora_{side}.default.weight"
    path = write_adapter(tmp_path / "liveavatar.safetensors", adapter_shapes(base, 128, form))
    proof = prove(path, base, None)
    assert proof.ok
    (part,) = proof.parts
    assert (part.rank, part.alpha, part.strength) == (128, 64, 0.5)
    assert (part.matched, part.total, len(part.pairs)) == (896, 896, 448)
    assert part.coverage == {"attn": (368, 368), "ffn": (80, 80)}
    assert codes(prove(path, DIT, None)) == {"LORA015", "LORA017"}
    assert "It fits Wan2.2-S2V-14B" in prove(path, DIT, None).errors[1].fix


@pytest.mark.parametrize("rank", [4, 32, 128])
def test_versions_of_the_14b_model(tmp_path, rank):
    base = BaseTable.known_14b()
    folder = tmp_path / "v1.0_x"
    folder.mkdir()
    write_adapter(folder / "dmd_lora.safetensors", adapter_shapes(base, rank))
    write_adapter(folder / "t5_lora.safetensors", adapter_shapes(BaseTable.known_umt5_xxl(), 8))
    (folder / "config.json").write_text(json.dumps(CONFIG | {"r": 8, "lora_alpha": 16, "dmd_rank": rank}))
    proof = prove(folder, base, BaseTable.known_umt5_xxl())
    assert not proof.findings
    assert [part.strength for part in proof.parts] == [16 / rank, 2.0]


@pytest.mark.parametrize(
    ("rank", "metadata", "alpha"),
    [(4, {"lora_alpha": "8"}, 8), (4, {"ss_network_alpha": "2.0"}, 2), (4, {}, None), (4, {"alpha": "x"}, None),
     (4, {"alpha": "-1"}, None), (4, {"alpha": "1", "lora_alpha": "2"}, None), (4, {"alpha": "nan"}, None)],
)  # fmt: skip
def test_alpha_of_a_single_file_is_never_guessed(tmp_path, rank, metadata, alpha):
    path = write_adapter(tmp_path / "my.safetensors", adapter_shapes(DIT, rank), metadata=metadata)
    proof = prove(path, DIT, None)
    assert [part.alpha for part in proof.parts] == ([] if alpha is None else [alpha])
    assert codes(proof) == (set() if alpha else {"LORA019"})


def test_the_command_for_an_unknown_alpha_makes_a_version(tmp_path):
    path = write_adapter(tmp_path / "my.safetensors", adapter_shapes(DIT, 4))
    (finding,) = prove(path, DIT, None).errors
    subprocess.run(["sh", "-c", finding.fix.partition(": ")[2]], check=True)
    assert prove(tmp_path / "my_lora", DIT, None).ok


def test_alpha_that_contradicts_the_known_training_is_no_ones(tmp_path):
    shapes = adapter_shapes(BaseTable.known_14b(), 128)
    path = write_adapter(tmp_path / "liveavatar.safetensors", shapes, metadata={"alpha": "128"})
    assert codes(prove(path, BaseTable.known_14b(), None)) == {"LORA019"}


def test_t5_without_a_text_encoder_to_hold_it_against(version):
    proof = prove(version, DIT, None)
    assert codes(proof) == {"LORA021"}
    assert [part.target for part in proof.parts] == ["dit"]


def test_the_folder_of_a_hub_snapshot_leads_to_its_file(tmp_path):
    write_adapter(tmp_path / "liveavatar.safetensors", adapter_shapes(DIT, 4))
    findings = prove(tmp_path, DIT, None).errors
    assert any("liveavatar.safetensors" in finding.fix for finding in findings)


def test_exact_module_names_are_targets_too(version):
    (version / "t5_lora.safetensors").unlink()
    write_adapter(
        version / "dmd_lora.safetensors", {"head.head.lora_A.weight": (4, 16), "head.head.lora_B.weight": (8, 4)}
    )
    (version / "config.json").write_text(json.dumps(CONFIG | {"target_modules": ["head.head"]}))
    assert prove(version, DIT, T5).ok
    assert prove(version, DIT, T5).parts[0].coverage == {"head.head": (1, 1)}


def test_every_finding_reads_as_one_line_of_text(version):
    (version / "config.json").unlink()
    evil = version / "dmd_lora\x1b[31m\n\u202e.safetensors"
    (version / "dmd_lora.safetensors").rename(evil)
    for finding in prove(version, DIT, T5).findings:
        for text in (finding.message, finding.fix, finding.path or ""):
            assert text.isprintable(), text
