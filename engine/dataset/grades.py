"""What the doctor says: a grade and findings for each file, findings for the whole. Knows no file format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lora_repository.finding import Finding, Severity


class Grade(StrEnum):
    """How far a file can be trusted."""

    GOOD = "good"
    USABLE = "usable"
    UNFIT = "unfit"


@dataclass(frozen=True, slots=True)
class Graded:
    """One file, by its path below the data set's folder, or a line of the list of prompts."""

    name: str
    findings: tuple[Finding, ...] = ()

    @property
    def grade(self) -> Grade:
        """Unfit with an error, usable with a warning."""
        found = {finding.severity for finding in self.findings}
        if Severity.ERROR in found:
            return Grade.UNFIT
        return Grade.USABLE if Severity.WARNING in found else Grade.GOOD


@dataclass(frozen=True, slots=True)
class Report:
    """All files in order, and what is wrong with the set as a whole."""

    files: tuple[Graded, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether a training may begin: no file is unfit and nothing is missing."""
        errors = any(finding.severity is Severity.ERROR for finding in self.findings)
        return not errors and all(file.grade is not Grade.UNFIT for file in self.files)

    def of(self, names: Sequence[str]) -> list[Graded]:
        """The files of these names."""
        return [file for file in self.files if file.name in names]

    def as_dict(self) -> dict[str, object]:
        """JSON form."""
        files = [
            {"name": file.name, "grade": file.grade, "findings": [finding.as_dict() for finding in file.findings]}
            for file in self.files
        ]
        return {"ok": self.ok, "files": files, "findings": [finding.as_dict() for finding in self.findings]}
