"""The base model and the LoRA stack: all files there, and every tensor of every adapter proved against them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from engine.checkpoint_layout import CheckpointLayout, find_layout, read_index
from engine.codes import WEIGHTS_UNFIT
from engine.memory.sizes import count_parts, shapes_of
from engine.resolving import Refused, prove_stack
from engine.spec import RunSpec
from liveavatar_tui.preflight.report import Examined, Row, examined, worst
from liveavatar_tui.quantities import bytes_text
from liveavatar_tui.settings import Settings
from lora_repository.finding import Finding, Problem, Severity
from lora_repository.i18n import _, ngettext
from lora_repository.part import PartProof
from lora_repository.policy import Policy
from lora_repository.proof import Proof
from lora_repository.repository import LoraRepository
from lora_repository.wording import some_of

PRODUCTION: Final = "production"


def check_base(spec: RunSpec) -> tuple[Examined, CheckpointLayout | None]:
    """Is every file of the base model there; the layout, or None when it is not whole."""
    title = _("base model")
    try:
        layout = find_layout(spec.ckpt_dir)
    except Problem as refusal:
        return examined("base", title, spec.ckpt_dir, findings=[refusal.finding]), None
    size = sum(path.stat().st_size for path in layout.files())
    damage = list(_damage(layout))
    return examined("base", title, spec.ckpt_dir, bytes_text(size), damage), None if damage else layout


def _damage(layout: CheckpointLayout) -> Iterator[Finding]:
    """Files cut short, of another kind, or without the tensors that the index promises: from headers alone."""
    try:
        count_parts(layout)
        held = {file.name: shapes_of(file) for file in layout.dit_files}
        lacking = [name for name, shard in read_index(layout).items() if name not in held.get(shard, {})]
    except Problem as refusal:
        yield refusal.finding
        return
    if lacking:
        differences = _("its index promises {names}").format(names=some_of(lacking))
        yield WEIGHTS_UNFIT.finding(path=str(layout.root), folder=str(layout.root), differences=differences)


def check_loras(spec: RunSpec, layout: CheckpointLayout | None, settings: Settings) -> Examined:
    """Would the stack load, and may production use it; without a base model there is nothing to hold it against."""
    title = _("LoRA")
    named = spec.label or " + ".join(Path(adapter).name for adapter in spec.adapters)
    if not spec.adapters:
        return examined("lora", title, _("none: the base model alone"))
    if layout is None:
        return examined("lora", title, named, _("not proved: the base model is not whole"))
    try:
        proofs = prove_stack(tuple(Path(adapter) for adapter in spec.adapters), layout)
    except Refused as refusal:
        return examined("lora", title, named, _("does not load"), refusal.findings)
    except Problem as refusal:
        return examined("lora", title, named, _("does not load"), [refusal.finding])
    findings = (*(finding for proof in proofs for finding in proof.findings), *_policy(spec, proofs, settings))
    return Examined(tuple(_row(title, proof) for proof in proofs), findings)


def _policy(spec: RunSpec, proofs: Sequence[Proof], settings: Settings) -> Iterator[Finding]:
    """What production demands of the versions that a run takes by that name."""
    if f"({PRODUCTION})" not in spec.label:
        return
    rules = settings.policy
    policy = Policy(rules.no_warnings, rules.published, rules.compared)
    state = LoraRepository(Path(settings.lora.repository)).state
    for proof in proofs:
        try:
            policy.require(PRODUCTION, proof.path, proof, state)
        except Problem as refusal:
            yield refusal.finding


def _row(title: str, proof: Proof) -> Row:
    parts = _("; ").join(_part(part) for part in proof.parts)
    return Row("lora", title, proof.path.name, parts, _gravest(proof.findings))


def _part(part: PartProof) -> str:
    told = ngettext(
        "{file}: rank {rank}, strength {strength:g}, {matched} of {total} tensor",
        "{file}: rank {rank}, strength {strength:g}, {matched} of {total} tensors",
        part.total,
    )
    return told.format(
        file=part.file.name, rank=part.rank, strength=round(part.strength, 3), matched=part.matched, total=part.total
    )


def _gravest(findings: tuple[Finding, ...]) -> Severity | None:
    """As `worst`, but a note alone leaves the row as good as silent."""
    found = worst(findings)
    return None if found is Severity.INFO else found
