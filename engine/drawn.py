"""Base models of a true shape whose numbers are drawn: for measuring where there is no checkpoint.

What they make is noise; how long it takes and how much room it needs is what the real ones do. Knows no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.compiling import compile_blocks
from engine.execution import Execution
from engine.fp8 import Fp8Linear, narrow
from engine.model.config import DiTConfig
from engine.model.dit import DiT
from engine.model.vae import WAN21_MEAN, WAN21_STD, VaeConfig, WanVae
from engine.model.vae_parts import lay_out_for_card
from engine.model.wav2vec2 import Wav2Vec2, Wav2Vec2Config
from engine.text import TextEncoder
from engine.weights import Model, expected_shapes, takers
from lora_repository.match import LoraPair
from lora_repository.part import PartProof

_PROMPT_TOKENS = 20
_SMALL = 0.02
_RANK = 128
"""Of upstream's adapter."""


class DrawnText:
    """Stands for a text encoder: any prompt becomes the same rows."""

    def __init__(self, width: int, execution: Execution) -> None:
        self._rows = _draw((1, _PROMPT_TOKENS, width), 1.0, execution)

    def encode(self, prompt: str) -> Tensor:
        """`[1, tokens, text_dim]`."""
        return self._rows


class DrawnModels:
    """The parts of a base model, each drawn at its first use; the same numbers every time on one device."""

    def __init__(self, execution: Execution, config: DiTConfig | None = None, vae: VaeConfig | None = None) -> None:
        """The defaults are the 14B model's sizes."""
        self.execution = execution
        self.device = execution.device
        self._config = config or DiTConfig()
        self._vae = vae or VaeConfig(mean=WAN21_MEAN, std=WAN21_STD)

    def cut(self, layers: int) -> DrawnModels:
        """The same with so many blocks."""
        heard = tuple(layer for layer in self._config.audio_inject_layers if layer < layers)
        return DrawnModels(
            self.execution, replace(self._config, num_layers=layers, audio_inject_layers=heard), self._vae
        )

    @cached_property
    def dit(self) -> DiT:
        """The avatar model."""
        with torch.device("meta"):
            model = DiT(self._config)
        if self.execution.narrow_weights:
            narrow(model.blocks)
            narrow(model.audio_injector)
        filled = fill_drawn(model, self.execution)
        if self.execution.compiled:
            compile_blocks(filled)
        return filled

    @cached_property
    def vae(self) -> WanVae:
        """The video autoencoder."""
        with torch.device("meta"):
            model = WanVae(self._vae)
        filled = fill_drawn(model, self.execution)
        filled.set_statistics(self._vae.mean, self._vae.std)
        if self.device.type == "cuda":
            lay_out_for_card(filled)
        return filled

    @cached_property
    def audio(self) -> Wav2Vec2:
        """The speech encoder; small where the avatar model hears little."""
        layers, width = self._config.audio_layers - 1, self._config.audio_dim
        with torch.device("meta"):
            model = Wav2Vec2(Wav2Vec2Config(hidden_size=width, num_hidden_layers=layers))
        return fill_drawn(model, self.execution)

    @cached_property
    def text(self) -> TextEncoder:
        """What stands for a text encoder."""
        return cast("TextEncoder", DrawnText(self._config.text_dim, self.execution))


def fill_drawn(model: Model, execution: Execution) -> Model:
    """Give a model that was built on the meta device numbers that keep variance from layer to layer."""
    shapes = expected_shapes(model)
    for name, take in takers(model, execution.device, execution.dtype).items():
        shape = shapes[name]
        if len(shape) > 1 and "modulation" not in name and "gamma" not in name:
            numbers = _draw(shape, torch.Size(shape[1:]).numel() ** -0.5, execution)
        elif name.endswith(("weight", "gamma")):
            numbers = torch.ones(shape, device=execution.device)
        else:
            numbers = _draw(shape, _SMALL, execution)
        take(numbers)
    return cast("Model", cast("nn.Module", model).requires_grad_(False).eval())


def _draw(shape: tuple[int, ...], deviation: float, execution: Execution) -> Tensor:
    generator = torch.Generator(execution.device).manual_seed(sum(shape))
    numbers = torch.empty(shape, dtype=execution.dtype, device=execution.device)
    return numbers.normal_(0, deviation, generator=generator)


def pinned_base(models: DrawnModels) -> Mapping[str, Tensor]:
    """The drawn weights of all adapted linears as they lie in pinned memory of the host; equal ones lie there once."""
    shapes = expected_shapes(models.dit)
    drawn: dict[tuple[int, ...], Tensor] = {}
    for name in adapted(models.dit):
        shape = shapes[f"{name}.weight"]
        if shape not in drawn:
            on_host = _draw(shape, shape[1] ** -0.5, models.execution).cpu()
            drawn[shape] = on_host.pin_memory() if models.device.type == "cuda" else on_host
    return {f"{name}.weight": drawn[shapes[f"{name}.weight"]] for name in adapted(models.dit)}


def adapted(model: DiT) -> list[str]:
    """The linears that upstream's adapters change: q, k, v, o and both of the feed-forward (SPEC section 9)."""
    leaves = ("q", "k", "v", "o", "0", "2")
    places = ("blocks", "audio_injector.injector")
    linears = ((name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear | Fp8Linear))
    return [name for name, _ in linears if name.startswith(places) and name.rpartition(".")[2] in leaves]


def drawn_adapter(file: Path, model: DiT, rank: int = _RANK) -> PartProof:
    """Write an adapter for all of them, and say what is in it."""
    shapes = expected_shapes(model)
    pairs, tensors = [], {}
    for name in adapted(model):
        rows, columns = shapes[f"{name}.weight"]
        pairs.append(LoraPair(name, f"{name}.lora_A.weight", f"{name}.lora_B.weight", rank))
        tensors[pairs[-1].key_a] = torch.randn(rank, columns, dtype=torch.bfloat16)
        tensors[pairs[-1].key_b] = torch.randn(rows, rank, dtype=torch.bfloat16) * _SMALL
    save_file(tensors, file)
    count = len(tensors)
    return PartProof(file, "dit", tuple(pairs), rank, rank / 2, 0.5, count, count, {})
