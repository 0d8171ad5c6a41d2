"""From a checkpoint's files to models that are ready to run: text encoder, avatar model, video autoencoder, wav2vec.

Each part is loaded when it is first asked for, so the text encoder, whose work is done before the first frame, can be
let go before the rest needs its room. Knows no adapter, no prompt and no video. One number: at full size the text
encoder takes 10.6 GiB of a card for one prompt.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import Final

import torch

from engine import codes
from engine.checkpoint_layout import CONFIG, CheckpointLayout, read_config
from engine.compiling import compile_blocks
from engine.execution import Execution
from engine.fp8 import narrow
from engine.model.config import DiTConfig
from engine.model.dit import DiT
from engine.model.t5 import T5Config, UmT5Encoder
from engine.model.vae import VaeConfig, WanVae
from engine.model.vae_parts import lay_out_for_card
from engine.model.wav2vec2 import Wav2Vec2, Wav2Vec2Config, fuse_weight_norm
from engine.text import TextEncoder, read_tokenizer
from engine.weights import Model, Weights, fill, unfit
from lora_repository.i18n import _

Told = Callable[[str, float], None]
"""Called while loading with the part ("text", "dit", "vae", "audio") and the share of it that is done."""

_SPEECH_MODEL: Final = "wav2vec2."
_TRAINING_ONLY: Final = "masked_spec_embed"
_SMALL: Final = 1 << 30
"""Bytes of weights below which models are built in memory: the meta device costs a second and a half of imports."""


class Models:
    """The parts of one base model. Mutable: a part is loaded at its first use, and the text encoder can be let go."""

    def __init__(self, layout: CheckpointLayout, execution: Execution, told: Told = lambda part, share: None) -> None:
        self.layout = layout
        self.execution = execution
        self.device = execution.device
        self.dtype = execution.dtype
        self._told = told

    @cached_property
    def _unfilled(self) -> torch.device:
        """Where models are built before they get their weights."""
        small = sum(file.stat().st_size for file in self.layout.files()) < _SMALL
        return torch.device("cpu" if small else "meta")

    @cached_property
    def dit_weights(self) -> Weights:
        """The avatar model's tensors as they are stored."""
        return Weights(self.layout.dit_files)

    @cached_property
    def text_weights(self) -> Weights:
        """The text encoder's tensors as they are stored."""
        return Weights([self.layout.t5])

    @cached_property
    def dit_config(self) -> DiTConfig:
        """The avatar model's sizes."""
        return DiTConfig.from_json(read_config(self.layout), self.dit_weights.shapes)

    @cached_property
    def text(self) -> TextEncoder:
        """Tokenizer and text encoder."""
        weights = self.text_weights
        try:
            config = T5Config.from_state_dict(weights.sketch())
        except KeyError as fault:
            raise _lacking(weights, fault) from fault
        self._require(config.dim == self.dit_config.text_dim, weights, "text_dim", self.dit_config.text_dim)
        with self._unfilled:
            model = UmT5Encoder(config)
        filled = self._fill("text", model, weights)
        return TextEncoder(filled, read_tokenizer(self.layout.tokenizer), self.dit_config.text_len)

    def release_text(self) -> None:
        """Let the text encoder go, and the room it took on the device; it is loaded again if it is asked for again."""
        self.__dict__.pop("text", None)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    @cached_property
    def dit(self) -> DiT:
        """The avatar model."""
        with self._unfilled:
            model = DiT(self.dit_config)
        if self.execution.narrow_weights:
            narrow(model.blocks)
            narrow(model.audio_injector)
        filled = self._fill("dit", model, self.dit_weights)
        if self.execution.compiled:
            compile_blocks(filled)
        return filled

    @cached_property
    def vae(self) -> WanVae:
        """The video autoencoder."""
        weights = Weights([self.layout.vae])
        try:
            config = VaeConfig.from_state_dict(weights.sketch(), self._statistics())
        except KeyError as fault:
            raise _lacking(weights, fault) from fault
        except ValueError as fault:
            raise unfit(weights.path, str(fault)) from fault
        self._require(config.z_dim == self.dit_config.in_dim, weights, "in_dim", self.dit_config.in_dim)
        with self._unfilled:
            model = WanVae(config)
        filled = self._fill("vae", model, weights)
        filled.set_statistics(config.mean, config.std)
        if self.device.type == "cuda":
            lay_out_for_card(filled)
        return filled

    @cached_property
    def audio(self) -> Wav2Vec2:
        """The speech encoder; the head that it was trained with is left in the file."""
        weights = Weights([self.layout.wav2vec / "model.safetensors"])
        path = self.layout.wav2vec / CONFIG
        try:
            config = Wav2Vec2Config.from_json(json.loads(path.read_bytes()))
        except (OSError, ValueError) as fault:
            raise codes.CHECKPOINT_CONFIG.problem(path=str(path), folder=str(path.parent), reason=str(fault)) from fault
        self._require(config.hidden_size == self.dit_config.audio_dim, weights, "audio_dim", self.dit_config.audio_dim)
        layers = config.num_hidden_layers + 1
        self._require(layers == self.dit_config.audio_layers, weights, "audio_layers", self.dit_config.audio_layers)
        prefix = _SPEECH_MODEL if any(name.startswith(_SPEECH_MODEL) for name in weights) else ""
        state = {name.removeprefix(prefix): weights[name] for name in weights if name.startswith(prefix)}
        state.pop(_TRAINING_ONLY, None)
        with self._unfilled:
            model = Wav2Vec2(config)
        return fill(model, fuse_weight_norm(state), weights.path, self.device, self.dtype, self._teller("audio"))

    def _fill(self, part: str, model: Model, weights: Weights) -> Model:
        return fill(model, weights, weights.path, self.device, self.dtype, self._teller(part))

    def _teller(self, part: str) -> Callable[[float], None]:
        return lambda share: self._told(part, share)

    def _statistics(self) -> dict[str, list[float]] | None:
        """Mean and deviation of the latents from `vae.json`; None where there is none, which means Wan2.1's."""
        path = self.layout.vae_json
        if path is None:
            return None
        try:
            document = json.loads(path.read_bytes())
            return {key: [float(value) for value in document[key]] for key in ("mean", "std")}
        except (OSError, ValueError, LookupError, TypeError) as fault:
            raise codes.CHECKPOINT_CONFIG.problem(path=str(path), folder=str(path.parent), reason=str(fault)) from fault

    @staticmethod
    def _require(holds: bool, weights: Weights, key: str, expected: int) -> None:
        if not holds:
            raise unfit(
                weights.path, _("the model's config.json asks for {key} {expected}").format(key=key, expected=expected)
            )


def _lacking(weights: Weights, fault: KeyError) -> Exception:
    return unfit(weights.path, _("it lacks {names}").format(names=fault.args[0]))


def load_models(
    layout: CheckpointLayout,
    device: torch.device,
    dtype: torch.dtype,
    told: Told = lambda part, share: None,
    *,
    execution: Execution | None = None,
) -> Models:
    """Every part of a base model on `device` in `dtype`, or as `execution` says, now, the text encoder first.

    Raises Problem RUN012, RUN013, RUN014 for files that cannot be read, RUN017 for weights that do not fit.
    """
    models = Models(layout, execution or Execution(device, dtype), told)
    for part in ("text", "dit", "vae", "audio"):
        getattr(models, part)
    return models
