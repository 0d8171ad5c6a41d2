"""What a version makes of the questions: videos, one version worn at a time. Knows no measure and no verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from engine.compare.judging import Answer
from engine.compare.questions import Exam, Question
from engine.generate import Inputs, Scene, generate, set_scene
from engine.lora import ActiveWeights
from engine.media import size_for
from engine.resolving import EMBEDDED_SIDE, prove_stack
from engine.sources import read_portrait
from engine.spec import FPS
from engine.video_sink import VideoSink

if TYPE_CHECKING:
    from engine.load import Models

SEED = 420


@dataclass(frozen=True)
class Takes:
    """All answers of one version: to `same`, to `new`, runs of one question with different seeds, and with one."""

    same: list[Answer]
    new: list[Answer]
    varied: list[Tensor]
    repeated: list[Tensor]


class Studio:
    """The models, dressed in one version after the other. Mutable, as the weights that it writes."""

    def __init__(self, models: Models, area: int) -> None:
        self._models, self._area = models, area
        self._active = {
            "dit": ActiveWeights(models.dit, models.dit_weights),
            "t5": ActiveWeights(models.text.model, models.text_weights),
        }

    def wear(self, stack: tuple[Path, ...]) -> None:
        """This stack in place of whatever was worn; nothing: the base as it is. Raises Refused if it does not fit."""
        parts = [part for proof in prove_stack(stack, self._models.layout) for part in proof.parts]
        for target, active in self._active.items():
            active.apply([part for part in parts if part.target == target])

    def answer(self, exam: Exam, told: Callable[[float], None]) -> Takes:
        """Every answer of the version that is worn."""
        whole = len(exam.same) + len(exam.new) + 2

        def all_of(questions: tuple[Question, ...], begun: int) -> list[Answer]:
            made = []
            for index, question in enumerate(questions):
                told((begun + index) / whole)
                made.append(Answer(question, self._film(self._scene(question), SEED)))
            return made

        same = all_of(exam.same, 0)
        new = all_of(exam.new, len(same))
        told((whole - 2) / whole)
        scene = self._scene(exam.repeated)
        varied = [self._film(scene, SEED + run) for run in range(exam.runs)]
        repeated = [varied[0], *(self._film(scene, SEED) for _run in range(1, exam.runs))]
        return Takes(same, new, varied, repeated)

    def size(self, image: Path) -> tuple[int, int]:
        """Height and width of the video of a portrait."""
        if self._models.layout.embedded:
            return EMBEDDED_SIDE, EMBEDDED_SIDE
        portrait = read_portrait(image)
        return size_for(portrait.height, portrait.width, self._area)

    def _scene(self, question: Question) -> Scene:
        height, width = self.size(question.image)
        inputs = Inputs(question.prompt, question.image, question.sound, height, width, question.blocks)
        return set_scene(self._models, inputs)

    def _film(self, scene: Scene, seed: int) -> Tensor:
        """[T, 3, H, W] in 0..1."""
        frames = np.concatenate([block.frames for block in generate(self._models, scene, seed=seed)])
        return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255


def write_video(answer: Answer, path: Path) -> None:
    """A video file with its sound."""
    pixels = (answer.video * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
    with VideoSink(path, pixels.shape[2], pixels.shape[1], FPS, answer.question.sound) as sink:
        sink.write(pixels)
