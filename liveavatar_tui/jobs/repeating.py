"""The same run once more: as it was, with other values, or with what the memory plan calls the next cheaper setting.

All adapters of a stack stay. Starts nothing; knows no screen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from liveavatar_tui import codes
from liveavatar_tui.jobs.job import Job

if TYPE_CHECKING:
    from engine.memory.solver import Change
    from engine.probe import Machine
    from engine.spec import RunSpec

_LESS = 0.9
"""A run that fits as it is must need a tenth less to be called cheaper."""


def spec_of(job: Job) -> RunSpec:
    """What it was asked to do; raises `Problem` JOB010 where that cannot be read."""
    if job.spec is None:
        raise codes.NOT_REPEATABLE.problem(name=job.id)
    return job.spec


def cheaper(spec: RunSpec, machine: Machine) -> tuple[RunSpec, tuple[Change, ...]]:
    """The run with the smallest change after which it fits, or needs a tenth less where it fits already.

    Raises `Problem` JOB011 where nothing helps, and RUN0xx for files that cannot be read.
    """
    from engine.memory.solver import solve

    solution = solve(spec, machine)
    if solution.verdict.ok:
        needs = {one.device: one.need for one in solution.verdict.devices}
        solution = solve(spec, _smaller(machine, needs))
    if solution.spec is None or not solution.smallest:
        raise codes.NO_CHEAPER.problem()
    return solution.spec, solution.smallest


def _smaller(machine: Machine, needs: dict[str, int]) -> Machine:
    """The machine with less of what the run computes on than it needs."""
    cards = tuple(
        replace(card, free=min(card.free, round(needs.get(card.device, card.free) * _LESS))) for card in machine.cards
    )
    if any(card.device in needs for card in machine.cards):
        return replace(machine, cards=cards)
    from engine.memory import HOST

    available = min(machine.host.available, round(needs.get(HOST, 0) * _LESS))
    return replace(machine, host=replace(machine.host, available=available))
