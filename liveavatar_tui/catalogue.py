"""What the versions screen shows: every version of the repository with its channels and its proof, as plain values.

A use-case between `lora_repository` and the screen. Knows no widget; slow (it reads folders, headers and, for hashes,
whole files), so it is called from a worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from lora_repository.finding import Finding, Problem
from lora_repository.folder import CONTRACT_NAMES
from lora_repository.repository import LoraRepository, Version

if TYPE_CHECKING:
    from liveavatar_tui.proving import Prover
    from lora_repository.history import Generation
    from lora_repository.proof import Proof

LATEST: Final = "latest"


class FileFact(msgspec.Struct, frozen=True):
    """One file of a version: name and size in bytes."""

    name: str
    size: int


class VersionRow(msgspec.Struct, frozen=True):
    """One version. `number` is `v2.1`, `title` the rest of the folder's name; `channels` the names that point at it.

    `stamp` changes whenever a file of it does, so that a proof can be kept.
    """

    name: str
    number: str
    title: str
    path: Path
    channels: tuple[str, ...]
    files: tuple[FileFact, ...]
    changed: datetime | None
    stamp: tuple[tuple[str, int, int], ...]


class Listing(msgspec.Struct, frozen=True):
    """The whole repository at one moment; `findings` are about the repository itself, such as a broken `latest`.

    `previous` is where a roll-back would lead, None when nowhere; `following` are the channels that move with `latest`.
    """

    root: Path
    rows: tuple[VersionRow, ...] = ()
    latest: str | None = None
    previous: str | None = None
    following: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


class Catalogue:
    """Mutable: keeps the proofs of versions whose files have not changed since.

    What proves is imported with the first proof: the list of versions is on the screen before.
    """

    def __init__(self, root: Path, channels: Mapping[str, str], ckpt_dir: str) -> None:
        self._ckpt_dir = ckpt_dir
        self._repository = LoraRepository(root, self._prove)
        self._channels = channels
        self._prover: Prover | None = None
        self._proofs: dict[Path, tuple[tuple[tuple[str, int, int], ...], Proof]] = {}

    @property
    def root(self) -> Path:
        """The repository's folder."""
        return self._repository.root

    def read(self) -> Listing:
        """Every version, highest number first; what keeps the folder from being read is a finding."""
        try:
            versions = self._repository.versions()
            findings = self._repository.findings()
        except Problem as problem:
            return Listing(self.root, findings=(problem.finding,))
        latest = self._latest()
        rows = [self._row(version, latest) for version in reversed(versions)]
        following = tuple(name for name, target in self._channels.items() if self._follows(target))
        return Listing(self.root, tuple(rows), latest, self._previous(latest), following, tuple(findings))

    def prove(self, row: VersionRow, *, again: bool = False) -> Proof:
        """The proof of a version, kept until one of its files changes."""
        kept = self._proofs.get(row.path)
        if kept is not None and kept[0] == row.stamp and not again:
            return kept[1]
        try:
            proof = self._prove(row.path)
        except Problem as problem:  # the base model itself is not whole
            from lora_repository.proof import Proof

            return Proof(row.path, self._ckpt_dir, (), (problem.finding,))
        self._proofs[row.path] = (row.stamp, proof)
        return proof

    def _prove(self, path: Path) -> Proof:
        if self._prover is None:
            from liveavatar_tui.proving import prover_for

            self._prover = prover_for(self._ckpt_dir)
        return self._prover(path)

    def activate(self, name: str, reason: str) -> Generation:
        """Point `latest` at a version; raises Problem."""
        return self._repository.activate(name, reason)

    def rollback(self, reason: str) -> Generation:
        """Point `latest` where it pointed before; raises Problem."""
        return self._repository.rollback(reason=reason)

    def _latest(self) -> str | None:
        try:
            version = self._repository.latest()
        except Problem:
            return None  # told by `findings`
        return str(version.name) if version is not None else None

    def _previous(self, latest: str | None) -> str | None:
        steps = [made for made in self._repository.history() if made.channel == LATEST]
        return next((made.before for made in reversed(steps) if made.after == latest), None)

    def _row(self, version: Version, latest: str | None) -> VersionRow:
        name = str(version.name)
        stamp = _stamp(version.path)
        changed = max((mtime for _name, _size, mtime in stamp), default=0)
        return VersionRow(
            name=name,
            number=f"v{version.name.number}",
            title=version.name.slug,
            path=version.path,
            channels=((LATEST,) if name == latest else ()) + self._pointing_at(version, latest),
            files=tuple(FileFact(file, size) for file, size, _mtime in stamp),
            changed=datetime.fromtimestamp(changed / 1e9).astimezone() if changed else None,
            stamp=stamp,
        )

    def _pointing_at(self, version: Version, latest: str | None) -> tuple[str, ...]:
        """The channels of the settings that name this version; by path, by name, or through `latest`."""
        return tuple(name for name, target in self._channels.items() if self._leads_to(target, version, latest))

    def _leads_to(self, target: str, version: Version, latest: str | None) -> bool:
        if self._follows(target):
            return str(version.name) == latest
        named = (str(version.name), version.name.number, f"v{version.name.number}")
        return target in named or Path(target) == version.path

    def _follows(self, target: str) -> bool:
        return target.rstrip("/") in (LATEST, str(self.root / LATEST))


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """(name, bytes, mtime in ns) of each file of the contract that is there."""
    found = []
    for name in CONTRACT_NAMES:
        try:
            status = (folder / name).stat()
        except OSError:
            continue
        found.append((name, status.st_size, status.st_mtime_ns))
    return tuple(found)
