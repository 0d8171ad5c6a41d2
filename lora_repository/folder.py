"""A version's folder as it lies on disk: names that are nearly right, rights too wide, files that do not belong.

Looks at names and modes only; what is inside the files is proved elsewhere.
"""

from __future__ import annotations

import difflib
import re
import stat
from pathlib import Path
from typing import Final

from lora_repository.codes import ADAPTER_MISNAMED, ADAPTER_MISSING, EXTRA_FILES, LINK_LEADS_OUT, OPEN_TO_ALL
from lora_repository.config import CONFIG_NAME
from lora_repository.finding import Finding, Severity
from lora_repository.i18n import _
from lora_repository.wording import command, shown, some_of

DMD_NAME: Final = "dmd_lora.safetensors"
T5_NAME: Final = "t5_lora.safetensors"
UPSTREAM_NAME: Final = "liveavatar.safetensors"
CONTRACT_NAMES: Final = (DMD_NAME, T5_NAME, CONFIG_NAME)

_PICKLES: Final = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
_LETTERS: Final = re.compile(r"[^a-z0-9]+")


def look_over(path: Path, names: list[str]) -> list[Finding]:
    """Everything that the names and modes in the folder `path` tell."""
    return [*_missing(path, names), *_misnamed_t5(path, names), *_extra(path, names), *_modes(path, names)]


def misnamed(names: list[str], expected: str) -> str | None:
    """A name that is surely meant to be `expected` and is not: other case, other joints, a letter off, `.txt` added."""
    candidates = [name for name in names if name not in CONTRACT_NAMES]
    if not candidates:
        return None
    plain = {name: _LETTERS.sub("", name.lower()) for name in candidates}
    goal = _LETTERS.sub("", expected.lower())
    stem = _LETTERS.sub("", Path(expected).stem)
    for name, letters in plain.items():
        if letters in (goal, goal + "txt", stem):
            return name
    close = difflib.get_close_matches(expected, candidates, n=1, cutoff=0.85)
    return close[0] if close else None


def _missing(path: Path, names: list[str]) -> list[Finding]:
    if DMD_NAME in names:
        return []
    near = misnamed(names, DMD_NAME)
    if near is not None:
        return [_rename(path, near, DMD_NAME)]
    if UPSTREAM_NAME in names:
        message = _("{name} is missing; {found} is upstream's single file, which is given by itself.").format(
            name=DMD_NAME, found=UPSTREAM_NAME
        )
        fix = f"--lora_path_dmd {command(path / UPSTREAM_NAME)}"
        return [Finding(ADAPTER_MISSING, Severity.ERROR, message, fix, shown(path))]
    others = [name for name in names if name.endswith(".safetensors") and name != T5_NAME]
    message = _("{name} is missing in {folder}.").format(name=DMD_NAME, folder=shown(path))
    fix = _("See what is there: {command}").format(command=command("ls", "-l", path))
    if others:
        message = _("Found {found}, expected exactly {name}.").format(found=some_of(others), name=DMD_NAME)
    if len(others) == 1:
        fix = command("mv", path / others[0], path / DMD_NAME)
    return [Finding(ADAPTER_MISSING, Severity.ERROR, message, fix, shown(path / DMD_NAME))]


def _misnamed_t5(path: Path, names: list[str]) -> list[Finding]:
    near = None if T5_NAME in names else misnamed(names, T5_NAME)
    return [] if near is None else [_rename(path, near, T5_NAME)]


def _rename(path: Path, found: str, expected: str) -> Finding:
    message = _("Found {found}, expected exactly {name}.").format(found=shown(found), name=expected)
    fix = command("mv", path / found, path / expected)
    return Finding(ADAPTER_MISNAMED, Severity.ERROR, message, fix, shown(path / found))


def _extra(path: Path, names: list[str]) -> list[Finding]:
    """Pickles can run code and other safetensors are never loaded: both look as if they took part, and do not."""
    pickles = [name for name in names if name.lower().endswith(_PICKLES)]
    unused = [name for name in names if name.endswith(".safetensors") and name not in CONTRACT_NAMES]
    findings = []
    if pickles:
        message = _("The folder holds pickled files, which can run code and are never opened: {names}.")
        findings.append((message, pickles))
    if unused and DMD_NAME in names:
        findings.append(
            (_("The folder holds safetensors that the contract does not name and nobody loads: {names}."), unused)
        )
    fix = _("Move them out of the version: {command}")
    return [
        Finding(
            EXTRA_FILES,
            Severity.WARNING,
            message.format(names=some_of(found)),
            fix.format(command=command("mv", *(path / name for name in found), path.parent)),
            shown(path),
        )
        for message, found in findings
    ]


def _modes(path: Path, names: list[str]) -> list[Finding]:
    findings = []
    for place in [path, *(path / name for name in CONTRACT_NAMES if name in names)]:
        try:
            status = place.lstat()
            linked = stat.S_ISLNK(status.st_mode)
            if linked:
                status = place.stat()
        except OSError:
            continue
        if status.st_mode & stat.S_IWOTH:
            message = _("Everybody may write to {path}.").format(path=shown(place))
            fix = command("chmod", "o-w", place)
            findings.append(Finding(OPEN_TO_ALL, Severity.WARNING, message, fix, shown(place)))
        if place != path and linked:
            findings += _leads_out(path, place)
    return findings


def _leads_out(folder: Path, place: Path) -> list[Finding]:
    """An absolute link breaks inside a container; one out of the folder lets the version change behind its back."""
    target = place.readlink()
    if not target.is_absolute() and place.resolve().is_relative_to(folder.resolve()):
        return []
    severity = Severity.WARNING if target.is_absolute() else Severity.INFO
    message = _("{file} is a symbolic link out of the version, to {target}.").format(
        file=shown(place.name), target=shown(target)
    )
    fix = command("cp", "--remove-destination", place.resolve(), place)
    return [Finding(LINK_LEADS_OUT, severity, message, fix, shown(place))]
