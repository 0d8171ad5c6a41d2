"""The layout of a base model's folder, and every way in which one is not whole."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.checkpoint_layout import EMBEDDED_WEIGHTS, find_layout, read_config
from engine.pth_header import read_shapes
from lora_repository.finding import Finding, Problem

NAMES = (
    "config.json",
    "diffusion_pytorch_model.safetensors",
    "Wan2.1_VAE.pth",
    "models_t5_umt5-xxl-enc-bf16.pth",
    "google/umt5-xxl/tokenizer.json",
    "wav2vec2-large-xlsr-53-english/config.json",
    "wav2vec2-large-xlsr-53-english/model.safetensors",
)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    root = tmp_path / "my model"
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text('{"dim": 64}')
    return root


def refused(root: Path | str) -> Finding:
    with pytest.raises(Problem) as caught:
        find_layout(root)
    assert caught.value.exit_code == 1
    return caught.value.finding


def test_upstreams_layout_is_found_with_or_without_a_trailing_slash(checkpoint: Path) -> None:
    layout = find_layout(f"{checkpoint}/")
    assert layout == find_layout(str(checkpoint))
    assert {str(path.relative_to(checkpoint)) for path in layout.files()} == set(NAMES)
    assert layout.vae_json is None and not layout.embedded
    assert read_config(layout) == {"dim": 64}


def test_safetensors_and_vae_json_are_preferred_where_they_exist(checkpoint: Path) -> None:
    for name in ("Wan2.1_VAE.safetensors", "models_t5_umt5-xxl-enc-bf16.safetensors", "vae.json"):
        (checkpoint / name).write_text("{}")
    layout = find_layout(checkpoint)
    assert (layout.vae.suffix, layout.t5.suffix) == (".safetensors", ".safetensors")
    assert layout.vae_json == checkpoint / "vae.json"


def test_a_missing_folder_says_how_to_download(tmp_path: Path) -> None:
    found = refused(tmp_path / "no where")
    assert found.code == "RUN010"
    assert f"--local-dir '{tmp_path}/no where'" in found.fix


def test_every_missing_file_is_named(checkpoint: Path) -> None:
    (checkpoint / "Wan2.1_VAE.pth").unlink()
    (checkpoint / "google/umt5-xxl/tokenizer.json").unlink()
    found = refused(checkpoint)
    assert found.code == "RUN011"
    assert "Wan2.1_VAE.pth" in found.message and "google/umt5-xxl/tokenizer.json" in found.message


@pytest.mark.parametrize("indexed", [True, False])
def test_a_missing_shard_is_named(checkpoint: Path, indexed: bool) -> None:
    (checkpoint / "diffusion_pytorch_model.safetensors").unlink()
    shards = [f"diffusion_pytorch_model-{i:05d}-of-00003.safetensors" for i in (1, 2, 3)]
    for shard in shards:
        (checkpoint / shard).write_text("x")
    if indexed:
        index = {"weight_map": {f"w{i}": shard for i, shard in enumerate(shards)}}
        (checkpoint / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    assert [path.name for path in find_layout(checkpoint).dit_files] == shards
    (checkpoint / shards[1]).unlink()
    found = refused(checkpoint)
    assert found.code == "RUN011" and shards[1] in found.message


@pytest.mark.parametrize("name", ["config.json", "diffusion_pytorch_model.safetensors.index.json"])
@pytest.mark.parametrize("content", ["{", "[]", "", "\xff\0"])
def test_broken_json_is_refused(checkpoint: Path, name: str, content: str) -> None:
    (checkpoint / name).write_text(content, encoding="latin-1")
    found = refused(checkpoint)
    assert found.code == "RUN012" and name in found.message


def test_a_git_lfs_pointer_is_recognised(checkpoint: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    (checkpoint / "diffusion_pytorch_model.safetensors").write_text(pointer)
    found = refused(checkpoint)
    assert found.code == "RUN015" and "lfs pull" in found.fix


def open_up(checkpoint: Path) -> None:
    """Let others pass through every folder that pytest has made for itself, however deep."""
    for folder in (checkpoint, *checkpoint.parents):
        if "pytest" in str(folder):
            folder.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user to be refused")
def test_a_file_without_read_permission_is_named(checkpoint: Path) -> None:
    (checkpoint / "Wan2.1_VAE.pth").chmod(0o000)
    open_up(checkpoint)
    os.seteuid(65534)
    try:
        found = refused(checkpoint)
    finally:
        os.seteuid(0)
    assert found.code == "RUN013"
    assert found.path == f"{checkpoint}/Wan2.1_VAE.pth"
    assert found.fix == f"chmod -R a+rX '{checkpoint}'"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user to be refused")
@pytest.mark.parametrize("closed", [".", "google"])
def test_a_folder_without_search_permission_is_named(checkpoint: Path, closed: str) -> None:
    open_up(checkpoint)
    (checkpoint / closed).chmod(0o600)
    os.seteuid(65534)
    try:
        found = refused(checkpoint)
    finally:
        os.seteuid(0)
    assert found.code == "RUN013" and found.path is not None and closed in found.path


def test_the_embedded_model_lies_in_the_package() -> None:
    assert EMBEDDED_WEIGHTS.parent.name == "embedded"


def test_shapes_of_a_pth_equal_what_torch_reads(tmp_path: Path) -> None:
    state = {
        "a.weight": torch.zeros(3, 5, dtype=torch.bfloat16),
        "b.bias": torch.nn.Parameter(torch.zeros(7)),
        "scalar": torch.tensor(1),
        "view": torch.arange(12).reshape(3, 4).t(),
    }
    torch.save(state, tmp_path / "w.pth")
    assert read_shapes(tmp_path / "w.pth") == {name: tuple(tensor.shape) for name, tensor in state.items()}
    torch.save(torch.nn.Linear(2, 3).state_dict(), tmp_path / "w.pth")
    assert read_shapes(tmp_path / "w.pth") == {"weight": (3, 2), "bias": (3,)}


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch run-by-the-pickle",)


def test_a_pth_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("evil.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"w": Evil()}))
    with pytest.raises(Problem, match="RUN014"):
        read_shapes(Path("evil.pth"))
    assert not Path("run-by-the-pickle").exists()


@given(st.binary(max_size=300), st.booleans())
def test_no_content_of_a_pth_raises_anything_but_a_problem(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, zipped: bool
) -> None:
    path = tmp_path_factory.mktemp("pth") / "w.pth"
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", content)
    else:
        path.write_bytes(content)
    with pytest.raises(Problem, match="RUN014"):
        read_shapes(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user to be refused")
def test_a_folder_behind_a_closed_one_is_no_traceback(checkpoint: Path) -> None:
    open_up(checkpoint)
    checkpoint.parent.chmod(0o700)
    os.seteuid(65534)
    try:
        found = refused(checkpoint)
    finally:
        os.seteuid(0)
    assert found.code == "RUN013"
