"""`config.json` of a version: what it must say, and every way in which it does not. Knows no tensor.

`{"r": 8, "lora_alpha": 16, "target_modules": ["attn", "ffn"], "dmd_rank": 4}`, optionally `"base_adapter"`.
"""

from __future__ import annotations

import difflib
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Final

from lora_repository.codes import CONFIG_BROKEN, CONFIG_WRONG
from lora_repository.finding import Finding, Problem, Severity
from lora_repository.i18n import _
from lora_repository.json_places import Member, read_object
from lora_repository.json_rules import Rule, holds
from lora_repository.place import open_regular
from lora_repository.wording import command, shown

CONFIG_NAME: Final = "config.json"
TEMPLATE: Final = '{"r": 8, "lora_alpha": 16, "target_modules": ["attn", "ffn"], "dmd_rank": 4}'
# The file of the contract has 80 bytes; one of megabytes is something else.
_LARGEST: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class ContractConfig:
    """`dmd_rank` is the rank in dmd_lora, `r` the rank in t5_lora, `lora_alpha` serves both.

    `base_adapter` is the reference of an adapter that is applied first, None where the config names none.
    """

    r: int
    lora_alpha: float
    target_modules: tuple[str, ...]
    dmd_rank: int
    base_adapter: str | None = None

    def as_dict(self) -> dict[str, object]:
        """The document that `config.json` holds."""
        base = {} if self.base_adapter is None else {"base_adapter": self.base_adapter}
        targets = list(self.target_modules)
        return {"r": self.r, "lora_alpha": self.lora_alpha, "target_modules": targets, "dmd_rank": self.dmd_rank} | base


def read_config(path: Path) -> tuple[ContractConfig | None, list[Finding]]:
    """The contract in `path` and what is wrong with it; the config is None when a finding is an error."""
    try:
        with open_regular(path) as file:
            data = file.read(_LARGEST + 1)
    except Problem as error:
        return None, [error.finding]
    except OSError as error:
        return None, [_broken(path, error.strerror or str(error))]
    return parse_config(data, path)


def parse_config(data: bytes, path: Path) -> tuple[ContractConfig | None, list[Finding]]:
    """As `read_config`, from the file's bytes; `path` is for the report."""
    flawless = _flawless(data)
    return _parse(data, path) if flawless is None else (flawless, [])


@lru_cache(maxsize=256)  # versions of one training say the same
def _flawless(data: bytes) -> ContractConfig | None:
    """The contract where there is nothing to report, so that no path is named; else None."""
    config, findings = _parse(data, Path())
    return None if findings else config


def _parse(data: bytes, path: Path) -> tuple[ContractConfig | None, list[Finding]]:
    if len(data) > _LARGEST:
        return None, [_broken(path, _("it is larger than 1 MB"))]
    if data.startswith(BOM_UTF8):
        return None, [_broken(path, _("it begins with a byte order mark"))]
    try:
        members = read_object(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        return None, [_broken(path, _("byte {n} is not UTF-8").format(n=error.start + 1))]
    except JSONDecodeError as error:
        place = _("line {line}, column {column}: {reason}")
        return None, [_broken(path, place.format(line=error.lineno, column=error.colno, reason=_(error.msg)))]
    findings = [*_absent(members, path), *_repeated(members, path), *_wrong(members, path), *_unknown(members, path)]
    if any(finding.severity is Severity.ERROR for finding in findings):
        return None, findings
    values = {member.name: member.value for member in members}
    config = ContractConfig(
        values["r"],
        values["lora_alpha"],
        tuple(values["target_modules"]),
        values["dmd_rank"],
        values.get("base_adapter"),
    )
    return config, findings


def rebuild_command(path: Path, *, r: int = 8, dmd_rank: int = 4) -> str:
    """A shell command that writes the template with these ranks to `path`."""
    text = TEMPLATE.replace('"r": 8', f'"r": {r}').replace('"dmd_rank": 4', f'"dmd_rank": {dmd_rank}')
    return command("printf", r"%s\n", text) + " > " + command(path)


_RANK: Final[Rule] = {"type": "integer", "minimum": 1, "maximum": 65536}
_RULES: Final[Mapping[str, Rule]] = {
    "r": _RANK,
    "lora_alpha": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1_000_000_000},
    "target_modules": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
    "dmd_rank": _RANK,
    "base_adapter": {"type": ["string", "null"], "pattern": r"\S"},
}
_REQUIRED: Final = tuple(name for name in _RULES if name != "base_adapter")


def schema() -> dict[str, Any]:
    """JSON Schema of `config.json`: the rules that `parse_config` keeps."""
    rules = {name: {"description": _expectation(name), **rule} for name, rule in _RULES.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "config.json of a version",
        "type": "object",
        "properties": rules,
        "required": list(_REQUIRED),
    }


def _expectation(name: str) -> str:
    return {
        "r": _("the rank in t5_lora.safetensors, a whole number from 1 to 65536"),
        "lora_alpha": _("a number above 0"),
        "target_modules": _('a list such as ["attn", "ffn"]'),
        "dmd_rank": _("the rank in dmd_lora.safetensors, a whole number from 1 to 65536"),
        "base_adapter": _("a version, path or hub repository, or null"),
    }[name]


def _absent(members: list[Member], path: Path) -> list[Finding]:
    named = {member.name for member in members}
    return [
        _finding(path, _("{key} is missing; expected {what}").format(key=f'"{key}"', what=_expectation(key)))
        for key in _REQUIRED
        if key not in named
    ]


def _repeated(members: list[Member], path: Path) -> list[Finding]:
    seen: set[str] = set()
    findings = []
    for member in members:
        if member.name in seen:
            findings.append(_finding(path, _("{key} is there twice").format(key=f'"{shown(member.name)}"'), member))
        seen.add(member.name)
    return findings


def _wrong(members: list[Member], path: Path) -> list[Finding]:
    findings = []
    for member in members:
        rule = _RULES.get(member.name)
        if rule is not None and not holds(member.value, rule):
            what = _("{key} is {value}; expected {what}").format(
                key=f'"{member.name}"', value=_excerpt(member.value), what=_expectation(member.name)
            )
            findings.append(_finding(path, what, member))
    return findings


def _unknown(members: list[Member], path: Path) -> list[Finding]:
    """Keys that mean nothing here are told; one that looks like a misspelt key is a warning."""
    findings = []
    for member in members:
        if member.name in _RULES:
            continue
        close = difflib.get_close_matches(member.name[:80], _RULES, n=1, cutoff=0.8)
        what = _("{key} is not used").format(key=f'"{shown(member.name[:80])}"')
        if close:
            what = _('{key} is not used; is "{known}" meant?').format(key=f'"{shown(member.name)}"', known=close[0])
        findings.append(_finding(path, what, member, Severity.WARNING if close else Severity.INFO))
    return findings


def _excerpt(value: Any) -> str:
    text = shown(repr(value) if isinstance(value, str) else str(value))
    return text if len(text) <= 40 else text[:39] + "…"


def _broken(path: Path, reason: str) -> Finding:
    message = _("config.json is not valid JSON: {reason}.").format(reason=shown(reason))
    fix = _("Correct it, or write it anew from the template: {command}").format(command=rebuild_command(path))
    return Finding(CONFIG_BROKEN, Severity.ERROR, message, fix, shown(path))


def _finding(path: Path, what: str, member: Member | None = None, severity: Severity = Severity.ERROR) -> Finding:
    if member is not None:
        place = _("line {line}, column {column}: {reason}")
        what = place.format(line=member.line, column=member.column, reason=what)
    fix = _("Correct it in an editor; the template is {template}").format(template=TEMPLATE)
    return Finding(CONFIG_WRONG, severity, _("config.json: {reason}.").format(reason=what), fix, shown(path))
