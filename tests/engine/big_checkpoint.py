"""Wan2.2-S2V-14B as it lies on a disk, true names and shapes in true headers, the weights themselves a hole."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping
from pathlib import Path

import torch

from engine.model.config import DiTConfig
from engine.model.dit import DiT
from engine.model.t5 import T5Config, UmT5Encoder
from engine.model.vae import VaeConfig, WanVae

SHARDS = 4
Shapes = Mapping[str, tuple[int, ...]]


def write_14b(root: Path) -> Path:
    """28 GB that take some hundred kB."""
    root.mkdir(parents=True)
    with torch.device("meta"):
        dit, t5, vae = DiT(DiTConfig()), UmT5Encoder(T5Config()), WanVae(VaeConfig())
    names = list(_shapes(dit).items())
    index = {}
    for shard in range(SHARDS):
        part = dict(names[shard::SHARDS])
        name = f"diffusion_pytorch_model-{shard + 1:05d}-of-{SHARDS:05d}.safetensors"
        write_hollow(root / name, part, "BF16")
        index |= dict.fromkeys(part, name)
    (root / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    _write_pth(root / "models_t5_umt5-xxl-enc-bf16.pth", _shapes(t5))
    _write_pth(root / "Wan2.1_VAE.pth", _shapes(vae))
    write_hollow(root / "wav2vec2-large-xlsr-53-english/model.safetensors", {"weight": (315_472_545,)}, "F32")
    for name in ("google/umt5-xxl/tokenizer.json", "wav2vec2-large-xlsr-53-english/config.json", "config.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}")
    return root


def write_hollow(path: Path, shapes: Shapes, dtype: str) -> None:
    """A safetensors file whose header is true and whose data is a hole."""
    size, at, header = 2 if dtype == "BF16" else 4, 0, {}
    for name, shape in shapes.items():
        end = at + math.prod(shape) * size
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    raw = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(raw)) + raw)
    os.truncate(path, 8 + len(raw) + at)


def _write_pth(path: Path, shapes: Shapes) -> None:
    one = torch.zeros(1, dtype=torch.bfloat16)
    torch.save({name: one.expand(shape) for name, shape in shapes.items()}, path)


def _shapes(model: torch.nn.Module) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
