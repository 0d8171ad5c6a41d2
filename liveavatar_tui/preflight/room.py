"""Will it fit, and how fast: the verdict on the run, what to change where it does not, and what the last run took."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.memory import HOST
from engine.memory.calibration import key_of
from engine.memory.explain import fix_text
from engine.memory.fits import DeviceVerdict
from engine.memory.records import case_name, last, recent
from engine.memory.solver import Solution, solve
from engine.probe import Machine
from engine.spec import FPS, RunSpec
from liveavatar_tui import codes
from liveavatar_tui.preflight import codes as own
from liveavatar_tui.preflight.inputs import Video
from liveavatar_tui.preflight.report import Examined, Row, worst
from liveavatar_tui.quantities import bytes_text, span_text
from lora_repository.finding import Finding
from lora_repository.i18n import _

SLOW: Final = 0.2
"""Below this share of real time a run is worth a warning: a minute of speech takes five."""
_LARGEST: Final = 3


def check_room(spec: RunSpec, video: Video, machine: Machine) -> tuple[Solution, Examined]:
    """Each device of the plan against its free memory, then the speed; raises `Problem` as `solve`."""
    runs = recent()
    solution = solve(spec, machine, runs)
    rows, findings = [], []
    for one in solution.verdict.devices:
        found = _verdict(one, solution)
        findings += found
        detail = _(", ").join(f"{_(term.name)} {bytes_text(term.size)}" for term in one.held[:_LARGEST])
        run = last(runs, key_of(machine, one.device), case_name(solution.verdict.case))
        if run is not None and run.measured:
            detail += _("; the last such run was predicted {error:+.1%}").format(error=run.error)
        value = _("{need} needed, {free} free").format(need=bytes_text(one.need), free=bytes_text(one.free))
        title = _("host memory") if one.device == HOST else _("memory of {name}").format(name=one.name)
        rows.append(Row(f"memory.{one.device}", title, value, detail, worst(found)))
    speed = _speed(solution, video)
    return solution, Examined((*rows, *speed.rows), (*findings, *speed.findings))


def _verdict(one: DeviceVerdict, solution: Solution) -> list[Finding]:
    facts = {"name": _name(one), "need": bytes_text(one.need), "free": bytes_text(one.free)}
    if one.tight:
        return [codes.warning(codes.LITTLE_ROOM, **facts)]
    if one.ok:
        return []
    largest = one.held[0]
    found = codes.NO_ROOM.finding(part=_(largest.name), size=bytes_text(largest.size), **facts)
    return [replace(found, fix=_advice(solution) or found.fix)]


def _name(one: DeviceVerdict) -> str:
    return _("the host") if one.device == HOST else one.name


def _advice(solution: Solution) -> str:
    """What would make it fit; empty for a run that has no settings to change."""
    if solution.smallest:
        return fix_text(solution)
    if solution.changes:
        return _("No setting makes it fit here: take a card with more memory, or end other programs")
    return ""


def _speed(solution: Solution, video: Video) -> Examined:
    """Frames a second and the time for this speech, where something is known of them."""
    pace = solution.pace
    if pace is None:
        return Examined(())
    span = span_text(pace.seconds(video.frames))
    kind = _("as the last such run") if pace.measured else _("estimated from the card's figures")
    value = _("{fps:.1f} frames/s, {span} for this speech").format(fps=pace.fps, span=span)
    found = []
    if pace.fps < SLOW * FPS and solution.verdict.ok:
        advice = _faster(solution)
        found.append(codes.warning(own.SLOW, fps=f"{pace.fps:.1f}", span=span, advice=advice))
    return Examined((Row("speed", _("speed"), value, kind, worst(found)),), tuple(found))


def _faster(solution: Solution) -> str:
    """What makes it faster on the same card."""
    spec = solution.spec
    if spec is not None and not spec.skip_last_step and spec.sample_steps > 1:
        return _("--skip-last-step takes a quarter off; a smaller --size takes more")
    return _("A smaller --size is faster")
