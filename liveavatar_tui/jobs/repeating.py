"""The same run once more: as it was, with other values, or with what the memory plan calls the next cheaper setting.

All adapters of a stack stay. Starts nothing; knows no screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from liveavatar_tui import codes
from liveavatar_tui.jobs.job import Job

if TYPE_CHECKING:
    from engine.memory.solver import Change
    from engine.probe import Machine
    from engine.spec import RunSpec


def spec_of(job: Job) -> RunSpec:
    """What it was asked to do; raises `Problem` JOB010 where that cannot be read."""
    if job.spec is None:
        raise codes.NOT_REPEATABLE.problem(name=job.id)
    return job.spec


def cheaper(spec: RunSpec, machine: Machine) -> tuple[RunSpec, tuple[Change, ...]]:
    """The run with the smallest change after which it fits, or simply needs less where it fits already.

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


def _smaller(machine: Machine, needs: Mapping[str, int]) -> Machine:
    """The machine with a byte less than the run needs where it computes: on its card, else on the host."""
    from engine.memory import HOST

    if all(device == HOST for device in needs):
        return replace(machine, host=replace(machine.host, available=needs[HOST] - 1))
    cards = (replace(card, free=min(card.free, needs.get(card.device, card.free + 1) - 1)) for card in machine.cards)
    return replace(machine, cards=tuple(cards))
