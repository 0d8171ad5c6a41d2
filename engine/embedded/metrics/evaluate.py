"""Everything that is claimed of the embedded avatar, measured on the way that a user's run takes.

`python -m engine.embedded.metrics.evaluate OUT` writes `evaluation.json`, `evaluation.md` and `sheet.png`. Needs
espeak-ng and flite for the voices kept out of training; MediaPipe (extra `evaluate`) for the second opinion.
Controls by the same measures: the true video, the autoencoder's round trip, another clip's speech, a speech that falls
silent, shut lips.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from engine.checkpoint_layout import find_layout
from engine.embedded.corpus.visemes import SAMPLE_RATE
from engine.embedded.metrics import landmarks, looks, probe, real_speech, report, sync
from engine.embedded.metrics.cases import SIZE, Case, recorded, synthetic
from engine.embedded.metrics.probe import Reading
from engine.embedded.metrics.scores import Judges, Score, judge, plain, summary
from engine.generate import Inputs, generate, set_scene
from engine.load import Models, load_models
from engine.lora import ActiveWeights
from engine.media import blocks_for
from engine.resolving import prove_stack
from engine.spec import FPS

_FEW: Final = 5


def answer(models: Models, case: Case, *, seed: int = 420, steps: int = 4) -> Tensor:
    """What the model makes of a case: [T, 3, 128, 128] in 0..1, T in whole blocks."""
    with tempfile.TemporaryDirectory() as folder:
        image, audio = case.save(Path(folder))
        inputs = Inputs(case.prompt.text, image, audio, SIZE, SIZE, blocks_for(case.frames / FPS))
        blocks = [block.frames for block in generate(models, set_scene(models, inputs), steps=steps, seed=seed)]
    return torch.from_numpy(np.concatenate(blocks)).permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
def round_trip(models: Models, video: Tensor) -> Tensor:
    """`video` [T, 3, H, W] through the autoencoder; T is cut to 1 + 4k frames."""
    whole = video[: 1 + (len(video) - 1) // 4 * 4].transpose(0, 1)[None] * 2 - 1
    decoded = models.vae.decode(models.vae.encode(whole))[0]
    return ((decoded[0].transpose(0, 1) + 1) / 2).clamp(0, 1)


class Evaluation:
    """Collects rows of scores. Mutable while it runs."""

    def __init__(self, models: Models, judges: Judges) -> None:
        self.models, self.judges = models, judges
        self.rows: dict[str, dict[str, float]] = {}
        self.scores: dict[str, list[Score]] = {}
        self.looks: dict[str, dict[str, float]] = {}
        self.strips: list[Tensor] = []

    def add(self, title: str, cases: list[Case], videos: list[Tensor]) -> None:
        """Judge the videos of some cases and keep the row."""
        began = time.monotonic()
        scores = [judge(case, video, self.judges) for case, video in zip(cases, videos, strict=True)]
        self.scores[title] = scores
        self.rows[title] = summary(scores, self._portraits(cases))
        took = time.monotonic() - began
        print(f"{title}: mouth {self.rows[title]['mouth']:.3f}, {len(cases)} videos judged in {took:.0f} s", flush=True)

    def group(self, title: str, cases: list[Case]) -> None:
        """Answers of the model to `cases`, and the true videos beside them."""
        answers = [answer(self.models, case) for case in cases]
        self.add(f"{title}: model", cases, answers)
        self.add(f"{title}: true video", cases, [case.truth() for case in cases])
        self.add(f"{title}: against another's speech", _swapped(cases), answers)
        for case, video in list(zip(cases, answers, strict=True))[:6]:
            self.strips += report.comparison(case.portrait(), case.truth(), video)

    def controls(self, cases: list[Case]) -> None:
        """What every measure must tell apart."""
        self.add("autoencoder's round trip", cases, [round_trip(self.models, case.truth()) for case in cases])
        few = cases[:_FEW]
        self.add("model, speech that falls silent", few, [answer(self.models, _hushed(case)) for case in few])
        self.add("true video, lips shut", few, [case.frozen() for case in few])

    def adapters(self, cases: list[Case], versions: list[Path]) -> None:
        """The same cases without and with each adapter: what changes, and whether the lips still follow."""
        wardrobe = Wardrobe(self.models)
        for version in (None, *versions):
            wardrobe.wear(version)
            title = "no adapter" if version is None else version.resolve().name
            answers = [answer(self.models, case) for case in cases]
            self.add(title, cases, answers)
            self.looks[title] = looks.look([score.reading for score in self.scores[title]], answers)
            self.strips.append(torch.stack([video[len(video) // 2] for video in answers]))
        wardrobe.wear(None)

    def _portraits(self, cases: list[Case]) -> Reading:
        return self.judges.probe.read(torch.stack([case.portrait() for case in cases]))

    def tables(self) -> str:
        """All rows, as Markdown."""
        parts = [report.table(self.rows)]
        if self.looks:
            parts.append(report.table(self.looks))
        return "\n\n".join(parts)

    def save(self, folder: Path) -> None:
        """`evaluation.json`, `evaluation.md`, `sheet.png`."""
        folder.mkdir(parents=True, exist_ok=True)
        told = {title: [plain(score) for score in scores] for title, scores in self.scores.items()}
        document = {"summary": self.rows, "looks": self.looks, "cases": told}
        (folder / "evaluation.json").write_text(json.dumps(document, indent=1))
        (folder / "evaluation.md").write_text(self.tables() + "\n")
        report.sheet(self.strips, folder / "sheet.png")


class Wardrobe:
    """Puts one adapter at a time on the models. Mutable, as the weights that it writes."""

    def __init__(self, models: Models) -> None:
        self._layout = models.layout
        self._active = {
            "dit": ActiveWeights(models.dit, models.dit_weights),
            "t5": ActiveWeights(models.text.model, models.text_weights),
        }

    def wear(self, version: Path | None) -> None:
        """This adapter in place of whatever was worn; None: the base as it is. Raises Refused if it does not fit."""
        proofs = () if version is None else prove_stack((version,), self._layout)
        parts = [part for proof in proofs for part in proof.parts]
        for target, active in self._active.items():
            active.apply([part for part in parts if part.target == target])


def _hushed(case: Case) -> Case:
    """The first word, then silence: a file of silence alone is refused by the engine."""
    audio = case.audio.copy()
    audio[int(0.8 * SAMPLE_RATE) :] = 0
    return replace(case, audio=audio)


def _swapped(cases: list[Case]) -> list[Case]:
    """Each case with its neighbour's speech and track, all else its own."""
    others = [*cases[1:], *cases[:1]]
    return [replace(case, audio=other.audio, track=other.track) for case, other in zip(cases, others, strict=True)]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure the embedded avatar.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--ckpt_dir", default="embedded")
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--long", type=float, default=0.0, help="seconds of one long video (80: 2000 frames)")
    parser.add_argument("--adapters", type=Path, nargs="*", default=[], help="versions to compare with the base")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--flite", help="path of the flite command")
    chosen = parser.parse_args()
    models = load_models(find_layout(chosen.ckpt_dir), torch.device(chosen.device), torch.float32)
    run = Evaluation(models, Judges(probe.load(), sync.load(), landmarks.available()))
    cases = synthetic(chosen.cases, chosen.seconds, flite_command=chosen.flite)
    run.group("voices never heard", cases)
    run.controls(cases)
    run.group("recordings of people", recorded(real_speech.load()))
    if chosen.long:
        long = synthetic(1, chosen.long, flite_command=chosen.flite)
        run.add("one long video: model", long, [answer(models, case) for case in long])
    if chosen.adapters:
        run.adapters(cases[: 2 * _FEW], chosen.adapters)
    run.save(chosen.out)
    print(run.tables())


if __name__ == "__main__":
    main()
