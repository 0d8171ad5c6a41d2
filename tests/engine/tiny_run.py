"""Runs small enough for tests: upstream's tiny checkpoint, one portrait, one speech, adapters that fit."""

from __future__ import annotations

import json
import shutil
import wave
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from engine.checkpoint_layout import find_layout
from engine.resolving import base_tables
from engine.spec import RunSpec

GOLDENS = Path(__file__).parent / "goldens"
CHECKPOINT = GOLDENS / "ckpt_tiny"
PORTRAIT = GOLDENS / "pipeline" / "ref_150x300.png"
SPEECH = GOLDENS / "pipeline" / "audio_4s3_16k.wav"
TEMPLATE: Mapping[str, object] = {"r": 8, "lora_alpha": 16, "target_modules": ["attn", "ffn"], "dmd_rank": 4}


def spec(**changes: object) -> RunSpec:
    """Two seconds of 128x64 video from the tiny checkpoint."""
    settings = {
        "prompt": "a person talks",
        "image": str(PORTRAIT),
        "audio": str(SPEECH),
        "ckpt_dir": str(CHECKPOINT),
        "size": "128*64",
        "num_clip": 1,
        "sample_steps": 2,
        "threads": 1,
    }
    return RunSpec(**(settings | changes))  # type: ignore[arg-type]


def make_version(
    folder: Path,
    *,
    dmd_rank: int = 4,
    r: int = 8,
    t5: bool = True,
    config: Mapping[str, object] = TEMPLATE,
    scale: float = 0.02,
) -> Path:
    """A contract folder that fits the tiny checkpoint, with tensors of these ranks."""
    folder.mkdir(parents=True)
    dit, text = base_tables(find_layout(CHECKPOINT))
    draw = np.random.default_rng(7)
    for name, rank, table in (("dmd_lora", dmd_rank, dit), ("t5_lora", r, text)):
        modules = [module for target in ("attn", "ffn") for module in table.covered_by(target)]
        tensors = {}
        for module in modules:
            rows, columns = table.modules[module]
            key = f"base_model.model.{module}"
            tensors[f"{key}.lora_A.default.weight"] = draw.normal(0, 1, (rank, columns)).astype(np.float32)
            tensors[f"{key}.lora_B.default.weight"] = draw.normal(0, scale, (rows, rank)).astype(np.float32)
        if t5 or name == "dmd_lora":
            save_file(tensors, folder / f"{name}.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def tone(path: Path, seconds: float, rate: int = 16_000) -> Path:
    """A wave file with a hum that comes and goes."""
    moments = np.arange(int(seconds * rate)) / rate
    samples = (8000 * np.sin(2 * np.pi * 150 * moments) * np.abs(np.sin(2 * np.pi * 2 * moments))).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def copy_checkpoint(folder: Path) -> Path:
    """The tiny checkpoint where a test may break it."""
    return Path(shutil.copytree(CHECKPOINT, folder))
