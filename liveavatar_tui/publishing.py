"""From what a person names to a version: fetched, converted where another tool wrote it, proved, named, published.

Between `Deployment` and whoever asks. Knows no screen; slow: it reads, converts and copies files.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from lora_repository.codes import ADAPTER_MISSING, ALPHA_UNKNOWN, FOREIGN_TENSORS
from lora_repository.finding import Finding, Problem
from lora_repository.place import is_file
from lora_repository.proof import Proof, prove

if TYPE_CHECKING:
    from liveavatar_tui.deployment import Deployment
    from lora_repository.base import BaseTable
    from lora_repository.published import Published

Progress = Callable[[int, int | None], None]
"""Bytes done, bytes in all (None: unknown); may raise to stop."""
# What another tool's files look like to the contract.
_FOREIGN: Final = frozenset({FOREIGN_TENSORS, ADAPTER_MISSING, ALPHA_UNKNOWN})


class Candidate(msgspec.Struct, frozen=True):
    """What would be published: the `source` as it was named, and the folder or file at `path` that it amounts to.

    `converted` says that `path` is a conversion of the source, `findings` are those of proof and conversion; `size` is
    in bytes, as is `free`, the room where the versions lie.
    """

    source: str
    path: Path
    proof: Proof
    findings: tuple[Finding, ...]
    name: str
    converted: bool
    size: int
    free: int


class Term(msgspec.Struct, frozen=True):
    """One adapter of a source, and how strongly it takes part."""

    reference: str
    strength: float = 1.0


def terms(source: str) -> list[Term]:
    """`v2.1 + smile.safetensors * 0.5` -> both adapters with their strengths; a source of one is that one."""
    found = []
    for text in source.split(" + "):
        reference, _times, factor = text.rpartition(" * ")
        strength = _number(factor)
        found.append(Term(text.strip()) if strength is None else Term(reference.strip(), strength))
    return found


def examine(
    deployment: Deployment,
    source: str,
    bases: tuple[BaseTable, BaseTable],
    scratch: Path,
    alpha: float | None,
    progress: Progress,
) -> Candidate:
    """Fetch, prove, convert or join where needed, in `scratch`. Raises Problem for what leads nowhere."""
    parts = terms(source)
    places = [deployment.fetch(term.reference, progress) for term in parts]
    path = places[0]
    proof = prove(path, *bases)
    findings, converted = proof.findings, False
    foreign = not proof.ok and {finding.code for finding in proof.errors} & _FOREIGN
    if foreign or parts != [Term(source)]:
        path, proof, findings = _convert(places, [term.strength for term in parts], proof, bases, scratch, alpha)
        converted = path != places[0]
    root = deployment.repository.root
    return Candidate(
        source=source,
        path=path,
        proof=proof,
        findings=findings,
        name=str(deployment.repository.propose(places[0], deployment.title_of(parts[0].reference))),
        converted=converted,
        size=_size(path),
        free=shutil.disk_usage(root if root.is_dir() else Path.cwd()).free,
    )


def publish(deployment: Deployment, candidate: Candidate, name: str, progress: Progress) -> Published:
    """Make the version `name` of it; raises Problem as `Deployment.publish`."""
    done = 0

    def copied(count: int) -> None:
        nonlocal done
        done += count
        progress(done, candidate.size)

    from lora_repository.remote_copies import is_url, without_secrets

    origin = without_secrets(candidate.source) if is_url(candidate.source) else candidate.source
    return deployment.publish(candidate.path, name, "", copied, origin if candidate.converted or is_url(origin) else "")


def _convert(
    places: Sequence[Path],
    strengths: Sequence[float],
    proof: Proof,
    bases: tuple[BaseTable, BaseTable],
    scratch: Path,
    alpha: float | None,
) -> tuple[Path, Proof, tuple[Finding, ...]]:
    """As one folder of the contract, with its proof and findings; the first as it is where it cannot be converted."""
    from lora_repository.convert import convert
    from lora_repository.ingredients import find_ingredient, match_strengths

    out = scratch / "converted"
    shutil.rmtree(out, ignore_errors=True)
    try:
        weights = match_strengths(len(places), strengths)
        found = [find_ingredient(place, bases[0], weight, alpha) for place, weight in zip(places, weights, strict=True)]
        convert([ingredient for ingredient, _left_out in found], bases[0], out)
    except Problem as error:
        # What the contract wants of names and config.json does not matter where an alpha alone is missing.
        told = () if error.finding.code == ALPHA_UNKNOWN or proof.ok else proof.findings
        return places[0], replace(proof, findings=(error.finding, *told)), (error.finding, *told)
    proved = prove(out, *bases)
    return out, proved, (*(finding for _one, left_out in found for finding in left_out), *proved.findings)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _size(path: Path) -> int:
    files = [path] if is_file(path) else [entry for entry in path.iterdir() if entry.is_file()]
    return sum(file.stat().st_size for file in files)
