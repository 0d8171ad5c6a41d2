"""What preflight tells: a row for each thing that was looked at, and the findings. Plain values, no screen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.memory import MemoryPlan
from engine.memory.solver import Change, Solution
from lora_repository.finding import Finding, Severity


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was looked at. `check` is a stable id, `title`, `value` and `detail` are in the user's language.

    `worst` is the gravest finding of that check, None when it is silent.
    """

    check: str
    title: str
    value: str
    detail: str = ""
    worst: Severity | None = None

    def cells(self) -> tuple[str, ...]:
        """For a table of text."""
        return (self.title, self.value, self.detail)


@dataclass(frozen=True, slots=True)
class Examined:
    """The outcome of one check."""

    rows: tuple[Row, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that preflight found out about one run; `memory` is None where its sizes could not be read.

    `solution` holds the verdict on each device, the speed, and what to change where the run does not fit.
    """

    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    memory: MemoryPlan | None = None
    solution: Solution | None = None

    @property
    def ok(self) -> bool:
        """No finding is an error: the run may start."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "ok": self.ok,
            "rows": [
                {"check": row.check, "title": row.title, "value": row.value, "detail": row.detail, "worst": row.worst}
                for row in self.rows
            ],
            "findings": [finding.as_dict() for finding in self.findings],
            "memory": None if self.memory is None else memory_dict(self.memory),
            "speed": None if self.solution is None else speed_dict(self.solution),
            "changes": [] if self.solution is None else [change_dict(one) for one in self.solution.changes],
            "smallest": None if self.solution is None else smallest_list(self.solution),
        }


def memory_dict(plan: MemoryPlan) -> dict[str, Any]:
    """A plan by device: what must be free, the stage of the peak, and every term, in bytes."""
    return {
        device: {
            "need": plan.need(device),
            "peak": plan.peak(device).size,
            "stage": plan.peak(device).stage,
            "margin": plan.margin,
            "terms": [
                {
                    "name": term.name,
                    "bytes": term.size,
                    "when": sorted(term.when),
                    "exact": term.exact,
                    "kind": term.kind,
                }
                for term in plan.terms
                if term.device == device
            ],
        }
        for device in plan.devices
    }


def speed_dict(solution: Solution) -> dict[str, Any] | None:
    """Frames a second, and whether they were measured here; None where nothing is known."""
    pace = solution.pace
    return None if pace is None else {"fps": round(pace.fps, 2), "measured": pace.measured}


def change_dict(change: Change) -> dict[str, Any]:
    """One change alone: what it gives in bytes, the speed with it, and whether it is enough."""
    fps = None if change.pace is None else round(change.pace.fps, 2)
    return {"key": change.key, "flag": change.flag, "gives": change.gives, "fps": fps, "fits": change.fits}


def smallest_list(solution: Solution) -> list[str] | None:
    """The flags of the smallest combination that fits; None where none does."""
    return None if solution.smallest is None else [change.flag for change in solution.smallest]


def worst(findings: Iterable[Finding]) -> Severity | None:
    """The gravest severity, None without findings."""
    order = list(Severity)
    return min((finding.severity for finding in findings), key=order.index, default=None)


def examined(check: str, title: str, value: str, detail: str = "", findings: Iterable[Finding] = ()) -> Examined:
    """The usual outcome: one row and what was found."""
    found = tuple(findings)
    return Examined((Row(check, title, value, detail, worst(found)),), found)
