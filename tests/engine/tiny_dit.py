"""A diffusion transformer small enough for tests, none of whose parts is silent."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from engine.model.config import DiTConfig
from engine.model.dit import DiT

CHECKPOINT = Path(__file__).parent / "goldens" / "ckpt_tiny"
CONFIG = DiTConfig(
    dim=48,
    ffn_dim=96,
    freq_dim=32,
    in_dim=4,
    out_dim=4,
    cond_dim=4,
    num_heads=4,
    num_layers=3,
    text_dim=12,
    text_len=8,
    audio_dim=10,
    audio_layers=3,
    audio_inject_layers=(0, 2),
    anchor_update=False,
)


def make_dit(config: DiTConfig = CONFIG, seed: int = 0) -> DiT:
    """Random weights everywhere; a fresh model is silent, and silence hides faults."""
    torch.manual_seed(seed)
    dit = DiT(config).eval()
    with torch.no_grad():
        for name, parameter in dit.named_parameters():
            if parameter.dim() > 1 and "modulation" not in name:
                fan_in = parameter[0].numel()
                torch.nn.init.normal_(parameter, std=fan_in**-0.5)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return dit


def golden_dit() -> DiT:
    """The tiny model that upstream's recordings were made with."""
    state = load_file(CHECKPOINT / "diffusion_pytorch_model.safetensors")
    config = json.loads((CHECKPOINT / "config.json").read_text())
    dit = DiT(DiTConfig.from_json(config, {name: tuple(tensor.shape) for name, tensor in state.items()}))
    dit.load_state_dict(state, strict=True)
    return dit.eval()
