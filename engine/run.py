"""One run from spec to video, top to bottom: resolve, load, condition, generate, mux; each phase told as it begins.

Knows the order of things and nothing of how each is done. Torch is imported only after everything that can be known to
be wrong has been checked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine import codes
from engine.cores import usable_cores
from engine.job_folder import JobFolder
from engine.log import LOG
from engine.media import blocks_for
from engine.memory import Stage as MemoryStage
from engine.memory_watch import MemoryWatch
from engine.preview_player import PreviewPlayer
from engine.protocol import AdapterLoaded, Finished, Memory, Phase, Plan, Preview, Warned
from engine.provenance import Provenance
from engine.resolving import Resolved, resolve, video_size
from engine.spec import FPS, Pristine, RunSpec
from engine.stage import Pace, Stage
from engine.video_sink import VideoSink, save_preview
from lora_repository.files import write_whole
from lora_repository.i18n import _
from lora_repository.proof import PartProof
from lora_repository.wording import shown

if TYPE_CHECKING:
    from engine.generate import Inputs, Scene
    from engine.load import Models
    from engine.resident import Resident
    from engine.rollout import Turn

MEMORY_EVERY: Final = 4
"""Blocks between two memory events: 2 s of video."""
PORTRAIT_NAME: Final = "portrait.png"
_TARGETS: Final = {"dit": "DiT", "t5": "T5"}
"""What the log calls the models that adapters are for."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all the later phases need to know."""

    resolved: Resolved
    folder: JobFolder
    stage: Stage

    @property
    def spec(self) -> RunSpec:
        """What was asked for."""
        return self.resolved.spec


def run(spec: RunSpec, folder: JobFolder, stage: Stage, resident: Resident | None = None) -> Finished:
    """Make the video in `folder`; raises Problem, Stopped, or whatever a library raises.

    `resident` keeps the base model for the next run; without one it is let go at the end.
    """
    # 1. everything that can be wrong before a weight is read
    resolved = resolve(spec)
    for finding in resolved.warnings:
        stage.tell(Warned(code=finding.code, message=finding.message, fix=finding.fix))
    job = Job(resolved, folder, stage)
    provenance = Provenance(spec, resolved.layout)
    # 2. the model, with the adapters in it
    stage.enter(Phase.LOADING)
    threads = _set_threads(spec.threads)
    resident = _resident() if resident is None else resident
    models = _load(job, resident)
    _adapt(job, resident, provenance)
    loaded = time.monotonic()
    watch = MemoryWatch(resolved, models.device)
    watch.saw(MemoryStage.LOADING)
    # 3. prompt, portrait and speech, as the model sees them
    stage.enter(Phase.CONDITIONING)
    inputs = _inputs(job, models)
    scene = _set_scene(job, models, inputs)
    watch.saw(MemoryStage.CONDITIONING)
    watch.plan(inputs.height, inputs.width)
    # 4. frames, into the file as they come
    stage.enter(Phase.GENERATING)
    finished = _generate(job, models, scene, provenance, loaded, watch, resident)
    watch.saw(MemoryStage.DECODING)
    watch.keep(finished, folder.root.name)
    # 5. where it came from
    stage.close()
    write_whole(folder.provenance, provenance.document(finished, stage.seconds, str(models.device), threads))
    return finished


def _set_threads(asked: int | None) -> int:
    """Threads of the processor, and how they wait for each other.

    By default a waiting thread spins: small operations run 8 % faster on two idle cores, and four to ten times slower
    when another program wants one of them. The runtime reads the setting once, as torch is imported.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    import torch

    threads = asked or usable_cores()
    torch.set_num_threads(threads)
    return threads


def _resident() -> Resident:
    from engine.resident import Resident

    return Resident()


def _load(job: Job, resident: Resident) -> Models:
    """Every part of the base model, where and as it will be computed."""
    names = {
        "text": _("text encoder"),
        "dit": _("avatar model"),
        "vae": _("video decoder"),
        "audio": _("speech encoder"),
    }

    def told(part: str, share: float) -> None:
        job.stage.note(names[part], share)
        job.stage.go_on()

    from engine.execution import execution_of

    execution = execution_of(job.spec, embedded=job.resolved.layout.embedded)
    LOG.info("Loading %s on %s", shown(job.resolved.layout.root), execution.device)
    pinned = job.spec.pristine is Pristine.HOST
    return resident.models(job.resolved.layout, execution, told, pinned=pinned)


def _adapt(job: Job, resident: Resident, provenance: Provenance) -> None:
    """Merge the stack into the models, and say so in the words that people look for in the log."""
    proofs = job.resolved.proofs
    parts = [part for proof in proofs for part in proof.parts]
    if not proofs:
        LOG.info("No LoRA: the base model as it is")
    for proof in proofs:
        LOG.info("Loading DMD LoRA from %s", shown(proof.path) + ("/" if proof.path.is_dir() else ""))
    provenance.adapters(parts)
    resident.apply(parts)
    _tell_adapters(job, parts)


def _tell_adapters(job: Job, parts: Sequence[PartProof]) -> None:
    for part in parts:
        LOG.info("Loaded %s (rank=%d, alpha=%g)", shown(part.file.name), part.rank, part.alpha)
        job.stage.tell(_told(part))
    names = [name for target, name in _TARGETS.items() if any(part.target == target for part in parts)]
    if names:
        LOG.info("LoRA injection completed for %s modules", " and ".join(names))


def _told(part: PartProof) -> AdapterLoaded:
    return AdapterLoaded(
        path=str(part.file),
        target=part.target,
        rank=part.rank,
        alpha=part.alpha,
        strength=part.strength,
        matched=part.matched,
        total=part.total,
    )


def _inputs(job: Job, models: Models) -> Inputs:
    """What the video is made from, and its true size and length."""
    from engine.generate import Inputs, upstream_blocks

    spec, portrait, speech = job.spec, job.resolved.portrait, job.resolved.speech
    height, width = video_size(spec, portrait)
    blocks = blocks_for(speech.seconds, spec.num_clip)
    if spec.parity:
        blocks = upstream_blocks(models, speech.path, spec.num_clip)
    inputs = Inputs(spec.prompt, portrait.path, speech.path, height, width, blocks, spec.parity)
    job.stage.tell(Plan(width=width, height=height, blocks=blocks, frames=inputs.frames, fps=FPS))
    return inputs


def _set_scene(job: Job, models: Models, inputs: Inputs) -> Scene:
    """The condition; the text encoder's work is then done, so under offloading it makes room."""
    from engine.generate import set_scene

    if job.resolved.layout.embedded:
        inputs = replace(inputs, image=drivable(job, inputs.image, inputs.height, inputs.width))
    scene = set_scene(models, inputs)
    if job.spec.offload_model:
        models.release_text()
    return scene


def drivable(job: Job, portrait: Path, height: int, width: int) -> Path:
    """The portrait, or the nearest avatar to it when that was asked for; raises Problem RUN022 for a photograph."""
    from PIL import Image

    from engine.decoding import to_pixels
    from engine.embedded.portrait import avatarise, check_portrait
    from engine.image import prepare

    picture = prepare(portrait, height, width)
    verdict = check_portrait(picture)
    LOG.info("%s", verdict.message)
    if verdict.ok:
        return portrait
    if not job.spec.avatarise:
        raise codes.IMAGE_UNSUITED.problem(path=str(portrait), reason=verdict.message)
    job.stage.note(_("drawing the nearest avatar"))
    nearest = job.folder.root / PORTRAIT_NAME
    Image.fromarray(to_pixels(avatarise(picture))[0].numpy()).save(nearest)
    return nearest


def _generate(
    job: Job,
    models: Models,
    scene: Scene,
    provenance: Provenance,
    loaded: float,
    watch: MemoryWatch,
    resident: Resident,
) -> Finished:
    """Blocks of frames into the file, with progress, preview and memory told; the file is whole when this returns."""
    from engine.generate import generate

    stage, inputs, folder = job.stage, scene.inputs, job.folder
    began, first_frame_s = time.monotonic(), 0.0
    pace = Pace(inputs.blocks, inputs.frames)
    with (
        VideoSink(folder.output, inputs.width, inputs.height, FPS, inputs.audio) as sink,
        PreviewPlayer(folder.preview, FPS) as preview,
    ):
        for block in generate(
            models,
            scene,
            steps=job.spec.sample_steps,
            passes=job.spec.passes,
            seed=job.spec.seed,
            turn=_Turns(job, scene, provenance, resident),
        ):
            sink.write(block.frames)
            provenance.saw(block.frames, block.latents)
            if block.index == 0:
                first_frame_s = round(time.monotonic() - loaded, 3)
                save_preview(folder.first, block.frames[0])
            preview.show(block.frames)
            stage.tell(Preview(frame=sink.frames - 1))
            stage.tell(pace.after(block.index + 1, sink.frames))
            if block.index % MEMORY_EVERY == 0:
                _tell(stage, watch.readings())
            stage.go_on()
        stage.enter(Phase.MUXING)
        save_preview(folder.last, block.frames[-1])
    _tell(stage, watch.readings())
    took = time.monotonic() - began
    return Finished(
        output=str(folder.output),
        frames=sink.frames,
        seconds=round(took, 3),
        fps=round(sink.frames / took, 2),
        first_frame_s=first_frame_s,
    )


class _Turns:
    """Mutable: asked before every block; puts in place what somebody outside has prepared, and tells of it."""

    def __init__(self, job: Job, scene: Scene, provenance: Provenance, resident: Resident) -> None:
        self._job, self._scene, self._provenance, self._resident = job, scene, provenance, resident
        self._block = 0

    def __call__(self) -> Turn | None:
        made = self._resident.turn(self._scene)
        self._block += 1
        if made is None:
            return None
        turn, change = made
        self._provenance.swapped(self._block - 1, change.parts, restart=change.restart)
        _tell_adapters(self._job, change.parts)
        return turn


def _tell(stage: Stage, readings: Iterable[Memory]) -> None:
    for reading in readings:
        stage.tell(reading)
