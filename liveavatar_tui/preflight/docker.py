"""A run inside a container: its mounts, every path of the run on both sides, and the line that starts it.

Silent without `docker:` in config.yaml. Starts no container and asks no docker.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from engine.spec import EMBEDDED, RunSpec
from liveavatar_tui.preflight import codes
from liveavatar_tui.preflight.mounts import Lost, Mount, Mounts, NotAMount, Seen, parse_mount
from liveavatar_tui.preflight.report import Examined, Row, worst
from liveavatar_tui.settings import Settings
from lora_repository.finding import Finding
from lora_repository.i18n import N_, _
from lora_repository.pointers import LATEST
from lora_repository.wording import command

_NO_FLAG: Final = frozenset({"adapters", "ckpt_dir", "image", "audio", "label", "language"})
"""Paths, which are translated, and what the host alone knows."""
_SWITCHES: Final = frozenset({"avatarise", "parity", "skip_last_step"})
"""Flags without a value."""
_REASONS: Final = {
    Lost.UNMOUNTED: N_("outside every mount"),
    Lost.ABSENT: N_("not there"),
    Lost.HIDDEN: N_("something else"),
    Lost.LOOP: N_("a link that leads back to itself"),
}


@dataclass(frozen=True, slots=True)
class Inside:
    """One path of a run: by the flag that it is given with, on the host, and as it was seen inside."""

    flag: str
    path: Path
    seen: Seen


def check_docker(spec: RunSpec, settings: Settings) -> Examined:
    """Every mount, every path of the run, the jobs folder and the repository's `latest`; a row for each path."""
    if not settings.docker.image and not settings.docker.mounts:
        return Examined(())
    mounts, findings = _read(settings)
    paths = list(_paths(spec, mounts))
    for mount in mounts.all:
        findings += _mount(mount, mounts)
    findings += _writable(paths, mounts)
    rows = []
    for one in paths:
        found = _lost(one, mounts)
        findings += found
        rows.append(Row("docker", _("in the container"), str(one.path), f"{one.flag} {one.seen.inside}", worst(found)))
    findings += [*_output(settings, mounts), *_latest(settings, mounts)]
    return Examined(tuple(rows), tuple(findings))


def docker_command(spec: RunSpec, settings: Settings, job: str) -> list[str]:
    """The arguments of `docker run` for this run, `job` being the name of its folder; call after `check_docker`."""
    mounts, _findings = _read(settings)
    line = ["docker", "run", "--rm", "-it"]
    if spec.ckpt_dir != EMBEDDED:
        line += ["--gpus", "all"]
    for mount in mounts.all:
        line += ["-v", mount.text]
    line += [settings.docker.image or "liveavatar-image", "python", "-m", "engine.inference"]
    for one in _paths(spec, mounts):
        line += [one.flag, str(one.seen.inside)]
    line += _settings(spec)
    return [*line, "--output", str(_inside(settings.jobs_folder(), mounts).inside / job)]


def _settings(spec: RunSpec) -> Iterator[str]:
    """Every value of a run that is no path and not the engine's own default, as the engine's flags."""
    usual = RunSpec(prompt="", image="", audio="")
    for name in RunSpec.__struct_fields__:
        value = getattr(spec, name)
        if name in _NO_FLAG or value == getattr(usual, name):
            continue
        yield f"--{name}"
        if name not in _SWITCHES:
            yield str(value)


def _read(settings: Settings) -> tuple[Mounts, list[Finding]]:
    mounts, findings = [], []
    for text in settings.docker.mounts:
        try:
            mounts.append(parse_mount(text))
        except NotAMount as fault:
            findings.append(codes.MOUNT_WRONG.finding(mount=text, reason=str(fault)))
    return Mounts(mounts), findings


def _paths(spec: RunSpec, mounts: Mounts) -> Iterator[Inside]:
    """What the run reads, by its flags."""
    given = [("--lora_path_dmd", adapter) for adapter in spec.adapters]
    if spec.ckpt_dir != EMBEDDED:
        given.append(("--ckpt_dir", spec.ckpt_dir))
    for flag, path in (*given, ("--image", spec.image), ("--audio", spec.audio)):
        yield Inside(flag, Path(path), mounts.prove(Path(path)))


def _mount(mount: Mount, mounts: Mounts) -> Iterator[Finding]:
    """One mount alone: its host side exists, and something can be mounted at its place inside."""
    if not mount.host.exists():
        yield codes.MOUNT_MISSING.finding(path=str(mount.host), mount=mount.text)
    others = Mounts(one for one in mounts.all if one is not mount)
    outer = others.holding(mount.inside)
    place = others.host(mount.inside)
    if outer is not None and outer.read_only and place is not None and not place.exists():
        yield codes.MOUNTPOINT_MISSING.finding(path=str(place), mount=mount.text, outer=outer.text)


def _writable(paths: list[Inside], mounts: Mounts) -> Iterator[Finding]:
    """Models are read: from inside nobody may change what production runs on."""
    models = (one for one in paths if one.flag in ("--lora_path_dmd", "--ckpt_dir") and one.seen.host is not None)
    holding = dict.fromkeys(mounts.holding(one.seen.inside) for one in models)
    for mount in holding:
        if mount is not None and not mount.read_only:
            yield codes.MOUNT_WRITABLE.finding(mount=mount.text.removesuffix(":rw"))


def _lost(one: Inside, mounts: Mounts) -> list[Finding]:
    """Why a path of the run is not inside; nothing where it is, or where it is not on the host either."""
    seen = one.seen
    if seen.lost is None or not one.path.exists():
        return []
    if seen.link is not None:
        return [_dangling(seen)]
    if seen.lost is Lost.HIDDEN or mounts.holding(seen.inside) not in (None, _natural(one.path, mounts)):
        hiding = mounts.holding(seen.inside)
        text = "" if hiding is None else hiding.text
        return [codes.MOUNT_HIDES.finding(path=str(one.path), inside=seen.inside, mount=text)]
    folder = one.path if one.path.is_dir() else one.path.parent
    suggestion = f"{folder}:/app/{folder.name}:ro"
    return [codes.NOT_MOUNTED.finding(path=str(one.path), suggestion=suggestion)]


def _natural(path: Path, mounts: Mounts) -> Mount | None:
    """The mount that a host path lies under."""
    fitting = [mount for mount in mounts.all if path.is_relative_to(mount.host)]
    return max(fitting, key=lambda mount: len(mount.host.parts), default=None)


def _dangling(seen: Seen) -> Finding:
    link = seen.link
    assert link is not None
    relative = os.path.relpath(os.path.realpath(link), link.parent)
    mend = command("ln", "-sfn", relative, str(link))
    found = _(_REASONS[seen.lost or Lost.ABSENT])
    return codes.LINK_DANGLES.finding(path=str(link), target=seen.target, found=found, command=mend)


def _inside(folder: Path, mounts: Mounts) -> Seen:
    """A folder that need not exist yet: its nearest existing one is proved, the rest is hung below."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    seen = mounts.prove(there)
    return Seen(seen.inside / PurePosixPath(folder.relative_to(there)), seen.host, seen.lost, seen.link, seen.target)


def _output(settings: Settings, mounts: Mounts) -> list[Finding]:
    """The jobs folder is inside, and may be written there."""
    folder = settings.jobs_folder()
    seen = _inside(folder, mounts)
    if seen.lost is not None:
        return [codes.NOT_MOUNTED.finding(path=str(folder), suggestion=f"{folder}:/app/jobs")]
    mount = mounts.holding(seen.inside)
    if mount is not None and mount.read_only:
        return [codes.OUTPUT_READ_ONLY.finding(path=str(folder), mount=mount.text)]
    return []


def _latest(settings: Settings, mounts: Mounts) -> list[Finding]:
    """The repository's link, which later switches move while the container runs."""
    link = Path(settings.lora.repository) / LATEST
    place = next(mounts.inside(link.parent), None)
    if place is None or not link.is_symlink():
        return []
    seen = mounts.see(place / LATEST)
    return [_dangling(seen)] if seen.lost is not None and link.exists() else []


def shell_line(words: list[str]) -> str:
    """The words as one line that a shell reads as them."""
    return shlex.join(words)
