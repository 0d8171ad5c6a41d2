"""The base model and the LoRA stack: all files there, and every tensor of every adapter proved against them."""

from __future__ import annotations

from pathlib import Path

from engine.checkpoint_layout import CheckpointLayout, find_layout
from engine.resolving import Refused, prove_stack
from engine.spec import RunSpec
from liveavatar_tui.preflight.report import Examined, Row, examined, worst
from liveavatar_tui.quantities import bytes_text
from lora_repository.finding import Finding, Problem, Severity
from lora_repository.i18n import _, ngettext
from lora_repository.part import PartProof
from lora_repository.proof import Proof


def check_base(spec: RunSpec) -> tuple[Examined, CheckpointLayout | None]:
    """Is every file of the base model there; the layout, or None when it is not whole."""
    title = _("base model")
    try:
        layout = find_layout(spec.ckpt_dir)
    except Problem as refusal:
        return examined("base", title, spec.ckpt_dir, findings=[refusal.finding]), None
    size = sum(path.stat().st_size for path in layout.files())
    return examined("base", title, spec.ckpt_dir, bytes_text(size)), layout


def check_loras(spec: RunSpec, layout: CheckpointLayout | None) -> Examined:
    """Would the stack load; without a base model there is nothing to hold it against."""
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
    findings = tuple(finding for proof in proofs for finding in proof.findings)
    return Examined(tuple(_row(title, proof) for proof in proofs), findings)


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
