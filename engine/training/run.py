"""One training from spec to version, top to bottom: find, load, make ready, learn, keep, show; each told as it begins.

Knows the order of things and nothing of how each is done. Torch is imported only after everything that can be known to
be wrong has been checked.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from engine.checkpoint_layout import CheckpointLayout
from engine.cores import usable_cores
from engine.log import LOG
from engine.media import size_for
from engine.memory_use import host_use
from engine.protocol import Learned, Phase, Preview, Saved, Trained, Warned
from engine.resolving import EMBEDDED_SIDE, base_tables, prove_stack
from engine.sources import read_portrait
from engine.spec import EMBEDDED, RunSpec
from engine.stage import Stage
from engine.training import places, watch
from engine.training.checking import check
from engine.training.material import Material
from engine.training.spec import TrainSpec
from lora_repository.finding import Finding
from lora_repository.i18n import _

if TYPE_CHECKING:
    from engine.load import Models
    from engine.training.adapters import Adapted
    from engine.training.checkpoint import Position
    from engine.training.clips import Stock
    from engine.training.learning import Learner

CHECKPOINTS_IN_ALL: Final = 10
_MEMORY_EVERY: Final = 20
_PACE: Final = 8
"""Steps that the told speed looks back on."""


def train(spec: TrainSpec, stage: Stage, show: Path, *, resume: bool = False) -> Trained:
    """Make the version in `spec.output_dir`; pictures for a watcher go to `show`. Raises Problem, Stopped."""
    layout, material = check(spec, resume=resume)
    began = time.monotonic()
    # 1. the base model, part by part as it is needed
    stage.enter(Phase.LOADING)
    models = load(spec, layout, stage)
    # 2. what is learned, made of files once
    stage.enter(Phase.CONDITIONING)
    stock = make_stock(spec, models, material, stage)
    # 3. the layers that learn, and the steps
    stage.enter(Phase.TRAINING)
    learner, adapted, position = begin(spec, models, stock, resume=resume)
    position = _Loop(spec, stage, learner, adapted, models, stock, show).go(position)
    # 4. the version
    from engine.training.adapters import write_version

    write_version(Path(spec.output_dir), adapted, spec)
    stage.close()
    loss = position.memory.loss or 0.0
    took = round(time.monotonic() - began, 3)
    return Trained(output=spec.output_dir, seconds=took, steps=position.step, loss=loss)


def load(spec: TrainSpec, layout: CheckpointLayout, stage: Stage) -> Models:
    """The base model with the adapter below it, where and as it is trained."""
    import torch

    from engine.execution import Execution
    from engine.load import Models
    from engine.lora import ActiveWeights

    torch.set_num_threads(spec.threads or usable_cores())
    device = torch.device(spec.device or ("cuda:0" if torch.cuda.is_available() and not layout.embedded else "cpu"))
    on_card = device.type == "cuda"
    execution = Execution(device, torch.bfloat16 if on_card and not layout.embedded else torch.float32)

    def told(part: str, share: float) -> None:
        stage.note(part, share)
        stage.go_on()

    models = Models(layout, execution, told)
    parts = [part for proof in prove_stack(_below(spec), layout) for part in proof.parts]
    for target in {part.target for part in parts}:
        model, stored = (
            (models.dit, models.dit_weights) if target == "dit" else (models.text.model, models.text_weights)
        )
        ActiveWeights(model, stored).apply([part for part in parts if part.target == target])
    LOG.info("Base model %s on %s", layout.root, device)
    return models


def make_stock(spec: TrainSpec, models: Models, material: Material, stage: Stage) -> Stock:
    """Latents, speech and prompts, then the clips that the base model makes of pictures; all kept on the disk."""
    from engine.training.cache import Cache, stamp
    from engine.training.clips import Preparation, talk

    names = {
        "text": _("prompts"),
        "pictures": _("pictures"),
        "speech": _("speeches"),
        "videos": _("videos"),
        "clips": _("clips"),
    }

    def told(part: str, share: float) -> None:
        stage.note(names[part], share)
        stage.go_on()

    below = [path for folder in _below(spec) for path in sorted(folder.glob("*"))]
    cache = Cache(places.cache(spec), stamp([*models.layout.files(), *below]))
    stock = Preparation(spec, models, cache, frame_size(spec, material), told).prepare(material)
    made = []
    for index, clip in enumerate(stock.clips):
        told("clips", index / len(stock.clips))
        if clip.target is None:
            key = ("talk", clip.name, clip.drawn_from, clip.prompt, spec.blocks, _seen(stock, clip.own[0], clip.prompt))
            target = cache.get(lambda clip=clip: talk(models.dit, stock, clip, models.device), *key)  # type: ignore[misc]
            clip = replace(clip, target=target)
        made.append(clip)
    LOG.info("%d clips of %d frames", len(made), 12 * spec.blocks)
    return replace(stock, clips=tuple(made))


def _seen(stock: Stock, still: int, prompt: int) -> str:
    """What a made clip depends on, short."""
    from hashlib import sha256

    parts = (stock.stills[still], stock.rows[prompt])
    return sha256(b"".join(part.float().numpy().tobytes() for part in parts)).hexdigest()


def begin(spec: TrainSpec, models: Models, stock: Stock, *, resume: bool) -> tuple[Learner, Adapted, Position]:
    """The models with their trainable layers, at the first step or where the training was left."""
    import torch

    from engine.training import checkpoint
    from engine.training.adapters import Adapted, inject
    from engine.training.learning import Learner, compute_twice

    dit, text = models.dit, models.text.model if spec.t5_rank else None  # loaded here at the latest: that draws too
    dit_table, t5_table = base_tables(models.layout)
    torch.manual_seed(spec.seed)  # PEFT draws the first weights from the global stream
    inject(dit, dit_table, spec.target_modules, spec.lora_rank, spec.lora_alpha)
    if text is not None:
        inject(text, t5_table, spec.target_modules, spec.t5_rank, spec.lora_alpha)
    if spec.checkpointing if spec.checkpointing is not None else models.device.type == "cuda":
        compute_twice(dit.blocks)
    adapted = Adapted(dit, text)
    learner = Learner(spec, adapted, stock, models.device)
    if resume and places.begun(spec):
        position = checkpoint.go_on(spec, learner.training)
        LOG.info("Going on after step %d", position.step)
        return learner, adapted, position
    return learner, adapted, checkpoint.Position(0, spec, watch.Memory())


class _Loop:
    """Mutable: the steps, what is told of them, and what is kept."""

    def __init__(
        self,
        spec: TrainSpec,
        stage: Stage,
        learner: Learner,
        adapted: Adapted,
        models: Models,
        stock: Stock,
        show: Path,
    ) -> None:
        self._spec, self._stage, self._learner, self._adapted = spec, stage, learner, adapted
        self._models, self._stock, self._show = models, stock, show
        self._every = spec.save_every or max(1, -(-learner.steps // CHECKPOINTS_IN_ALL))
        self._marks: deque[float] = deque([time.monotonic()], maxlen=_PACE + 1)

    def go(self, position: Position) -> Position:
        """To the last step."""
        memory = position.memory
        for number in range(position.step, self._learner.steps):
            learned = self._learner.step(number)
            memory, found = watch.after_step(memory, number + 1, learned.loss, learned.norm, learned.rate)
            self._warn(found)
            self._marks.append(time.monotonic())
            done = number + 1
            if done % self._every == 0 or done == self._learner.steps:
                memory = self._keep(done, memory)
            self._tell(done, memory, learned.rate)
            position = msgspec.structs.replace(position, step=done, memory=memory)
            self._stage.go_on()
        return position

    def _keep(self, step: int, memory: watch.Memory) -> watch.Memory:
        """A checkpoint: a version, a sample made with it, and last what the training goes on from."""
        from engine.training import checkpoint
        from engine.training.adapters import write_version
        from engine.training.sample import write_sample

        held_out = self._learner.look()
        if held_out is not None:
            memory, found = watch.after_look(memory, step, held_out)
            self._warn(found)
        folder = places.checkpoint(self._spec, step)
        write_version(folder, self._adapted, self._spec)
        sample = folder / "sample.mp4"
        write_sample(self._models, self._stock, sample, self._show)
        checkpoint.keep(self._spec, self._learner.training, checkpoint.Position(step, self._spec, memory))
        self._stage.tell(Preview(frame=0))
        self._stage.tell(Saved(step=step, path=str(folder), sample=str(sample)))
        LOG.info("step %d: loss %.5f, held out %s", step, memory.loss or 0.0, held_out)
        return memory

    def _tell(self, step: int, memory: watch.Memory, rate: float) -> None:
        pace = (len(self._marks) - 1) / max(1e-9, self._marks[-1] - self._marks[0])
        looks = memory.looks
        self._stage.tell(
            Learned(
                step=step,
                steps=self._learner.steps,
                loss=round(memory.loss or 0.0, 6),
                rate=rate,
                steps_per_s=round(pace, 3),
                eta_s=round((self._learner.steps - step) / pace, 1),
                held_out=looks[-1][1] if looks else None,
            )
        )
        if step % _MEMORY_EVERY == 1:
            self._stage.tell(host_use())
            if self._models.device.type == "cuda":
                from engine.card_use import card_use

                self._stage.tell(card_use(self._models.device.index or 0))

    def _warn(self, found: Finding | None) -> None:
        if found is not None:
            self._stage.tell(Warned(code=found.code, message=found.message, fix=found.fix))
            LOG.warning("%s: %s", found.code, found.message)


def frame_size(spec: TrainSpec, material: Material) -> tuple[int, int]:
    """Height and width of what is trained: of the first picture's shape, else of the first video's."""
    if spec.base_model == EMBEDDED:
        return EMBEDDED_SIDE, EMBEDDED_SIDE
    area = RunSpec(prompt="", image="", audio="", size=spec.size).area()
    if material.pictures:
        first = read_portrait(material.pictures[0])
        return size_for(first.height, first.width, area)
    from engine.training.footage import shape

    return size_for(*shape(material.videos[0]), area)


def _below(spec: TrainSpec) -> tuple[Path, ...]:
    return (Path(spec.base_adapter),) if spec.base_adapter else ()
