"""One adapter file against one base model: every tensor matched, every rank and shape compared.

Knows a header and a table of linears; knows nothing of folders, and loads no tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from lora_repository.base import BaseTable
from lora_repository.codes import (
    DTYPE_ODD,
    FOREIGN_TENSORS,
    OUTSIDE_TARGETS,
    PAIR_INCOMPLETE,
    PARTLY_COVERED,
    RANK_DISAGREES,
    SHAPE_MISMATCH,
    TENSOR_TWICE,
)
from lora_repository.finding import Finding, Severity
from lora_repository.header import Header
from lora_repository.i18n import _
from lora_repository.match import LoraPair, Match, match_tensors
from lora_repository.tensor_keys import foreign_format, parse_key
from lora_repository.wording import command, shown, some_of

Target = Literal["dit", "t5"]
USUAL_DTYPES: Final = frozenset({"BF16", "F16", "F32"})


@dataclass(frozen=True, slots=True)
class PartProof:
    """One file, proved: `matched` of `total` tensors; `strength` = alpha / rank multiplies every B @ A.

    `coverage` says for each entry of `target_modules` how many of its linears have a pair, and how many there are.
    """

    file: Path
    target: Target
    pairs: tuple[LoraPair, ...]
    rank: int
    alpha: float
    strength: float
    matched: int
    total: int
    coverage: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Said:
    """What config.json says of a file: rank under `rank_key`, and modules; None and () where it says nothing."""

    rank_key: str = ""
    rank: int | None = None
    targets: tuple[str, ...] = ()
    config: Path | None = None


def examine(file: Path, header: Header, base: BaseTable, said: Said) -> tuple[Match, list[Finding]]:
    """The match of `file` with `base` and everything that speaks against loading it."""
    found = match_tensors(header, base)
    findings = [
        *_foreign(file, header, base, found),
        *_halves(file, found),
        *_shapes(file, header, base, found),
        *_ranks(file, base, found, said),
        *_types(file, found),
        *_targets(file, base, found, said),
    ]
    return found, findings


def _error(code: str, file: Path, message: str, fix: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(code, severity, message, fix, shown(file))


def _foreign(file: Path, header: Header, base: BaseTable, found: Match) -> list[Finding]:
    if not header.tensors:
        message = _("{file} holds no tensor at all.").format(file=shown(file.name))
        return [_error(FOREIGN_TENSORS, file, message, _("Copy or train the adapter again."))]
    if not found.foreign:
        return []
    message = _("{n} of {total} tensors in {file} match no linear of {base}: {names}.").format(
        n=len(found.foreign),
        total=len(header.tensors),
        file=shown(file.name),
        base=base.name,
        names=some_of(found.foreign),
    )
    kind = foreign_format(found.foreign)
    fix = _("It was trained for another base model, or renamed; use the base model that it was trained on.")
    if kind is not None:
        fix = _("This is the naming of {format}; convert it to <module>.lora_A.weight, <module>.lora_B.weight first.")
        fix = fix.format(format=kind)
    return [_error(FOREIGN_TENSORS, file, message, fix)]


def _halves(file: Path, found: Match) -> list[Finding]:
    findings = []
    again = _("Save the adapter again from the training; the file is not whole.")
    if found.lone:
        message = _("{file} has lora_A without lora_B or the reverse, {n} times: {names}.").format(
            file=shown(file.name), n=len(found.lone), names=some_of(found.lone)
        )
        findings.append(_error(PAIR_INCOMPLETE, file, message, again))
    if found.twice:
        message = _("{file} holds two tensors for the same half, {n} times: {names}.").format(
            file=shown(file.name), n=len(found.twice), names=some_of(found.twice)
        )
        findings.append(_error(TENSOR_TWICE, file, message, again))
    return findings


def _shapes(file: Path, header: Header, base: BaseTable, found: Match) -> list[Finding]:
    if not found.unfit:
        return []
    module = found.unfit[0]
    keys = [key for key in header.tensors if (parsed := parse_key(key)) and parsed[0] == module]
    shapes = " + ".join(_times(header.tensors[key].shape) for key in sorted(keys))
    rows, columns = base.modules[module]
    message = _(
        "{n} pairs in {file} do not fit {base}: {module} has {found}, expected rank x {columns} + {rows} x rank."
    ).format(
        n=len(found.unfit),
        file=shown(file.name),
        base=base.name,
        module=shown(module),
        found=shapes,
        columns=columns,
        rows=rows,
    )
    fix = _("Use the base model that this adapter was trained on.")
    for other in (BaseTable.known_14b(), BaseTable.known_umt5_xxl()):
        if other.name != base.name and len(match_tensors(header, other).pairs) * 2 == len(header.tensors):
            fix = _("It fits {base}; use it with that base model.").format(base=other.name)
    return [_error(SHAPE_MISMATCH, file, message, fix)]


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape) or _("a scalar")


def _ranks(file: Path, base: BaseTable, found: Match, said: Said) -> list[Finding]:
    """The three sources of the rank: tensors, config.json, and what the base model can take."""
    counted, limit = found.ranks, found.limit
    if not counted:
        return []
    agrees = said.rank is None or set(counted) == {said.rank}
    if len(counted) == 1 and agrees and max(counted) <= limit:
        return []
    in_tensors = ", ".join(str(rank) for rank in counted)
    message = _("Ranks disagree: the tensors in {file} have {found}, {config}, {base} takes at most {limit}.").format(
        file=shown(file.name), found=in_tensors, config=_said_rank(said), base=base.name, limit=limit
    )
    fix = _("Use the base model that this adapter was trained on, or train it with a smaller rank.")
    if len(counted) > 1:
        fix = _("Save the adapter again with one rank for all modules.")
    elif not agrees and said.config is not None:
        (rank,) = counted
        expression = rf's/("{said.rank_key}"[[:space:]]*:[[:space:]]*)[0-9]+/\1{rank}/'
        fix = command("sed", "-i", "-E", expression, said.config)
    return [_error(RANK_DISAGREES, file, message, fix)]


def _said_rank(said: Said) -> str:
    if said.rank is None:
        return _("config.json says nothing")
    return _("config.json says {key} = {rank}").format(key=said.rank_key, rank=said.rank)


def _types(file: Path, found: Match) -> list[Finding]:
    """Numbers that an adapter is not stored in; F64 loads, whole numbers and 8-bit floats mean something else."""
    odd = sorted(found.dtypes - USUAL_DTYPES)
    if not odd:
        return []
    severity = Severity.WARNING if odd == ["F64"] else Severity.ERROR
    message = _("{file} holds tensors of type {found}; expected BF16, F16 or F32.").format(
        file=shown(file.name), found=", ".join(odd)
    )
    return [_error(DTYPE_ODD, file, message, _("Save the adapter again as BF16 or F32."), severity)]


def _targets(file: Path, base: BaseTable, found: Match, said: Said) -> list[Finding]:
    """`target_modules` against the modules that are really adapted."""
    if not said.targets:
        return []
    findings = []
    outside, covered = found.held_against(base, said.targets)
    if outside:
        message = _("{n} modules in {file} are not among target_modules of config.json: {names}.").format(
            n=len(outside), file=shown(file.name), names=some_of(outside)
        )
        fix = _("Add them to target_modules, or put the config.json of this adapter beside it.")
        findings.append(_error(OUTSIDE_TARGETS, file, message, fix))
    for target, (adapted, there) in covered.items():
        if adapted < there:
            message = _("{file} adapts {n} of the {total} linears that {target} stands for in {base}.").format(
                file=shown(file.name), n=adapted, total=there, target=shown(target), base=base.name
            )
            findings.append(_error(PARTLY_COVERED, file, message, "", Severity.INFO))
    return findings
