"""The full check of one version: proved, every byte read, held against what was published. Knows no screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lora_repository.contents import check_contents
from lora_repository.finding import Finding, Problem, Severity
from lora_repository.folder import CONTRACT_NAMES
from lora_repository.hashes import sha256_of
from lora_repository.place import is_file
from lora_repository.proof import Proof
from lora_repository.published import change_since_publication

if TYPE_CHECKING:
    from liveavatar_tui.proving import Prover

Progress = Callable[[int, int], None]
"""Bytes read, bytes in all; may raise to stop."""


class Checked(msgspec.Struct, frozen=True):
    """What the check found: the proof, all findings with those about numbers and changed bytes, SHA-256 by file."""

    proof: Proof
    findings: tuple[Finding, ...]
    hashes: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """No finding is an error."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)

    def told(self, finding: Finding | None) -> Checked:
        """With one finding more, if there is one."""
        return self if finding is None else msgspec.structs.replace(self, findings=(*self.findings, finding))


def full_check(path: Path, prove: Prover, state: Path, progress: Progress) -> Checked:
    """Check the version in the folder `path`; `state` holds the records of publications. Findings, never Problems."""
    proof = prove(path)
    files = [path / name for name in CONTRACT_NAMES if is_file(path / name)]
    total, done = sum(file.stat().st_size for file in files), 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress(done, total)

    proved = {part.file for part in proof.parts}
    findings, hashes = list(proof.findings), {}
    for file in files:
        try:
            if file in proved:
                contents = check_contents(file, advance)
                hashes[file.name] = contents.sha256
                findings += contents.findings
            else:
                hashes[file.name] = sha256_of(file, advance)
        except Problem as error:
            findings += [error.finding] if error.finding not in findings else []
    changed = change_since_publication(state, path, hashes)
    return Checked(proof, tuple([*findings, changed] if changed is not None else findings), hashes)
