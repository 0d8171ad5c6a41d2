"""Will it fit: the memory plan of the run against what this machine has free at this moment."""

from __future__ import annotations

from engine.checkpoint_layout import CheckpointLayout, read_config
from engine.memory import HOST, MemoryPlan, Mode, count_parts, plan_memory
from engine.model.config import DiTConfig
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


def plan_run(spec: RunSpec, layout: CheckpointLayout, video: Video, machine: Machine) -> MemoryPlan:
    """The plan of the run on this machine; raises `Problem` for a base model whose sizes cannot be read."""
    config = DiTConfig.from_json(read_config(layout), path=layout.dit_config)
    mode = _mode(spec, layout, machine)
    return plan_memory(config, count_parts(layout), video.height, video.width, spec.sample_steps, mode)


def _mode(spec: RunSpec, layout: CheckpointLayout, machine: Machine) -> Mode:
    """As the engine chooses: the first card in bf16, the processor in f32, the embedded model always there."""
    if layout.embedded or not machine.cards:
        return Mode(HOST, 4, offload=False)
    return Mode(machine.cards[0].device, 2, offload=spec.offload_model)


def check_room(plan: MemoryPlan, machine: Machine) -> Examined:
    """Each device of the plan against its free memory."""
    rows, findings = [], []
    for device in plan.devices:
        free, name = _free(device, machine)
        found = _verdict(plan, device, free, name)
        findings += found
        peak = plan.peak(device)
        largest = ", ".join(f"{_(term.name)} {bytes_text(term.size)}" for term in plan.at(device, peak.stage)[:3])
        value = _("{need} needed, {free} free").format(need=bytes_text(plan.need(device)), free=bytes_text(free))
        rows.append(Row(f"memory.{device}", _("memory of {name}").format(name=name), value, largest, worst(found)))
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
