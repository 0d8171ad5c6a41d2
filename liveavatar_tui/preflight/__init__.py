"""The checks before a launch: everything that can be known wrong about a run, and what it will need. Knows no screen.

Some 0.2 s of reading headers and decoding a speech: an app calls it from a worker.
"""

from __future__ import annotations

from engine.checkpoint_layout import CheckpointLayout
from engine.codes import CHECKPOINT_INCOMPLETE, CHECKPOINT_MISSING
from engine.memory.solver import Solution
from engine.probe import Machine, probe
from engine.spec import RunSpec
from liveavatar_tui.preflight.arguments import check_arguments
from liveavatar_tui.preflight.cards import check_cards
from liveavatar_tui.preflight.docker import check_docker
from liveavatar_tui.preflight.environment import check_environment
from liveavatar_tui.preflight.inputs import Video, check_portrait, check_speech
from liveavatar_tui.preflight.model import check_base, check_loras
from liveavatar_tui.preflight.place import check_place
from liveavatar_tui.preflight.report import Examined, Report, Row, examined
from liveavatar_tui.preflight.room import check_room
from liveavatar_tui.preflight.system import check_network, check_system
from liveavatar_tui.settings import Settings
from lora_repository.finding import Problem
from lora_repository.i18n import _

__all__ = ["Report", "Row", "preflight"]


def preflight(spec: RunSpec, settings: Settings, machine: Machine | None = None) -> Report:
    """Every check of one run, none of which stops another. `machine` is what there is, probed when it is not given."""
    machine = machine or probe()
    base, layout = check_base(spec)
    arguments, area = check_arguments(spec)
    portrait, sides = check_portrait(spec, area)
    speech, blocks = check_speech(spec, judged=area is not None)
    video = None if sides is None or blocks is None else Video(sides[1], sides[0], blocks)
    done = [check_loras(spec, layout, settings), base, portrait, speech, arguments]
    done.append(check_place(settings.jobs_folder(), video))
    solution: Solution | None = None
    if {CHECKPOINT_MISSING.code, CHECKPOINT_INCOMPLETE.code} & {finding.code for finding in base.findings}:
        done.append(check_network())
    if layout is not None and video is not None:
        solution, room = _room(spec, video, machine)
        done.append(room)
    done += _around(spec, layout, settings, machine)
    rows = tuple(row for one in done for row in one.rows)
    findings = tuple(finding for one in done for finding in one.findings)
    return Report(rows, findings, None if solution is None else solution.verdict.plan, solution)


def _around(
    spec: RunSpec, layout: CheckpointLayout | None, settings: Settings, machine: Machine
) -> tuple[Examined, ...]:
    """What the run meets on this machine; the embedded model leaves the cards alone."""
    on_card = layout is not None and not layout.embedded and bool(machine.cards)
    cards = check_cards(spec, machine) if layout is not None and not layout.embedded else Examined(())
    return (
        cards,
        check_environment(machine, on_card=on_card),
        check_system(on_card=on_card),
        check_docker(spec, settings),
    )


def _room(spec: RunSpec, video: Video, machine: Machine) -> tuple[Solution | None, Examined]:
    try:
        return check_room(spec, video, machine)
    except Problem as refusal:
        return None, examined("memory", _("memory"), _("unknown"), findings=[refusal.finding])
