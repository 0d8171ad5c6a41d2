"""A small true world for the app's tests: a base model, versions, settings and job folders as they lie on a disk.

Files are real (safetensors headers with zeros, journals written by the engine's own journal); nothing is mocked.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from engine.job_folder import JobFolder, Journal, write_atomic
from engine.protocol import AnyEvent
from engine.spec import RunSpec, encode
from liveavatar_tui.settings import Settings, load_settings

ATTENTION = {f"blocks.{block}.self_attn.{side}": (16, 16) for block in (0, 1) for side in "qkvo"}
FEED_FORWARD = {
    f"blocks.{block}.{name}": shape for block in (0, 1) for name, shape in (("ffn.0", (32, 16)), ("ffn.2", (16, 32)))
}
DIT = ATTENTION | FEED_FORWARD | {"head.head": (8, 16)}
T5 = {f"blocks.0.attn.{side}": (12, 12) for side in "qkvo"} | {"blocks.0.ffn.fc1": (24, 12)}
DAY = datetime(2026, 3, 14, 9, 26, tzinfo=UTC).timestamp()


def write_tensors(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """A safetensors file of BF16 zeros."""
    at, header = 0, {}
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(at))


def write_base(root: Path) -> Path:
    """A base model whose linears are `DIT` and `T5`."""
    write_tensors(root / "diffusion_pytorch_model.safetensors", {f"{name}.weight": s for name, s in DIT.items()})
    write_tensors(root / "models_t5_umt5-xxl-enc-bf16.safetensors", {f"{name}.weight": s for name, s in T5.items()})
    for name in ("Wan2.1_VAE.safetensors", "wav2vec2-large-xlsr-53-english/model.safetensors"):
        write_tensors(root / name, {"x": (1,)})
    for name in ("config.json", "google/umt5-xxl/tokenizer.json", "wav2vec2-large-xlsr-53-english/config.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text('{"dim": 16}')
    return root


def adapter(linears: Mapping[str, tuple[int, int]], rank: int) -> dict[str, tuple[int, ...]]:
    """The tensors of an adapter on these linears."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, (rows, columns) in linears.items():
        shapes[f"{name}.lora_A.weight"] = (rank, columns)
        shapes[f"{name}.lora_B.weight"] = (rows, rank)
    return shapes


def write_version(folder: Path, *, t5: bool = True, dmd_rank: int = 4, said: int | None = None) -> Path:
    """A version of the contract, dated `DAY`; `said` is the rank that config.json claims, else the true one."""
    write_tensors(folder / "dmd_lora.safetensors", adapter(ATTENTION | FEED_FORWARD, dmd_rank))
    if t5:
        write_tensors(folder / "t5_lora.safetensors", adapter(T5, 3))
    config = {"r": 3, "lora_alpha": 16, "target_modules": ["attn", "ffn"], "dmd_rank": said or dmd_rank}
    (folder / "config.json").write_text(json.dumps(config))
    for file in folder.iterdir():
        os.utime(file, (DAY, DAY))
    return folder


def write_world(root: Path) -> Settings:
    """Base model, four versions (one of them with an error), `latest`, channels; the settings that name them."""
    write_base(root / "base")
    repository = root / "lora"
    write_version(repository / "v1.0_product_demo", t5=False)
    write_version(repository / "v2.0_winter_campaign", said=8)
    write_version(repository / "v2.1_customer_service")
    write_version(repository / "v2.2_customer_service_calm", dmd_rank=8)
    (repository / "latest").symlink_to("v2.1_customer_service")
    (root / "config.yaml").write_text(
        "lora:\n  default: latest\n  production: v1.0_product_demo\n  staging: v2.2_customer_service_calm\n"
        "  repository: lora\nckpt_dir: base\njobs:\n  folder: jobs\n"
    )
    return load_settings(root / "config.yaml", environ={})


def write_job(root: Path, name: str, spec: RunSpec, events: Iterable[AnyEvent], log: str = "") -> JobFolder:
    """A job folder as an engine leaves it."""
    folder = JobFolder(root / name)
    folder.create()
    write_atomic(folder.spec, encode(spec))
    os.utime(folder.spec, (DAY, DAY))
    journal = Journal(folder.events)
    for event in events:
        journal.append(event)
    journal.close()
    folder.log.write_text(log)
    return folder
