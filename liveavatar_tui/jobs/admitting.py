"""From a checked run to a job: what forbids it, what it only has to wait for, and its place in the queue.

The one door for command line and app. Knows no screen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from liveavatar_tui import codes
from liveavatar_tui.jobs.devices import busy, claim
from liveavatar_tui.jobs.queue import read_line
from liveavatar_tui.jobs.starting import start, submit
from lora_repository.finding import Finding, Severity

if TYPE_CHECKING:
    from engine.spec import RunSpec
    from liveavatar_tui.jobs.job import Job
    from liveavatar_tui.preflight.report import Report


def obstacles(report: Report, jobs_dir: Path) -> tuple[Finding, ...]:
    """The errors that forbid the run. Too little memory does not while another job has the device: it will be free."""
    errors = tuple(finding for finding in report.findings if finding.severity is Severity.ERROR)
    others = tuple(error for error in errors if error.code != codes.NO_ROOM.code)
    return others if others != errors and _taken(report, jobs_dir) else errors


def _taken(report: Report, jobs_dir: Path) -> bool:
    from engine.probe import probe

    devices = claim(report.memory, probe()).devices
    return any({*one.devices} & {*devices} for one in read_line(jobs_dir)) or busy(jobs_dir, devices)


def admit(spec: RunSpec, jobs_dir: Path, report: Report | None, *, now: bool = False, repeats: str = "") -> Job:
    """The run as a job: at the end of the queue, or at once beside whatever runs. Raises as `submit`."""
    from engine.probe import probe

    wanted = claim(report.memory if report is not None else None, probe())
    if now:
        return start(spec, jobs_dir, claim=wanted, repeats=repeats)
    return submit(spec, jobs_dir, wanted, repeats=repeats)
