"""`python -m engine.embedded.train.make STAGE --state DIR --tape FILE --seconds N`: one stage of the embedded avatar.

Stages, in order: text, speech, autoencoder, then decoder and denoiser side by side (the encoder is settled), adapters,
export. Each reads what the earlier ones left in the state folder, so a lost machine costs one stage; all of them but
text and speech go on from what they find, and may run on several cards under torchrun.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from engine.embedded.corpus.speech import Tape
from engine.embedded.train import adapters, autoencoder, decoder, denoiser, export, speech, text
from engine.embedded.train.clips import ClipSource, Takes
from engine.embedded.train.footage import FootagePool
from engine.embedded.train.latents import LatentPool
from engine.embedded.train.schedule import rank
from engine.embedded.train.widen import widen
from engine.model.t5 import UmT5Encoder
from engine.model.vae import WanVae


class Stages:
    """The stages share a state folder, a device and a tape."""

    def __init__(self, chosen: argparse.Namespace, device: torch.device) -> None:
        self.chosen, self.device = chosen, device
        self.state: Path = chosen.state
        self.seconds: float = chosen.seconds

    def takes(self) -> Takes:
        """The tape, with features once the speech model exists; they are kept for the stages that follow."""
        takes = Takes(Tape.load(self.chosen.tape), self.device)
        path, kept = self.state / "speech.safetensors", self.state / "features.safetensors"
        if kept.exists():
            takes.features = load_file(kept)["features"].to(self.device)
        elif path.exists():
            takes.features = speech.features_of(export.load_module(speech.build(), path, self.device), takes)
            self._save({"features": takes.features}, kept)
        return takes

    def vae(self) -> WanVae:
        """The trained autoencoder with its statistics, its decoder widened where it was trained narrower."""
        model = widen(autoencoder.build(), load_file(self.state / "vae.safetensors")).to(self.device)
        statistics = load_file(self.state / "vae_statistics.safetensors")
        model.set_statistics(statistics["mean"].tolist(), statistics["std"].tolist())
        return model.eval().requires_grad_(False)

    def encoder(self) -> UmT5Encoder:
        """The trained text encoder."""
        return export.load_module(text.build(), self.state / "text.safetensors", self.device)

    def pool(self, source: ClipSource) -> LatentPool:
        """Ready samples for the stages that see latents."""
        tokenizer = Tokenizer.from_file(str(self.state / "tokenizer.json"))
        return LatentPool(source, self.vae(), tokenizer, self.chosen.pool)

    def run_text(self) -> None:
        tokenizer = text.train_tokenizer(self.state / "tokenizer.json")
        export.save_module(text.train(tokenizer, self.seconds, self.device), self.state / "text.safetensors")

    def run_speech(self) -> None:
        takes = Takes(Tape.load(self.chosen.tape), self.device)
        export.save_module(speech.train(takes, self.seconds, self.device), self.state / "speech.safetensors")

    def run_autoencoder(self) -> None:
        takes = Takes(Tape.load(self.chosen.tape), self.device)
        self._finish_vae(autoencoder.train(ClipSource(takes, rank()), self.seconds, self.device), takes)

    def run_denoiser(self) -> None:
        pool = self.pool(ClipSource(self.takes(), 100 + rank()))
        pool.fill(self.chosen.fill)
        model = denoiser.build().to(self.device)
        resume = self.state / "dit.safetensors"
        if resume.exists():
            model.load_state_dict(load_file(resume))
        chosen, keep = self.chosen, self._keep if rank() == 0 else None
        denoiser.train(model, self.encoder(), pool, self.seconds, chosen.batch, chosen.rate, chosen.own, keep)
        if rank() == 0:
            export.save_module(model, resume)

    def run_decoder(self) -> None:
        takes, vae = Takes(Tape.load(self.chosen.tape), self.device), self.vae()
        pool = FootagePool(ClipSource(takes, 300 + rank()), vae)
        for _ in range(-(-self.chosen.fill // pool.lot)):
            pool.add()
        self._finish_vae(decoder.train(vae, pool, self.seconds, self.chosen.batch, self.chosen.rate), takes)

    def run_adapters(self) -> None:
        takes = self.takes()
        recipes = [recipe for recipe in adapters.RECIPES if self.chosen.only in ("", recipe.version)]
        for number, recipe in enumerate(recipes):
            pool = self.pool(ClipSource(takes, 500 + number, persona=recipe.persona))
            pool.fill(self.chosen.fill)
            model = export.load_module(denoiser.build(), self.state / "dit.safetensors", self.device)
            adapters.train(
                recipe, model, self.encoder(), pool, self.seconds, self.chosen.batch, self.state / "adapters"
            )

    def run_export(self) -> None:
        export.export(self.state, self.state / "weights", self.vae().cpu())

    def _keep(self, weights: dict[str, Tensor]) -> None:
        self._save(weights, self.state / "dit_kept.safetensors")

    def _finish_vae(self, vae: WanVae, takes: Takes) -> None:
        """Measure on held-out avatars, and keep."""
        if rank() != 0:
            return
        decibels, energy = autoencoder.held_out_psnr(vae, ClipSource(takes, 7, held_out=True))
        print(f"[{self.chosen.stage}] held out {decibels:.2f} dB, edge energy {energy:.2f}", flush=True)
        export.save_module(vae, self.state / "vae_made.safetensors")
        self._save({"mean": vae.mean, "std": vae.std}, self.state / "vae_statistics.safetensors")
        (self.state / "vae_made.safetensors").replace(self.state / "vae.safetensors")

    @staticmethod
    def _save(tensors: dict[str, Tensor], path: Path) -> None:
        """Whole or not at all: another stage may be reading."""
        beside = path.with_suffix(".part")
        save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, beside)
        beside.replace(path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train one stage of the embedded avatar.")
    names = ("text", "speech", "autoencoder", "denoiser", "decoder", "adapters", "export")
    parser.add_argument("stage", choices=names)
    parser.add_argument("--state", type=Path, required=True, help="folder that the stages share")
    parser.add_argument("--tape", type=Path, help="speech made by engine.embedded.corpus.speech")
    parser.add_argument("--seconds", type=float, default=60.0, help="time to train")
    parser.add_argument("--batch", type=int, default=64, help="clips a step")
    parser.add_argument("--pool", type=int, default=16384, help="clips held ready")
    parser.add_argument("--fill", type=int, default=2048, help="clips made before the first step")
    parser.add_argument(
        "--rate", type=float, default=1.5e-3, help="peak learning rate of the denoiser, and of the decoder"
    )
    parser.add_argument("--own", type=float, default=0.35, help="share of the time after which the own path begins")
    parser.add_argument("--only", default="", help="train this adapter alone")
    chosen = parser.parse_args()
    device = _device()
    chosen.state.mkdir(parents=True, exist_ok=True)
    stage: Callable[[], None] = getattr(Stages(chosen, device), f"run_{chosen.stage}")
    stage()
    if dist.is_initialized():
        dist.destroy_process_group()


def _device() -> torch.device:
    """This rank's card; the CPU where there is none."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    if "LOCAL_RANK" in os.environ:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("nccl")
    return torch.device("cuda", torch.cuda.current_device())


if __name__ == "__main__":
    main()
