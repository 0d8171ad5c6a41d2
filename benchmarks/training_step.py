"""Time and memory of training steps at the 14B model's shape, random weights: `python benchmarks/training_step.py`.

`--small` takes a model of a few numbers, on the processor: that the benchmark runs at all.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from engine.model.config import DiTConfig
from engine.model.dit import DiT
from engine.spec import FRAMES_PER_BLOCK
from engine.training.adapters import Adapted, inject
from engine.training.clips import Clip, Stock
from engine.training.learning import Learner, compute_twice
from engine.training.spec import TrainSpec
from lora_repository.base import BaseTable

SMALL = DiTConfig(
    dim=48, ffn_dim=96, freq_dim=32, in_dim=4, out_dim=4, cond_dim=4, num_heads=4, num_layers=3, text_dim=12,
    text_len=8, audio_dim=10, audio_layers=3, audio_inject_layers=(0, 2),
)  # fmt: skip


def stock_of(config: DiTConfig, latent: tuple[int, int], blocks: int) -> Stock:
    """One clip of noise."""
    still = torch.randn(config.in_dim, 19, *latent)
    target = torch.randn(config.in_dim, 3 * blocks, *latent)
    features = torch.randn(config.audio_layers, config.audio_dim, FRAMES_PER_BLOCK * blocks)
    rows = torch.randn(config.text_len // 4, config.text_dim)
    return Stock((Clip("noise", target, features, 0, (0,), ()),), (still,), (rows,), (torch.zeros(1),))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--rank", type=int, default=128)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--own_path", type=float, default=0.5)
    chosen = parser.parse_args()
    device = torch.device("cpu" if chosen.small else "cuda:0")
    config, latent = (SMALL, (8, 8)) if chosen.small else (DiTConfig(), (48, 88))
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32 if chosen.small else torch.bfloat16)
    with device:
        dit = DiT(config)
    torch.set_default_dtype(before)
    table = BaseTable.from_shapes("random", {name: tuple(p.shape) for name, p in dit.named_parameters()})
    spec = TrainSpec(output_dir=str(Path()), lora_rank=chosen.rank, lora_alpha=64, own_path=chosen.own_path, held_out=0)
    inject(dit, table, ("attn", "ffn"), spec.lora_rank, spec.lora_alpha)
    compute_twice(dit.blocks)
    learner = Learner(spec, Adapted(dit, None), stock_of(config, latent, chosen.blocks), device)
    trained = sum(parameter.numel() for parameter in learner.training.parameters.values())
    print(f"{sum(p.numel() for p in dit.parameters()) / 1e9:.2f} G parameters, {trained / 1e6:.1f} M of them trained")
    for number in range(chosen.steps):
        began = time.monotonic()
        told = learner.step(number)
        took = time.monotonic() - began  # the loss was read, so the device is done
        peak = 0.0 if chosen.small else torch.cuda.max_memory_reserved() / 2**30
        print(f"step {number}: {took:.2f} s, loss {told.loss:.4f}, peak {peak:.1f} GiB reserved", flush=True)


if __name__ == "__main__":
    main()
