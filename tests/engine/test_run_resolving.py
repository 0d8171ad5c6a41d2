"""Every mistake that can be known before torch is imported: its code, its cause, and the command that mends it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from engine.checkpoint_layout import find_layout
from engine.resolving import Refused, base_tables, resolve
from lora_repository.finding import Finding, Problem
from tests.engine.tiny_run import CHECKPOINT, TEMPLATE, copy_checkpoint, make_version, spec


def refused(**changes: object) -> Finding:
    with pytest.raises(Problem) as caught:
        resolve(spec(**changes))
    return caught.value.finding


def test_a_good_run_resolves_without_torch(tmp_path: Path) -> None:
    version = make_version(tmp_path / "v1.0_demo")
    script = (
        "import sys; from engine.resolving import resolve; from engine.spec import decode\n"
        "found = resolve(decode(sys.stdin.buffer.read()))\n"
        "print(found.portrait.width, found.speech.seconds, [part.target for part in found.proofs[0].parts])\n"
        "assert not {'torch', 'transformers', 'textual', 'rich', 'typer'} & sys.modules.keys()"
    )
    from engine.spec import encode

    told = encode(spec(adapters=(str(version),)))
    done = subprocess.run([sys.executable, "-c", script], input=told, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"300 4.3") and b"['dit', 't5']" in done.stdout


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"size": "big"}, "--size"),
        ({"size": "10*10"}, "--size"),
        ({"num_clip": 0}, "--num_clip"),
        ({"sample_steps": 0}, "--sample_steps"),
        ({"sample_steps": 51}, "--sample_steps"),
        ({"threads": 0}, "--threads"),
        ({"avatarise": True}, "--avatarise"),
        ({"size": "96*96", "ckpt_dir": "embedded"}, "--size"),
    ],
)
def test_a_value_that_no_run_can_have_is_misuse(changes: dict[str, object], flag: str) -> None:
    with pytest.raises(Problem) as caught:
        resolve(spec(**changes))
    assert caught.value.exit_code == 2
    assert caught.value.finding.code == "RUN002"
    assert caught.value.finding.fix.startswith(flag)


def test_the_table_of_mistakes(tmp_path: Path) -> None:
    version = make_version(tmp_path / "v1.0_demo")
    (version / "config.json").unlink()
    missing = refused(adapters=(str(version),))
    assert missing.code == "LORA001" and "config.json" in missing.fix

    (version / "config.json").write_text('{"r": 8,')
    assert refused(adapters=(str(version),)).code == "LORA002"

    (version / "config.json").write_text(json.dumps(TEMPLATE))
    (version / "dmd_lora.safetensors").rename(version / "dmd-lora.safetensors")
    misnamed = refused(adapters=(str(version),))
    assert misnamed.code in ("LORA004", "LORA005") and misnamed.fix.startswith("mv ")

    foreign = make_version(tmp_path / "v2.0_other", dmd_rank=6)
    ranks = refused(adapters=(str(foreign),))
    assert ranks.code == "LORA014" and "6" in ranks.message and "4" in ranks.message


def test_an_adapter_of_a_larger_base_is_refused(tmp_path: Path) -> None:
    version = make_version(tmp_path / "v1.0_demo")
    tensors = load_file(version / "dmd_lora.safetensors")
    wide = {name: np.concatenate([t, t], axis=1 if ".lora_A." in name else 0) for name, t in tensors.items()}
    save_file(wide, version / "dmd_lora.safetensors")
    assert refused(adapters=(str(version),)).code == "LORA017"


def test_all_errors_of_all_adapters_are_kept(tmp_path: Path) -> None:
    broken = make_version(tmp_path / "v1.0_demo")
    (broken / "config.json").write_text("[]")
    with pytest.raises(Refused) as caught:
        resolve(spec(adapters=(str(broken), str(tmp_path / "nowhere"))))
    assert {finding.code for finding in caught.value.findings} >= {"LORA008"}
    assert len(caught.value.findings) >= 2


@pytest.mark.parametrize("tail", ["", "/"])
def test_a_trailing_slash_makes_no_difference(tmp_path: Path, tail: str) -> None:
    version = make_version(tmp_path / "v1.0_demo")
    assert resolve(spec(adapters=(f"{version}{tail}",))).proofs[0].path == version


def test_a_link_is_followed_once_so_that_a_switch_cannot_tear_a_run(tmp_path: Path) -> None:
    version = make_version(tmp_path / "v1.0_demo")
    (tmp_path / "latest").symlink_to("v1.0_demo")
    proof = resolve(spec(adapters=(f"{tmp_path}/latest/",))).proofs[0]
    assert [part.file.parent for part in proof.parts] == [version, version]


def test_a_base_adapter_comes_first(tmp_path: Path) -> None:
    base = make_version(tmp_path / "v1.0_base")
    person = make_version(tmp_path / "v1.1_person", config={**TEMPLATE, "base_adapter": "v1.0_base"})
    stack = resolve(spec(adapters=(str(person),))).proofs
    assert [proof.path for proof in stack] == [base, person]
    assert [proof.path for proof in resolve(spec(adapters=(str(base), str(person)))).proofs] == [base, person]


def test_a_base_adapter_that_is_not_there(tmp_path: Path) -> None:
    person = make_version(tmp_path / "v1.1_person", config={**TEMPLATE, "base_adapter": "v9_gone"})
    found = refused(adapters=(str(person),))
    assert found.code == "RUN030" and "v9_gone" in found.message


def test_two_adapters_that_name_each_other_load_once_each(tmp_path: Path) -> None:
    make_version(tmp_path / "v1.0_a", config={**TEMPLATE, "base_adapter": "v1.0_b"})
    b = make_version(tmp_path / "v1.0_b", config={**TEMPLATE, "base_adapter": "v1.0_a"})
    assert [proof.path.name for proof in resolve(spec(adapters=(str(b),))).proofs] == ["v1.0_a", "v1.0_b"]


def test_a_damaged_base_model_is_named_as_such(tmp_path: Path) -> None:
    version = make_version(tmp_path / "v1.0_demo")
    checkpoint = copy_checkpoint(tmp_path / "ckpt")
    weights = checkpoint / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    found = refused(ckpt_dir=str(checkpoint), adapters=(str(version),))
    assert found.code == "RUN014" and "diffusion_pytorch_model.safetensors" in found.message


def test_a_model_of_another_kind(tmp_path: Path) -> None:
    checkpoint = copy_checkpoint(tmp_path / "ckpt")
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"model_type": "t2v"}))
    found = refused(ckpt_dir=str(checkpoint))
    assert found.code == "RUN012" and "model_type" in found.message


def test_missing_inputs(tmp_path: Path) -> None:
    assert refused(image=str(tmp_path / "no.png")).code == "RUN020"
    assert refused(audio=str(tmp_path / "no.wav")).code == "RUN025"
    assert refused(ckpt_dir=str(tmp_path / "no")).code == "RUN010"


def test_base_tables_know_only_linears() -> None:
    dit, t5 = base_tables(find_layout(CHECKPOINT))
    assert dit.modules["blocks.0.self_attn.q"] == (64, 64)
    assert "token_embedding" not in t5.modules and t5.modules["blocks.0.attn.o"] == (48, 64)
