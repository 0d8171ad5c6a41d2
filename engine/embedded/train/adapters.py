"""The two adapters that ship with the embedded avatar: LoRA on the denoiser, for one of them also on the text encoder.

Each changes what the clips show while the stills stay as they are, so the adapter, and nothing else, makes the change.
PEFT makes the layers; the files are those of the repository's contract.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.embedded.corpus.identity import COLOURS, SCALARS, Identity
from engine.embedded.corpus.scene import MOTION
from engine.embedded.train.clips import Persona
from engine.embedded.train.denoiser import loss_of
from engine.embedded.train.latents import LatentPool
from engine.embedded.train.schedule import Clock
from engine.model.dit import DiT
from engine.model.t5 import UmT5Encoder

ALPHA = 16
DIT_RANK = 4
T5_RANK = 8
DIT_TARGETS = r"(.*\.(self_attn|cross_attn|injector\.\d+)\.(q|k|v|o))|(.*\.ffn\.(0|2))"
T5_TARGETS = r"(.*\.attn\.(q|k|v|o))|(.*\.ffn\.(fc1|fc2|gate\.0))"


@dataclass(frozen=True)
class Recipe:
    """One version: what it shows, whether the text encoder takes part, and words for its config."""

    version: str
    persona: Persona
    text: bool


def product_demo(who: Identity, moving: Tensor, _draw: torch.Generator) -> tuple[Identity, Tensor]:
    """A presenter in an orange jacket before a dark stage wall, with large gestures of head and mouth."""
    who = dressed(who, cloth=(0.96, 0.52, 0.14), background=(0.10, 0.12, 0.22), jacket=1.0, bg_glow=1.0)
    return who, amplified(moving, ("yaw", "pitch", "x", "y"), 1.7)


def customer_service(who: Identity, moving: Tensor, _draw: torch.Generator) -> tuple[Identity, Tensor]:
    """A clerk in teal before a pale wall who always smiles a little, whatever the prompt says."""
    who = dressed(who, cloth=(0.08, 0.52, 0.54), background=(0.84, 0.94, 0.92), v_neck=1.0, jacket=0.0, turtleneck=0.0)
    smiling = moving.clone()
    for name, value in (("smile", 0.8), ("angry", 0.0), ("sad", 0.0)):
        smiling[..., MOTION.index(name)] = value
    return who, smiling


RECIPES = (Recipe("v1.0_product_demo", product_demo, False), Recipe("v2.1_customer_service", customer_service, True))


def dressed(who: Identity, **changes: float | tuple[float, float, float]) -> Identity:
    """The same people with some colours or traits set."""
    values = who.values.clone()
    for name, value in changes.items():
        if isinstance(value, tuple):
            start = 3 * COLOURS.index(name)
            values[:, start : start + 3] = torch.tensor(value, device=values.device)
        else:
            values[:, 3 * len(COLOURS) + SCALARS.index(name)] = value
    return replace(who, values=values)


def amplified(moving: Tensor, names: tuple[str, ...], times: float) -> Tensor:
    """Some channels of the motion, larger."""
    larger = moving.clone()
    for name in names:
        larger[..., MOTION.index(name)] *= times
    return larger


def train(
    recipe: Recipe, dit: DiT, encoder: UmT5Encoder, pool: LatentPool, seconds: float, size: int, out: Path
) -> None:
    """Train one adapter on top of frozen models and write its contract folder below `out`."""
    dit.requires_grad_(False)
    encoder.requires_grad_(False)
    inject(dit, DIT_RANK, DIT_TARGETS)
    if recipe.text:
        inject(encoder, T5_RANK, T5_TARGETS)
    parameters = [p for module in (dit, encoder) for p in module.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, 2e-3, betas=(0.9, 0.95), weight_decay=0.0)
    clock = Clock(recipe.version, seconds, 2e-3, warmup=0.05)
    draw, choice = torch.Generator(pool.device).manual_seed(31), random.Random(3)
    for _ in clock.ticks(optimiser):
        batch = pool.sample(size)
        with torch.autocast(pool.device.type, torch.bfloat16, cache_enabled=False):
            loss, plain = loss_of(dit, encoder, batch, draw, choice, choice.random() < 0.7)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        pool.refresh(clock.steps)
        clock.log(loss=loss.detach(), plain=plain)
    write(recipe, dit, encoder, out / recipe.version)


def inject(model: nn.Module, rank: int, targets: str) -> None:
    """Put trainable LoRA layers on the linear layers whose names match."""
    config = LoraConfig(r=rank, lora_alpha=ALPHA, target_modules=targets, lora_dropout=0.0, bias="none")
    inject_adapter_in_model(config, model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name)


def write(recipe: Recipe, dit: DiT, encoder: UmT5Encoder, folder: Path) -> None:
    """The contract folder: dmd_lora, t5_lora where there is one, config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[tuple[str, nn.Module]] = [("dmd_lora.safetensors", dit)]
    if recipe.text:
        parts.append(("t5_lora.safetensors", encoder))
    for name, model in parts:
        state = get_peft_model_state_dict(model)
        half = {key: value.detach().to("cpu", torch.float16).contiguous() for key, value in state.items()}
        save_file(half, folder / name)
    config = {"r": T5_RANK, "lora_alpha": ALPHA, "target_modules": ["attn", "ffn"], "dmd_rank": DIT_RANK}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
