"""The cards of this machine: may they be used, by whom else are they used, are they well. Knows no run's needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.memory.mode import FP8_CAPABILITY
from engine.probe import Card, Machine, Source
from engine.spec import Precision, RunSpec
from liveavatar_tui.codes import warning
from liveavatar_tui.preflight import codes
from liveavatar_tui.preflight.report import Examined, Row, worst
from liveavatar_tui.quantities import bytes_text
from lora_repository.finding import Finding
from lora_repository.i18n import _, ngettext

OTHERS: Final = 0.02
"""Share of a card that other processes may hold before it is told: a desktop takes less."""
FATAL_XIDS: Final = frozenset({48, 61, 62, 64, 74, 79, 95, 119, 120, 140})
"""Faults after which a card is of no use: lost from the bus, its memory or its own processor broken."""
_SHOWN: Final = 3


def check_cards(spec: RunSpec, machine: Machine) -> Examined:
    """A row for the first card, which the run will take, and what is wrong with it; silent where there is none."""
    findings = list(_seeing(machine))
    if not machine.cards:
        return Examined((), tuple(findings))
    card = machine.cards[0]
    found = [*_sick(card), *_shared(card, machine), *_too_old(spec, card)]
    row = Row("card", _("card"), card.name, _described(card, machine), worst(found))
    return Examined((row,), (*findings, *found))


def _seeing(machine: Machine) -> Iterator[Finding]:
    if machine.source is Source.NVIDIA_SMI:
        yield warning(codes.LIBRARY_SILENT, reason=machine.note)
    if not machine.cards and machine.hidden > 0:
        reason = _("CUDA_VISIBLE_DEVICES names none of them")
        yield warning(codes.CARDS_HIDDEN, count=machine.hidden, reason=reason)


def _described(card: Card, machine: Machine) -> str:
    parts = [bytes_text(card.total)]
    if card.capability != (0, 0):
        parts.append(_("compute capability {number}").format(number=_version(card.capability)))
    if all(card.pcie):
        parts.append(_("PCIe {generation} x{lanes}").format(generation=card.pcie[0], lanes=card.pcie[1]))
    if card.slice_of:
        parts.append(_("a slice (MIG)"))
    if machine.driver:
        parts.append(_("driver {version}").format(version=machine.driver))
    if machine.source is Source.TYPED:
        parts.append(_("as typed in"))
    if len(machine.cards) > 1:
        parts.append(_("the first of {n}; a run takes one").format(n=len(machine.cards)))
    return _(", ").join(parts)


def _sick(card: Card) -> Iterator[Finding]:
    health = card.health
    fatal = sorted(FATAL_XIDS & set(health.xids))
    lasting = [_("fault {number} in the kernel's log (Xid)").format(number=number) for number in fatal]
    if health.worn:
        lasting.append(_("a row of its memory can no longer be replaced"))
    if lasting:
        yield codes.CARD_FAULTY.finding(name=card.name, faults=_(", ").join(lasting))
    passing = []
    if health.uncorrected:
        text = ngettext("{n} error that was not corrected", "{n} errors that were not corrected", health.uncorrected)
        passing.append(text.format(n=health.uncorrected))
    if health.pending:
        passing.append(_("rows wait to be replaced at the next reset"))
    if passing:
        yield warning(codes.CARD_WORN, name=card.name, faults=_(", ").join(passing), index=card.index)


def _shared(card: Card, machine: Machine) -> Iterator[Finding]:
    held = sum(tenant.size for tenant in card.tenants)
    if held <= card.total * OTHERS:
        return
    largest = sorted(card.tenants, key=lambda tenant: -tenant.size)[:_SHOWN]
    owners = _(", ").join(
        f"{tenant.name or _('process')} {tenant.pid} ({tenant.user or '?'}, {bytes_text(tenant.size)})"
        for tenant in largest
    )
    freest = max(machine.cards, key=lambda one: one.free)
    other = freest.uuid or freest.index
    yield warning(codes.CARD_SHARED, held=bytes_text(held), name=card.name, owners=owners, other=other)


def _too_old(spec: RunSpec, card: Card) -> Iterator[Finding]:
    wanted = Precision.FP8 in (spec.precision, spec.cache_precision)
    if wanted and (0, 0) < card.capability < FP8_CAPABILITY:
        found, needed = _version(card.capability), _version(FP8_CAPABILITY)
        yield codes.FP8_UNSUPPORTED.finding(name=card.name, found=found, wanted=needed)


def _version(pair: tuple[int, int]) -> str:
    return f"{pair[0]}.{pair[1]}"
