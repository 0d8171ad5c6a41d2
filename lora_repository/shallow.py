"""What a list says of a version's load proof: verdict, codes, ranks, strengths, and nothing that has to be translated.

The same verdict as the proof that it was made of, in 200 bytes in place of 50,000. Knows no disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lora_repository.finding import Severity

if TYPE_CHECKING:
    from lora_repository.proof import Proof


class ShallowPart(msgspec.Struct, frozen=True, gc=False):
    """One file that loads as a whole: `target` is `dit` or `t5`; `matched` of `total` tensors; alpha / rank."""

    target: str
    rank: int
    alpha: float
    strength: float
    matched: int
    total: int


class ShallowFinding(msgspec.Struct, frozen=True, gc=False):
    """A finding without its wording, which the proof itself has."""

    code: str
    severity: Severity


class ShallowProof(msgspec.Struct, frozen=True, gc=False):
    """A proof against the model `base`, of the files as they were when it was made."""

    base: str
    parts: tuple[ShallowPart, ...]
    findings: tuple[ShallowFinding, ...]
    base_adapter: str | None = None

    @property
    def ok(self) -> bool:
        """No finding is an error."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)

    @property
    def worst(self) -> Severity | None:
        """The severest of the findings."""
        order = list(Severity)
        return min((finding.severity for finding in self.findings), key=order.index, default=None)


def shallow(proof: Proof) -> ShallowProof:
    """The essence of `proof`."""
    parts = [
        ShallowPart(part.target, part.rank, part.alpha, part.strength, part.matched, part.total) for part in proof.parts
    ]
    findings = [ShallowFinding(finding.code, finding.severity) for finding in proof.findings]
    return ShallowProof(proof.base, tuple(parts), tuple(findings), proof.base_adapter)
