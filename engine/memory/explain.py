"""An out-of-memory error in words: which tensor it was, why there was no room, and what would have fitted.

Adds to a finding what the run's own description tells; where that cannot be read, the finding stays as it is. Imports
no torch: the same words for a living engine and for the log of a dead one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from engine.memory.autopsy import Autopsy, Cause, Told, autopsy, read_error
from engine.memory.fits import case_for
from engine.memory.solver import Solution, solve
from engine.memory_use import readable
from engine.probe import Card, Machine, probe
from engine.spec import RunSpec, decode
from lora_repository.finding import Finding, Problem
from lora_repository.i18n import _

_EXPANDABLE: Final = "PYTORCH_ALLOC_CONF=expandable_segments:True"


def explained(finding: Finding, text: str, spec_file: Path, machine: Machine | None = None) -> Finding:
    """The finding of torch's error `text` with tensor, cause and a fix that was judged to fit this machine."""
    told = read_error(text)
    if told is None:
        return finding
    try:
        spec = decode(spec_file.read_bytes())
        there = _as_before(machine or probe(), told)
        found = autopsy(told, case_for(spec, there))
        fix = _fix(found, spec, there) or finding.fix
    except (OSError, msgspec.DecodeError, Problem):
        return finding
    return replace(finding, message=" ".join([finding.message, *_sentences(found)]), fix=fix)


def _as_before(machine: Machine, told: Told) -> Machine:
    """The machine as it was before this run: what the run holds itself counts as free.

    A card that torch knows and the driver's library does not is taken from the error's own figures.
    """
    before = told.free + told.own
    first = machine.cards[0] if machine.cards else Card(0, "GPU 0", "", before, before, (0, 0))
    return replace(machine, cards=(replace(first, free=before), *machine.cards[1:]))


def _sentences(found: Autopsy) -> list[str]:
    said = []
    if found.tensor is not None and found.times == 1:
        said.append(_("It was {tensor}.").format(tensor=_(found.tensor.name)))
    if found.cause is Cause.GROWN and found.tensor is not None:
        text = _("That is {times} times {size}, the size of {tensor}: it has grown with the number of clips.")
        said.append(text.format(times=found.times, size=readable(found.tensor.size), tensor=_(found.tensor.name)))
    elif found.cause is Cause.FRAGMENTED:
        said.append(_("{kept} were free in pieces that were too small.").format(kept=readable(found.told.kept)))
    elif found.cause is Cause.TENANTS:
        pid, size = max(found.told.others, key=lambda other: other[1])
        said.append(_("Process {pid} holds {size} of the card.").format(pid=pid, size=readable(size)))
    return said


def _fix(found: Autopsy, spec: RunSpec, machine: Machine) -> str:
    """What mends this cause; empty where nothing is known that would."""
    if found.cause is Cause.FRAGMENTED:
        return _("Let the allocator join its pieces: {setting}").format(setting=_EXPANDABLE)
    if found.cause is Cause.TENANTS:
        pid, _size = max(found.told.others, key=lambda other: other[1])
        return _("Wait for it, end it, or take another card: kill {pid}").format(pid=pid)
    if found.cause is Cause.GROWN:
        return _("Let rings hold 12 latent frames however many clips there are, as this engine does")
    return fix_text(solve(spec, machine))


def fix_text(solution: Solution) -> str:
    """The smallest combination that fits as one line: its flags, what it is, and the pace; empty where none does."""
    if not solution.smallest:
        return ""
    flags = " ".join(change.flag for change in solution.smallest)
    words = _(", ").join(_(change.said) for change in solution.smallest)
    return f"{flags} ({words})"
