"""The load proof: will this LoRA load on this base model, every tensor of it, and at what strength.

Takes a contract folder (dmd_lora.safetensors, t5_lora.safetensors, config.json) or upstream's single `.safetensors`.
Collects every finding instead of stopping at the first. The engine loads exactly the pairs listed here: validated means
loadable. Reads headers only; knows no torch and no model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lora_repository.base import BaseTable
from lora_repository.codes import ALPHA_UNKNOWN, CONFIG_MISSING, T5_ABSENT, T5_UNPROVED, TARGET_UNKNOWN
from lora_repository.config import CONFIG_NAME, ContractConfig, read_config, rebuild_command
from lora_repository.finding import Finding, Problem, Severity
from lora_repository.folder import DMD_NAME, T5_NAME, look_over, misnamed
from lora_repository.header import Header, read_header
from lora_repository.i18n import _
from lora_repository.match import LoraPair, Match
from lora_repository.part import PartProof, Said, Target, examine
from lora_repository.place import is_file, list_folder
from lora_repository.wording import command, shown

UPSTREAM_RANK: Final = 128
UPSTREAM_ALPHA: Final = 64.0
"""Upstream's published training configuration; its single file carries neither config.json nor metadata (SPEC 9)."""

_ALPHA_KEYS: Final = ("lora_alpha", "alpha", "ss_network_alpha")
_UPSTREAM_TARGETS: Final = ("attn", "ffn")

__all__ = ["LoraPair", "PartProof", "Proof", "prove"]


@dataclass(frozen=True, slots=True)
class Proof:
    """All that is known about one LoRA before launch, held against the model `base`. `path` is absolute, links kept.

    `parts` holds the files that load as a whole; a file with an error is in `findings` only.
    """

    path: Path
    base: str
    parts: tuple[PartProof, ...]
    findings: tuple[Finding, ...]
    config: ContractConfig | None = None

    @property
    def ok(self) -> bool:
        """No finding is an error."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that forbid a launch."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)

    @property
    def base_adapter(self) -> str | None:
        """The adapter that config.json wants applied first."""
        return self.config.base_adapter if self.config else None


def prove(path: Path, dit: BaseTable, t5: BaseTable | None) -> Proof:
    """Prove the folder or single file at `path` against the linears of the video model and of the text encoder.

    Never raises for what is wrong with the LoRA: that is what findings are for.
    """
    path = path.absolute()
    if is_file(path):
        return _prove_single(path, dit)
    try:
        names = list_folder(path)
    except Problem as error:
        return Proof(path, dit.name, (), (error.finding,))
    return _prove_folder(path, names, dit, t5)


def _prove_single(path: Path, dit: BaseTable) -> Proof:
    try:
        header = read_header(path)
    except Problem as error:
        return Proof(path, dit.name, (), (error.finding,))
    found, findings = examine(path, header, dit, Said())
    if not found.pairs:
        return Proof(path, dit.name, (), tuple(findings))
    alpha = _alpha_of(path, header, found)
    if isinstance(alpha, Finding):
        findings.append(alpha)
    if isinstance(alpha, Finding) or _has_error(findings):
        return Proof(path, dit.name, (), tuple(findings))
    part = _part(path, "dit", header, found, alpha, dit, _UPSTREAM_TARGETS)
    return Proof(path, dit.name, (part,), tuple(findings))


def _alpha_of(path: Path, header: Header, found: Match) -> float | Finding:
    """Alpha of a file without config.json: upstream's training configuration, else the metadata; never a guess."""
    noted = {_number(header.metadata[key]) for key in _ALPHA_KEYS if key in header.metadata}
    known = {UPSTREAM_ALPHA} if found.ranks == (UPSTREAM_RANK,) else set()
    candidates = known | noted
    if len(candidates) == 1 and None not in candidates:
        return next(alpha for alpha in candidates if alpha is not None)
    message = _("{file} does not say its alpha, so its strength is unknown.").format(file=shown(path.name))
    if candidates:
        values = ", ".join(sorted(str(alpha) for alpha in candidates if alpha is not None)) or "?"
        message = _("{file} says its alpha in ways that disagree or make no sense: {values}.").format(
            file=shown(path.name), values=values
        )
    rank = found.pairs[0].rank
    folder = path.parent / (path.stem + "_lora")
    steps = [command("mkdir", folder), command("cp", path, folder / DMD_NAME)]
    fix = " && ".join([*steps, rebuild_command(folder / CONFIG_NAME, r=rank, dmd_rank=rank)])
    said = _("Make a folder of it and set lora_alpha to that of its training: {command}").format(command=fix)
    return Finding(ALPHA_UNKNOWN, Severity.ERROR, message, said, shown(path))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _prove_folder(path: Path, names: list[str], dit: BaseTable, t5: BaseTable | None) -> Proof:
    findings = look_over(path, names)
    headers, refused = _read_headers(path, names)
    findings += refused
    config: ContractConfig | None = None
    if CONFIG_NAME in names:
        config, wrong = read_config(path / CONFIG_NAME)
        findings += wrong
    else:
        findings.append(_config_missing(path, names, headers))
    parts: list[PartProof] = []
    for target, (file, header) in headers.items():
        base = dit if target == "dit" else t5
        if base is None:
            findings.append(_unproved(file))
            continue
        part, wrong = _prove_file(file, target, header, base, config)
        findings += wrong
        parts += [part] if part else []
    if T5_NAME not in names:
        findings.append(_no_t5(path))
    if config is not None:
        findings += _targets_known(path, config, dit, t5)
    order = list(Severity)
    findings.sort(key=lambda finding: (order.index(finding.severity), finding.code))
    return Proof(path, dit.name, tuple(parts), tuple(findings), config)


def _read_headers(path: Path, names: list[str]) -> tuple[dict[Target, tuple[Path, Header]], list[Finding]]:
    headers: dict[Target, tuple[Path, Header]] = {}
    findings = []
    files: tuple[tuple[Target, str], ...] = (("dit", DMD_NAME), ("t5", T5_NAME))
    for target, name in files:
        if name not in names:
            continue
        try:
            headers[target] = path / name, read_header(path / name)
        except Problem as error:
            findings.append(error.finding)
    return headers, findings


def _prove_file(
    file: Path, target: Target, header: Header, base: BaseTable, config: ContractConfig | None
) -> tuple[PartProof | None, list[Finding]]:
    said = Said()
    if config is not None:
        key, rank = ("dmd_rank", config.dmd_rank) if target == "dit" else ("r", config.r)
        said = Said(key, rank, config.target_modules, file.parent / CONFIG_NAME)
    found, findings = examine(file, header, base, said)
    if config is None or _has_error(findings):
        return None, findings
    return _part(file, target, header, found, config.lora_alpha, base, config.target_modules), findings


def _part(
    file: Path, target: Target, header: Header, found: Match, alpha: float, base: BaseTable, targets: tuple[str, ...]
) -> PartProof:
    rank, total = found.pairs[0].rank, len(header.tensors)
    _outside, covered = found.held_against(base, targets)
    return PartProof(file, target, found.pairs, rank, alpha, alpha / rank, 2 * len(found.pairs), total, covered)


def _has_error(findings: list[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)


def _config_missing(path: Path, names: list[str], headers: dict[Target, tuple[Path, Header]]) -> Finding:
    message = _("config.json is missing in {folder}.").format(folder=shown(path))
    near = misnamed(names, CONFIG_NAME)
    if near is not None:
        message = _("Found {found}, expected exactly {name}.").format(found=shown(near), name=CONFIG_NAME)
        fix = command("mv", path / near, path / CONFIG_NAME)
        return Finding(CONFIG_MISSING, Severity.ERROR, message, fix, shown(path / CONFIG_NAME))
    ranks = {target: _first_rank(header) for target, (_file, header) in headers.items()}
    dmd_rank = ranks.get("dit") or 4
    rebuilt = rebuild_command(path / CONFIG_NAME, r=ranks.get("t5") or dmd_rank, dmd_rank=dmd_rank)
    fix = _("Write it with the ranks of the tensors, then set lora_alpha to that of the training: {command}")
    return Finding(CONFIG_MISSING, Severity.ERROR, message, fix.format(command=rebuilt), shown(path / CONFIG_NAME))


def _first_rank(header: Header) -> int | None:
    shapes = (tensor.shape for key, tensor in header.tensors.items() if ".lora_A." in key)
    return next((shape[0] for shape in shapes if shape), None)


def _no_t5(path: Path) -> Finding:
    message = _("There is no {name}; the text encoder stays as it is.").format(name=T5_NAME)
    return Finding(T5_ABSENT, Severity.INFO, message, "", shown(path))


def _unproved(file: Path) -> Finding:
    message = _("{file} cannot be proved: no text encoder is known to hold it against.").format(file=shown(file.name))
    fix = _("Give the folder of the base model with --ckpt_dir.")
    return Finding(T5_UNPROVED, Severity.ERROR, message, fix, shown(file))


def _targets_known(path: Path, config: ContractConfig, dit: BaseTable, t5: BaseTable | None) -> list[Finding]:
    bases = [base for base in (dit, t5) if base is not None]
    lost = [t for t in config.target_modules if not any(base.covered_by(t) for base in bases)]
    fix = _('Expected "attn", "ffn" or names of modules, as in {example}.').format(example='["attn", "ffn"]')
    return [
        Finding(
            TARGET_UNKNOWN,
            Severity.ERROR,
            _("target_modules of config.json names {target}, which is nothing in {bases}.").format(
                target=shown(target), bases=", ".join(base.name for base in bases)
            ),
            fix,
            shown(path / CONFIG_NAME),
        )
        for target in lost
    ]
