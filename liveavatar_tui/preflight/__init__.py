"""The checks before a launch: everything that can be known wrong about a run, and what it will need. Knows no screen.

Some 0.2 s of reading headers and decoding a speech: an app calls it from a worker.
"""

from __future__ import annotations

from engine.checkpoint_layout import CheckpointLayout
from engine.memory import MemoryPlan
from engine.probe import Machine, probe
from engine.spec import RunSpec
from liveavatar_tui.preflight.arguments import check_arguments
from liveavatar_tui.preflight.inputs import Video, check_portrait, check_speech
from liveavatar_tui.preflight.model import check_base, check_loras
from liveavatar_tui.preflight.place import check_place
from liveavatar_tui.preflight.report import Examined, Report, Row, examined
from liveavatar_tui.preflight.room import check_room, plan_for
from liveavatar_tui.settings import Settings
from lora_repository.finding import Problem
from lora_repository.i18n import _

__all__ = ["Report", "Row", "preflight"]


def preflight(spec: RunSpec, settings: Settings, machine: Machine | None = None) -> Report:
    """Every check of one run, none of which stops another. `machine` is what there is, probed when it is not given."""
    base, layout = check_base(spec)
    arguments, area = check_arguments(spec)
    portrait, sides = check_portrait(spec, area)
    speech, blocks = check_speech(spec, judged=area is not None)
    video = None if sides is None or blocks is None else Video(sides[1], sides[0], blocks)
    done = [check_loras(spec, layout), base, portrait, speech, arguments, check_place(settings.jobs_folder(), video)]
    plan: MemoryPlan | None = None
    if layout is not None and video is not None:
        plan, room = _room(spec, layout, video, machine or probe())
        done.append(room)
    rows = tuple(row for one in done for row in one.rows)
    findings = tuple(finding for one in done for finding in one.findings)
    return Report(rows, findings, plan)


def _room(
    spec: RunSpec, layout: CheckpointLayout, video: Video, machine: Machine
) -> tuple[MemoryPlan | None, Examined]:
    try:
        plan = plan_for(spec, layout, video, machine)
    except Problem as refusal:
        return None, examined("memory", _("memory"), _("unknown"), findings=[refusal.finding])
    return plan, check_room(plan, machine)
