"""From what a person names to a version: fetched, converted where another tool wrote it, proved, named, published.

Between `Deployment` and whoever asks. Knows no screen; slow: it reads, converts and copies files.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
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


def examine(
    deployment: Deployment,
    source: str,
    bases: tuple[BaseTable, BaseTable],
    scratch: Path,
    alpha: float | None,
    progress: Progress,
) -> Candidate:
    """Fetch, prove, convert where needed; `scratch` takes the conversion. Raises Problem for what leads nowhere."""
    place = deployment.fetch(source, progress)
    dit, t5 = bases
    path, proof, converted = place, prove(place, dit, t5), False
    findings = proof.findings
    if not proof.ok and {finding.code for finding in proof.errors} & _FOREIGN:
        path, proof, findings = _convert(place, proof, bases, scratch, alpha)
        converted = path != place
    root = deployment.repository.root
    return Candidate(
        source=source,
        path=path,
        proof=proof,
        findings=findings,
        name=str(deployment.repository.propose(place, deployment.title_of(source))),
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
    place: Path, proof: Proof, bases: tuple[BaseTable, BaseTable], scratch: Path, alpha: float | None
) -> tuple[Path, Proof, tuple[Finding, ...]]:
    """As a folder of the contract, with its proof and findings; as it is where it cannot be read as an adapter."""
    from lora_repository.convert import convert
    from lora_repository.ingredients import find_ingredient

    out = scratch / "converted"
    shutil.rmtree(out, ignore_errors=True)
    try:
        ingredient, left_out = find_ingredient(place, bases[0], 1.0, alpha)
        convert([ingredient], bases[0], out)
    except Problem as error:
        # What the contract wants of names and config.json does not matter where an alpha alone is missing.
        told = () if error.finding.code == ALPHA_UNKNOWN else proof.findings
        return place, proof, (error.finding, *told)
    proved = prove(out, *bases)
    return out, proved, (*left_out, *proved.findings)


def _size(path: Path) -> int:
    files = [path] if is_file(path) else [entry for entry in path.iterdir() if entry.is_file()]
    return sum(file.stat().st_size for file in files)
