"""Everything that can be known wrong about a run before torch is imported: checked here, in well under a second.

The same check for the app before a launch and for the engine before it loads: validated means loadable. Reads headers
and the inputs' own files, never weights; imports no torch.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from engine import codes
from engine.checkpoint_layout import CheckpointLayout, find_layout, read_config
from engine.media import SIDE_STEP, size_for
from engine.model.config import DiTConfig
from engine.pth_header import read_shapes
from engine.sources import Portrait, Speech, read_portrait, read_speech
from engine.spec import EMBEDDED, RunSpec
from lora_repository.base import BaseTable
from lora_repository.finding import Finding, Problem, Severity
from lora_repository.i18n import _
from lora_repository.proof import Proof, prove

MOST_STEPS = 50
EMBEDDED_SIDE = 128
"""Pixels of the embedded model's square picture: the only size that it was trained on."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A run whose every part is there and fits: the spec's strings turned into facts. `proofs` are in merging order."""

    spec: RunSpec
    layout: CheckpointLayout
    proofs: tuple[Proof, ...]
    portrait: Portrait
    speech: Speech

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What does not stop the run."""
        return tuple(f for proof in self.proofs for f in proof.findings if f.severity is Severity.WARNING)


class Refused(Problem):
    """A stack of adapters that would not load; `finding` is the first of `findings`, all of them errors."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(findings[0])
        self.findings = findings


def resolve(spec: RunSpec) -> Resolved:
    """Check all of it, what is quickest first; raises Problem for the first thing that is wrong."""
    check_values(spec)
    layout = find_layout(spec.ckpt_dir)
    DiTConfig.from_json(read_config(layout), path=layout.dit_config)
    proofs = prove_stack(tuple(Path(name) for name in spec.adapters), layout)
    portrait = read_portrait(Path(spec.image))
    speech = read_speech(Path(spec.audio))
    return Resolved(spec, layout, proofs, portrait, speech)


def check_values(spec: RunSpec) -> None:
    """Numbers that no run can have; raises Problem RUN002, exit code 2."""
    try:
        area = spec.area()
    except ValueError:
        area = 0
    steps = _("a whole number from 1 to {most}").format(most=MOST_STEPS)
    side = EMBEDDED_SIDE if spec.ckpt_dir == EMBEDDED else SIDE_STEP
    least = _("WIDTH*HEIGHT, at least {side}*{side}").format(side=side)
    _require(area >= side * side, "size", spec.size, least, "704*384")
    _require(spec.num_clip is None or spec.num_clip > 0, "num_clip", spec.num_clip, _("a number above 0"), 4)
    _require(1 <= spec.sample_steps <= MOST_STEPS, "sample_steps", spec.sample_steps, steps, 4)
    _require(spec.threads is None or spec.threads > 0, "threads", spec.threads, _("a number above 0"), 2)
    drawn = spec.ckpt_dir == EMBEDDED or not spec.avatarise
    _require(drawn, "avatarise", spec.ckpt_dir, _("the embedded model"), f"--ckpt_dir {EMBEDDED}")


def video_size(spec: RunSpec, portrait: Portrait) -> tuple[int, int]:
    """Height and width of the video: within the area asked for, in the picture's shape; the embedded model has one."""
    if spec.ckpt_dir == EMBEDDED:
        return EMBEDDED_SIDE, EMBEDDED_SIDE
    return size_for(portrait.height, portrait.width, spec.area())


def base_tables(layout: CheckpointLayout) -> tuple[BaseTable, BaseTable]:
    """The linears of the video model and of the text encoder, from headers; raises Problem RUN014."""
    try:
        name = EMBEDDED if layout.embedded else layout.root.name
        dit = BaseTable.from_safetensors(layout.dit_files, name)
        if layout.t5.suffix == ".pth":
            return dit, BaseTable.from_shapes(layout.t5.name, read_shapes(layout.t5))
        return dit, BaseTable.from_safetensors([layout.t5], layout.t5.name)
    except Problem as error:
        if error.finding.code.startswith("RUN"):
            raise
        found = error.finding
        path, folder = found.path or str(layout.root), str(layout.root)
        raise codes.CHECKPOINT_DAMAGED.problem(path=path, folder=folder, reason=found.message.rstrip(".")) from error


def prove_stack(adapters: tuple[Path, ...], layout: CheckpointLayout) -> tuple[Proof, ...]:
    """Proofs of a whole stack; raises Refused with every error of every adapter.

    Where the first of the stack asks for a base adapter, it gets it; what comes before a later one was chosen.
    """
    if not adapters:
        return ()
    dit, t5 = base_tables(layout)
    proofs = [prove(_followed(path), dit, t5) for path in adapters]
    while proofs[0].base_adapter is not None:
        base = _base_of(proofs[0])
        if base.resolve() in {proof.path.resolve() for proof in proofs}:
            break
        proofs.insert(0, prove(_followed(base), dit, t5))
    errors = tuple(finding for proof in proofs for finding in proof.errors)
    if errors:
        raise Refused(errors)
    return tuple(proofs)


def _followed(path: Path) -> Path:
    """Where a link such as `latest` leads at this moment: a switch in the middle must not mix two versions.

    A link that leads nowhere is kept, so that the proof can say so.
    """
    return Path(os.path.realpath(path)) if os.path.exists(path) else path  # noqa: PTH110  # a refusal is no exception


def _base_of(proof: Proof) -> Path:
    """The base adapter's place: a path, or a version beside the one that names it; raises Problem RUN030."""
    name = str(proof.base_adapter)
    for place in (Path(name).expanduser(), proof.path.parent / name):
        if place.exists():
            return place
    raise codes.BASE_ADAPTER_MISSING.problem(path=str(proof.path), name=name)


def _require(good: bool, field: str, value: object, expected: str, example: object) -> None:
    if not good:
        flag = f"--{field}"
        raise codes.SPEC_WRONG.problem(exit_code=2, field=flag, value=value, expected=expected, example=example)
