"""What a path on the host is inside a container, and the other way round: a map that is walked, not guessed.

Links are followed as the container follows them: an absolute target starts at the container's root. Knows no docker, no
run and no message.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Final

_MOST_LINKS: Final = 40
"""As many as the kernel follows."""


@dataclass(frozen=True, slots=True)
class Mount:
    """`-v host:inside[:ro]`; `text` is what was written."""

    host: Path
    inside: PurePosixPath
    read_only: bool
    text: str


class Lost(StrEnum):
    """Why a path inside leads nowhere."""

    UNMOUNTED = "unmounted"
    ABSENT = "absent"
    HIDDEN = "hidden"
    LOOP = "loop"


@dataclass(frozen=True, slots=True)
class Seen:
    """The end of a path inside: what it is on the host, or why there is nothing, and the last link on the way."""

    inside: PurePosixPath
    host: Path | None
    lost: Lost | None = None
    link: Path | None = None
    target: str = ""


class NotAMount(ValueError):
    """The text says why a mount cannot be read."""


def parse_mount(text: str) -> Mount:
    """`/host/folder:/folder/inside[:ro|:rw]`; raises NotAMount."""
    parts = text.split(":")
    options = set(parts[2].split(",")) if len(parts) == 3 else set()
    if len(parts) not in (2, 3):
        raise NotAMount("two or three parts with colons between")
    if not parts[0].startswith("/"):
        raise NotAMount("docker takes what does not start with / for the name of a volume")
    if not parts[1].startswith("/") or ".." in PurePosixPath(parts[1]).parts:
        raise NotAMount("the place inside starts with / and goes straight down")
    if (len(parts) == 3 and not options <= {"ro", "rw", "z", "Z"}) or {"ro", "rw"} <= options:
        raise NotAMount("after the second colon stands ro or rw")
    return Mount(Path(os.path.normpath(parts[0])), PurePosixPath(parts[1]), "ro" in options, text)


class Mounts:
    """All mounts of one container."""

    def __init__(self, mounts: Iterable[Mount]) -> None:
        self.all = tuple(mounts)

    def inside(self, path: Path) -> Iterator[PurePosixPath]:
        """Every place inside where a host path would be, the deepest mount first; links in it are left as they are."""
        spellings = dict.fromkeys((Path(os.path.normpath(path)), Path(os.path.realpath(path))))
        for spelling in spellings:
            for mount in sorted(self.all, key=lambda one: -len(one.host.parts)):
                for host in dict.fromkeys((mount.host, Path(os.path.realpath(mount.host)))):
                    if spelling.is_relative_to(host):
                        yield mount.inside / spelling.relative_to(host)

    def holding(self, inside: PurePosixPath) -> Mount | None:
        """The mount that a place inside belongs to: the deepest, for it hides what lies under it."""
        fitting = [mount for mount in self.all if inside.is_relative_to(mount.inside)]
        return max(fitting, key=lambda mount: len(mount.inside.parts), default=None)

    def host(self, inside: PurePosixPath) -> Path | None:
        """What a place inside is on the host, links not followed."""
        mount = self.holding(inside)
        return None if mount is None else mount.host / inside.relative_to(mount.inside)

    def see(self, inside: PurePosixPath) -> Seen:
        """Walk a path as the container would, link by link."""
        todo, at, links = list(reversed(inside.parts[1:])), PurePosixPath("/"), 0
        link, target = None, ""
        while todo:
            part = todo.pop()
            at = at.parent if part == ".." else at / part
            host = self.host(at)
            if host is None or not host.is_symlink() or self._is_root(at):
                continue
            links, link, target = links + 1, host, str(host.readlink())
            if links > _MOST_LINKS:
                return Seen(at, None, Lost.LOOP, link, target)
            steps = PurePosixPath(target)
            at = PurePosixPath("/") if steps.is_absolute() else at.parent
            todo += reversed([one for one in steps.parts if one != "/"])
        return self._end(at, link, target)

    def _end(self, at: PurePosixPath, link: Path | None, target: str) -> Seen:
        host = self.host(at)
        if host is None:
            return Seen(at, None, Lost.UNMOUNTED, link, target)
        if not os.path.lexists(host):
            return Seen(at, None, Lost.ABSENT, link, target)
        return Seen(at, host, None, link, target)

    def _is_root(self, at: PurePosixPath) -> bool:
        """A mount whose host side is a link is resolved by docker itself."""
        return any(mount.inside == at for mount in self.all)

    def prove(self, path: Path) -> Seen:
        """Where `path` is inside, proved both ways: walked inside, it must end at the very file that it is here."""
        here = os.path.realpath(path)
        first: Seen | None = None
        for candidate in self.inside(path):
            seen = self.see(candidate)
            if seen.host is not None and os.path.realpath(seen.host) == here:
                return Seen(candidate, seen.host, None, seen.link, seen.target)
            hidden = Seen(candidate, None, Lost.HIDDEN) if seen.lost is None else seen
            first = first or hidden
        return first or Seen(PurePosixPath(path), None, Lost.UNMOUNTED)
