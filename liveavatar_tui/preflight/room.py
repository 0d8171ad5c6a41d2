"""Will it fit: the memory plan of the run against what this machine has free at this moment."""

from __future__ import annotations

from engine.checkpoint_layout import CheckpointLayout
from engine.memory import HOST, MemoryPlan, mode_of, plan_run
from engine.probe import Machine
from engine.spec import RunSpec
from liveavatar_tui import codes
from liveavatar_tui.preflight.inputs import Video
from liveavatar_tui.preflight.report import Examined, Row, worst
from liveavatar_tui.quantities import bytes_text
from lora_repository.finding import Finding
from lora_repository.i18n import _

TIGHT = 0.9
"""A need above this share of what is free fits and leaves no air for other programs."""


def plan_for(spec: RunSpec, layout: CheckpointLayout, video: Video, machine: Machine) -> MemoryPlan:
    """The plan of the run on this machine; raises `Problem` for a base model whose sizes cannot be read."""
    card = machine.cards[0].device if machine.cards else None
    mode = mode_of(layout, card, offload=spec.offload_model)
    return plan_run(layout, video.height, video.width, spec.sample_steps, mode)


def check_room(plan: MemoryPlan, machine: Machine) -> Examined:
    """Each device of the plan against its free memory."""
    rows, findings = [], []
    for device in plan.devices:
        free, name = _free(device, machine)
        found = _verdict(plan, device, free, name)
        findings += found
        peak = plan.peak(device)
        largest = _(", ").join(f"{_(term.name)} {bytes_text(term.size)}" for term in plan.at(device, peak.stage)[:3])
        value = _("{need} needed, {free} free").format(need=bytes_text(plan.need(device)), free=bytes_text(free))
        title = _("host memory") if device == HOST else _("memory of {name}").format(name=name)
        rows.append(Row(f"memory.{device}", title, value, largest, worst(found)))
    return Examined(tuple(rows), tuple(findings))


def _free(device: str, machine: Machine) -> tuple[int, str]:
    """Free bytes of a device and what people call it."""
    if device == HOST:
        return machine.host.available, _("the host")
    card = next(card for card in machine.cards if card.device == device)
    return card.free, card.name


def _verdict(plan: MemoryPlan, device: str, free: int, name: str) -> list[Finding]:
    need = plan.need(device)
    if need <= free * TIGHT:
        return []
    facts = {"name": name, "need": bytes_text(need), "free": bytes_text(free)}
    if need > free:
        largest = plan.at(device, plan.peak(device).stage)[0]
        part, size = _(largest.name), bytes_text(largest.size)
        return [codes.NO_ROOM.finding(part=part, size=size, **facts)]
    return [codes.warning(codes.LITTLE_ROOM, **facts)]
