"""One run from spec to video, top to bottom: resolve, load, condition, generate, mux; each phase told as it begins.

Knows the order of things and nothing of how each is done. Torch is imported only after everything that can be known to
be wrong has been checked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from platformdirs import user_cache_path

from engine import codes
from engine.cores import usable_cores
from engine.job_folder import APP, JobFolder
from engine.log import LOG
from engine.media import blocks_for
from engine.memory import Stage as MemoryStage
from engine.memory_watch import MemoryWatch
from engine.preview_player import PreviewPlayer
from engine.protocol import AdapterLoaded, Finished, Memory, Phase, Plan, Preview, Warned
from engine.provenance import Provenance
from engine.resolving import Resolved, resolve, video_size
from engine.spec import FPS, Precision, RunSpec
from engine.stage import Pace, Stage
from engine.video_sink import VideoSink, save_preview
from lora_repository.files import write_whole
from lora_repository.i18n import _
from lora_repository.proof import PartProof
from lora_repository.wording import shown

if TYPE_CHECKING:
    from engine.execution import Execution
    from engine.generate import Inputs, Scene
    from engine.load import Models

MEMORY_EVERY: Final = 4
"""Blocks between two memory events: 2 s of video."""
PORTRAIT_NAME: Final = "portrait.png"


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


def run(spec: RunSpec, folder: JobFolder, stage: Stage) -> Finished:
    """Make the video in `folder`; raises Problem, Stopped, or whatever a library raises."""
    # 1. everything that can be wrong before a weight is read
    resolved = resolve(spec)
    for finding in resolved.warnings:
        stage.tell(Warned(code=finding.code, message=finding.message, fix=finding.fix))
    job = Job(resolved, folder, stage)
    provenance = Provenance(spec, resolved.layout)
    # 2. the model, with the adapters in it
    stage.enter(Phase.LOADING)
    threads = _set_threads(spec.threads)
    models = _load(job)
    _adapt(job, models, provenance)
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
    finished = _generate(job, models, scene, provenance, loaded, watch)
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


def _load(job: Job) -> Models:
    """Every part of the base model, where and as it will be computed."""
    from engine.load import load_models

    names = {
        "text": _("text encoder"),
        "dit": _("avatar model"),
        "vae": _("video decoder"),
        "audio": _("speech encoder"),
    }

    def told(part: str, share: float) -> None:
        job.stage.note(names[part], share)
        job.stage.go_on()

    execution = _execution(job.spec, embedded=job.resolved.layout.embedded)
    LOG.info("Loading %s on %s", shown(job.resolved.layout.root), execution.device)
    return load_models(job.resolved.layout, execution.device, execution.dtype, told, execution=execution)


def _execution(spec: RunSpec, *, embedded: bool) -> Execution:
    """The first card with all that makes it fast; else the processor in float32, where the embedded model always runs.

    Parity mode computes plainly. Raises Problem RUN002 where the card has no unit for eight bits.
    """
    import torch

    from engine.compiling import be_deterministic, keep_compiled
    from engine.execution import FP8_CAPABILITY, Execution

    if embedded or not torch.cuda.is_available():
        return Execution()
    device = torch.device("cuda:0")
    if spec.parity:
        return Execution(device, torch.bfloat16)
    narrow = spec.precision is Precision.FP8, spec.cache_precision is Precision.FP8
    if any(narrow) and torch.cuda.get_device_capability(device) < FP8_CAPABILITY:
        expected = _("a card of compute capability 8.9 or later")
        raise codes.SPEC_WRONG.problem(
            exit_code=2, field="--precision", value="fp8", expected=expected, example="--precision bf16"
        )
    keep_compiled(user_cache_path(APP) / "compiled")
    be_deterministic()
    return Execution.on_card(device, narrow_weights=narrow[0], narrow_cache=narrow[1])


def _adapt(job: Job, models: Models, provenance: Provenance) -> None:
    """Merge the stack into the models, and say so in the words that people look for in the log."""
    from engine.lora import ActiveWeights

    proofs = job.resolved.proofs
    if not proofs:
        LOG.info("No LoRA: the base model as it is")
        return
    parts = [part for proof in proofs for part in proof.parts]
    provenance.adapters(parts)
    targets = {
        "dit": ("DiT", models.dit, models.dit_weights),
        "t5": ("T5", models.text.model, models.text_weights),
    }
    for proof in proofs:
        LOG.info("Loading DMD LoRA from %s", shown(proof.path) + ("/" if proof.path.is_dir() else ""))
    for target, (_name, model, stored) in targets.items():
        ActiveWeights(model, stored).apply([part for part in parts if part.target == target])
    for part in parts:
        LOG.info("Loaded %s (rank=%d, alpha=%g)", shown(part.file.name), part.rank, part.alpha)
        job.stage.tell(_told(part))
    names = [name for target, (name, _model, _stored) in targets.items() if any(p.target == target for p in parts)]
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
    job: Job, models: Models, scene: Scene, provenance: Provenance, loaded: float, watch: MemoryWatch
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


def _tell(stage: Stage, readings: Iterable[Memory]) -> None:
    for reading in readings:
        stage.tell(reading)
