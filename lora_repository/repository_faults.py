"""What can be wrong with a repository itself, in words: no folder, no such version, a `latest` that leads astray."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from lora_repository.codes import (
    LATEST_NOT_A_LINK,
    LATEST_STRAYS,
    NAME_NOT_A_VERSION,
    NO_SUCH_VERSION,
    NOT_A_REPOSITORY,
)
from lora_repository.finding import Finding, Problem, Severity, problem
from lora_repository.i18n import _
from lora_repository.place import explain, is_folder
from lora_repository.wording import command, shown, some_of


def no_repository(root: Path, error: OSError) -> Problem:
    """LORA041: the folder of the versions cannot be listed."""
    found = explain(root, error, folder=True).finding
    fix = _("Name the folder of the versions under lora.repository in config.yaml, or make it: {command}")
    making = fix.format(command=command("mkdir", "-p", root))
    missing = isinstance(error, FileNotFoundError)
    return problem(NOT_A_REPOSITORY, found.message, making if missing else found.fix, path=found.path)


def unknown_version(root: Path, name: str, names: list[str]) -> Problem:
    """LORA040, with those of `names` that are near."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names[-3:]
    fix = _("There are: {names}").format(names=some_of(near)) if near else _("The repository holds no version.")
    message = _("There is no version {name} in {folder}.").format(name=shown(name), folder=shown(root))
    return problem(NO_SUCH_VERSION, message, fix, path=shown(root), exit_code=2)


def latest_not_a_link(link: Path, error: OSError) -> Problem:
    """LORA042 for a real folder, else why `latest` cannot be read."""
    if not is_folder(link):
        return explain(link, error)
    message = _("{path} is a real folder; expected a symbolic link to a version.").format(path=shown(link))
    fix = _("Make a version of it, then switch to that: {command}").format(
        command=command("mv", link, link.parent / "v1.0_name")
    )
    return problem(LATEST_NOT_A_LINK, message, fix, path=shown(link))


def latest_strays(link: Path, target: str) -> Problem:
    """LORA043: the link leads to no version of its folder."""
    message = _("latest points at {target}, which is no version in {folder}.").format(
        target=shown(target), folder=shown(link.parent)
    )
    fix = _("Point it at a version: {command}").format(command="liveavatar-tui activate VERSION")
    return problem(LATEST_STRAYS, message, fix, path=shown(link))


def absolute_latest(link: Path) -> list[Finding]:
    """A link with an absolute path is right on this host and dangles inside a container."""
    if not link.is_symlink() or not link.readlink().is_absolute():
        return []
    message = _("latest is an absolute link, which leads nowhere inside a container.")
    fix = command("ln", "-sfn", link.readlink().name, link)
    return [Finding(LATEST_STRAYS, Severity.WARNING, message, fix, shown(link))]


def strange_folders(root: Path, names: Sequence[str]) -> list[Finding]:
    """Folders that are not named as versions, so that nobody sees them."""
    if not names:
        return []
    first = min(names)
    message = _("{n} folders are not named as versions and are not shown: {names}.").format(
        n=len(names), names=some_of(sorted(names))
    )
    fix = _("Rename them to v<major>.<minor>[.<patch>]_<slug>: {command}").format(
        command=command("mv", root / first, root / "v1.0_name")
    )
    return [Finding(NAME_NOT_A_VERSION, Severity.WARNING, message, fix, shown(root))]
