"""A base model from its files: every layout that is found in the wild, and every way in which files do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine import load
from engine.checkpoint_layout import find_layout
from engine.execution import Execution
from engine.load import Models, load_models
from engine.weights import Weights, fill
from lora_repository.finding import Finding, Problem
from tests.engine.tiny_run import CHECKPOINT, GOLDENS, copy_checkpoint

CPU = torch.device("cpu")
DIT = "diffusion_pytorch_model"
VAE = "Wan2.1_VAE"
T5 = "models_t5_umt5-xxl-enc-bf16"
SPEECH = "wav2vec2-large-xlsr-53-english"
torch.set_num_threads(1)


def loaded(folder: Path, dtype: torch.dtype = torch.float32) -> Models:
    return load_models(find_layout(folder), CPU, dtype)


def parts(models: Models) -> dict[str, nn.Module]:
    return {"dit": models.dit, "vae": models.vae, "text": models.text.model, "audio": models.audio}


def bits(models: Models) -> dict[str, Tensor]:
    return {
        f"{part}.{name}": tensor
        for part, module in parts(models).items()
        for name, tensor in module.state_dict().items()
    }


def refused(folder: Path) -> Finding:
    with pytest.raises(Problem) as caught:
        loaded(folder)
    return caught.value.finding


def resave(source: Path, target: Path, **changes: Tensor | None) -> None:
    """Write a file's tensors again as safetensors or .pth, some changed, some (None) left out."""
    tensors = load_file(source) if source.suffix == ".safetensors" else torch.load(source, weights_only=True)
    kept = {name: tensor for name, tensor in {**tensors, **changes}.items() if tensor is not None}
    source.unlink()
    if target.suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in kept.items()}, target)
    else:
        torch.save(kept, target)


@pytest.fixture(scope="module")
def upstreams() -> Models:
    return loaded(CHECKPOINT)


def test_upstreams_folder_is_loaded_whole(upstreams: Models) -> None:
    stored = load_file(CHECKPOINT / f"{DIT}.safetensors")
    assert all(torch.equal(upstreams.dit.state_dict()[name], tensor) for name, tensor in stored.items())
    for module in parts(upstreams).values():
        assert not module.training
        assert not any(tensor.is_meta for tensor in [*module.parameters(), *module.buffers()])
        assert not any(parameter.requires_grad for parameter in module.parameters())
    assert upstreams.vae.mean.shape == (16,)


def test_the_prompt_is_encoded_as_upstream_does(upstreams: Models) -> None:
    context = load_file(GOLDENS / "pipeline" / "offline.safetensors")["context"]
    rows = upstreams.text.encode("a person talks to the camera in warm light")
    assert torch.allclose(rows[0], context, atol=1e-4)


def test_shards_half_precision_and_safetensors_are_the_same_model(upstreams: Models, tmp_path: Path) -> None:
    folder = copy_checkpoint(tmp_path / "ckpt")
    tensors = load_file(folder / f"{DIT}.safetensors")
    (folder / f"{DIT}.safetensors").unlink()
    halves = (dict(list(tensors.items())[:50]), dict(list(tensors.items())[50:]))
    table = {}
    for number, half in enumerate(halves, 1):
        name = f"{DIT}-{number:05d}-of-00002.safetensors"
        save_file(half, folder / name)
        table |= dict.fromkeys(half, name)
    (folder / f"{DIT}.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    resave(folder / f"{VAE}.pth", folder / f"{VAE}.safetensors")
    t5 = {name: tensor.half() for name, tensor in torch.load(folder / f"{T5}.pth", weights_only=True).items()}
    resave(folder / f"{T5}.pth", folder / f"{T5}.safetensors", **t5)
    found = bits(loaded(folder))
    for name, tensor in bits(upstreams).items():
        expected = tensor.half().float() if name.startswith("text.") else tensor
        assert torch.equal(found[name], expected), name
        assert found[name].dtype == torch.float32


def test_the_precision_asked_for_is_the_models(tmp_path: Path) -> None:
    models = loaded(CHECKPOINT, torch.bfloat16)
    assert {tensor.dtype for tensor in bits(models).values()} == {torch.bfloat16}


def test_large_models_take_no_room_before_their_weights(upstreams: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_SMALL", 0)
    models = loaded(CHECKPOINT)
    expected = bits(upstreams)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in bits(models).items())
    assert torch.equal(models.vae.std, upstreams.vae.std)
    picture = torch.rand(1, 3, 1, 64, 64)
    assert torch.equal(models.vae.encode(picture), upstreams.vae.encode(picture))
    assert not any(t.is_meta for module in parts(models).values() for t in [*module.parameters(), *module.buffers()])


def test_weights_do_not_hang_on_the_file(tmp_path: Path) -> None:
    folder = copy_checkpoint(tmp_path / "ckpt")
    models = loaded(folder)
    before = {name: tensor.clone() for name, tensor in bits(models).items()}
    for path in (folder / f"{DIT}.safetensors", folder / f"{VAE}.pth"):
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2)
            file.write(bytes(100_000))
    assert all(torch.equal(tensor, before[name]) for name, tensor in bits(models).items())


def test_parts_are_loaded_when_asked_for_and_text_can_go() -> None:
    told: list[tuple[str, float]] = []
    models = Models(find_layout(CHECKPOINT), Execution(), lambda part, share: told.append((part, share)))
    assert told == []
    first = models.text.encode("a man")
    assert {part for part, _ in told} == {"text"}
    models.release_text()
    assert not any(isinstance(value, load.TextEncoder) for value in vars(models).values())
    assert models.dit is models.dit
    assert [share for part, share in told if part == "dit"][-1] == 1.0
    assert torch.equal(models.text.encode("a man"), first)


@pytest.mark.parametrize(
    ("file", "changes", "told"),
    [
        (f"{DIT}.safetensors", {"head.head.weight": None}, "it lacks head.head.weight"),
        (f"{DIT}.safetensors", {"head.tail": torch.ones(2)}, "it has the unknown head.tail"),
        (f"{DIT}.safetensors", {"head.head.bias": torch.ones(3)}, "head.head.bias is (3,), expected (64,)"),
        (f"{VAE}.pth", {"conv1.bias": None}, "it lacks conv1.bias"),
        (f"{VAE}.pth", {"conv2.weight": None}, "it lacks conv2.weight"),
        (f"{T5}.pth", {"norm.weight": None, "extra": torch.ones(1)}, "it lacks norm.weight; it has the unknown extra"),
        (f"{T5}.pth", {"token_embedding.weight": None}, "it lacks token_embedding.weight"),
        (f"{SPEECH}/model.safetensors", {"wav2vec2.encoder.layer_norm.bias": None}, "it lacks encoder.layer_norm.bias"),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path: Path, file: str, changes: dict[str, Tensor], told: str) -> None:
    folder = copy_checkpoint(tmp_path / "ckpt")
    resave(folder / file, folder / file, **changes)
    finding = refused(folder)
    assert finding.code == "RUN017"
    assert told in finding.message
    assert Path(file).name in finding.message


def test_long_lists_are_counted(tmp_path: Path) -> None:
    folder = copy_checkpoint(tmp_path / "ckpt")
    extra = {f"z{number}": torch.ones(1) for number in range(9)}
    resave(folder / f"{DIT}.safetensors", folder / f"{DIT}.safetensors", **extra)
    assert "unknown z0, z1, z2, z3 and 5 more" in refused(folder).message


@pytest.mark.parametrize(
    ("key", "value", "file"),
    [("text_dim", 32, T5), ("in_dim", 8, VAE), ("audio_dim", 16, "model"), ("audio_layers", 5, "model")],
)
def test_parts_of_different_models_are_told_apart(tmp_path: Path, key: str, value: int, file: str) -> None:
    folder = copy_checkpoint(tmp_path / "ckpt")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: value}))
    models = Models(find_layout(folder), Execution())
    with pytest.raises(Problem) as caught:
        _ = {T5: lambda: models.text, VAE: lambda: models.vae, "model": lambda: models.audio}[file]()
    assert caught.value.finding.code == "RUN017"
    assert f"{key} {value}" in caught.value.finding.message


@pytest.mark.parametrize("file", [f"{DIT}.safetensors", f"{VAE}.pth", f"{T5}.pth", f"{SPEECH}/model.safetensors"])
@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_damaged_weights_are_named(tmp_path: Path, file: str, damage: str) -> None:
    folder = copy_checkpoint(tmp_path / "ckpt")
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: len(content) // 2] if damage == "cut" else b"\x07" * 4096)
    finding = refused(folder)
    assert finding.code == "RUN014"
    assert Path(file).name in finding.message


def test_a_pickle_that_would_run_something_is_refused_unrun(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "sprung",)

    folder = copy_checkpoint(tmp_path / "ckpt")
    torch.save({"conv1.weight": Trap()}, folder / f"{VAE}.pth")
    assert refused(folder).code == "RUN014"
    assert not (tmp_path / "sprung").exists()


def test_a_pth_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    with pytest.raises(Problem, match="RUN014"):
        Weights([tmp_path / "list.pth"])


@pytest.mark.parametrize("content", ["{", "[]", '{"mean": [0]}', '{"mean": [0], "std": ["a"]}'])
def test_broken_statistics_are_named(tmp_path: Path, content: str) -> None:
    folder = copy_checkpoint(tmp_path / "ckpt")
    (folder / "vae.json").write_text(content)
    finding = refused(folder)
    assert finding.code == "RUN012"
    assert "vae.json" in finding.message


def test_own_statistics_take_the_place_of_wans(tmp_path: Path) -> None:
    folder = copy_checkpoint(tmp_path / "ckpt")
    (folder / "vae.json").write_text(json.dumps({"mean": [1.0] * 16, "std": [2.0] * 16}))
    vae = loaded(folder).vae
    assert (vae.mean.tolist(), vae.std.tolist()) == ([1.0] * 16, [2.0] * 16)


def test_statistics_of_another_number_of_channels_do_not_fit(tmp_path: Path) -> None:
    folder = copy_checkpoint(tmp_path / "ckpt")
    (folder / "vae.json").write_text(json.dumps({"mean": [1.0] * 4, "std": [2.0] * 4}))
    assert refused(folder).code == "RUN017"


def test_a_model_keeps_its_tensors_through_a_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    save_file(model.state_dict(), tmp_path / "m.safetensors")
    with torch.device("meta"):
        empty = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    shares: list[float] = []
    path = tmp_path / "m.safetensors"
    filled = fill(empty, Weights([path]), path, CPU, torch.float32, shares.append)
    assert torch.equal(filled(torch.ones(1, 3)), model(torch.ones(1, 3)))
    assert shares == [0.25, 0.5, 0.75, 1.0]
