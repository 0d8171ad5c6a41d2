"""What the versions screen shows: every version of the repository with its channels and its proof, as plain values.

A use-case between `lora_repository` and the screen. Knows no widget; slow (it reads folders, headers and, for hashes,
whole files), so it is called from a worker.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from lora_repository.finding import Finding, Problem
from lora_repository.folder import CONTRACT_NAMES
from lora_repository.hash_memory import HashMemory
from lora_repository.repository import LoraRepository, Version
from lora_repository.scores import compared_versions
from lora_repository.version_name import VersionName, match_version_name

if TYPE_CHECKING:
    from liveavatar_tui.proving import Prover
    from lora_repository.notes import Remarks
    from lora_repository.proof import Proof
    from lora_repository.proof_memory import ProofMemory
    from lora_repository.search import Searchable
    from lora_repository.shallow import ShallowProof

LATEST: Final = "latest"


class FileFact(msgspec.Struct, frozen=True, gc=False):
    """One file of a version: name and size in bytes."""

    name: str
    size: int


class VersionRow(msgspec.Struct, frozen=True, gc=False):
    """One version. `number` is `v2.1`, `title` the rest of the folder's name; `channels` the names that point at it.

    `tags` and `note` are what people said of it; `compared` is how its last comparison ended, None where there is none.
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
    tags: tuple[str, ...] = ()
    note: str = ""
    compared: bool | None = None


class Listing(msgspec.Struct, frozen=True):
    """The whole repository at one moment; `findings` are about the repository itself, such as a broken `latest`.

    `removed` is how many versions are in the trash.
    """

    root: Path
    rows: tuple[VersionRow, ...] = ()
    latest: str | None = None
    findings: tuple[Finding, ...] = ()
    removed: int = 0


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
        self._memory: ProofMemory | None = None
        self._names: list[str] = []

    @property
    def root(self) -> Path:
        """The repository's folder."""
        return self._repository.root

    def read(self) -> Listing:
        """Every version, highest number first; what keeps the folder from being read is a finding."""
        try:
            versions, findings = self._repository.survey()
        except Problem as problem:
            return Listing(self.root, findings=(problem.finding,))
        latest = self._latest()
        pointing, said = self._pointing(latest), self._said()
        compared = self._compared(versions)
        rows = [_row(version, pointing, said, compared) for version in reversed(versions)]
        self._names = [row.name for row in rows]
        removed = self._repository.count_removed()
        return Listing(self.root, tuple(rows), latest, tuple(findings), removed)

    def glance(self, count: int) -> Listing:
        """As `read`, of the `count` highest versions alone: what a screen shows first, in a tenth of the time."""
        try:
            entries = os.listdir(self.root)  # noqa: PTH208  # names alone: 10,000 Paths would take 0.03 s
        except OSError:
            return self.read()
        names = [name for entry in entries if (name := match_version_name(entry)) is not None]
        if len(names) <= count:
            return self.read()
        highest = heapq.nlargest(count, names, key=VersionName.order)
        latest = self._latest()
        pointing, said = self._pointing(latest), self._said()
        versions = [Version(name, self.root / str(name)) for name in highest]
        return Listing(self.root, tuple([_row(version, pointing, said, {}) for version in versions]), latest)

    def shallow(self, row: VersionRow) -> ShallowProof:
        """What a list says of the version's proof: remembered where nothing of it changed, else proved. Never raises.

        Only words and details are missing, which `prove` has.
        """
        from lora_repository.shallow import shallow

        if self._memory is None:
            from liveavatar_tui.proving import base_identity
            from lora_repository.proof_memory import ProofMemory

            self._memory = ProofMemory(self.root, base_identity(self._ckpt_dir))
        try:
            return self._memory.shallow(row.path, self._prove)
        except Problem as problem:
            return shallow(self._unproved(row, problem))

    def keep_proofs(self) -> None:
        """Remember the shallow proofs for the next start. Never raises."""
        if self._memory is not None:
            self._memory.save(self._names)

    def prove(self, row: VersionRow, *, again: bool = False) -> Proof:
        """The proof of a version, kept until one of its files changes."""
        kept = self._proofs.get(row.path)
        if kept is not None and kept[0] == row.stamp and not again:
            return kept[1]
        try:
            proof = self._prove(row.path)
        except Problem as problem:
            return self._unproved(row, problem)
        self._proofs[row.path] = (row.stamp, proof)
        return proof

    def _unproved(self, row: VersionRow, problem: Problem) -> Proof:
        """Where the base model itself is not whole."""
        from lora_repository.proof import Proof

        return Proof(row.path, self._ckpt_dir, (), (problem.finding,))

    def _prove(self, path: Path) -> Proof:
        if self._prover is None:
            from liveavatar_tui.proving import prover_for

            self._prover = prover_for(self._ckpt_dir)
        return self._prover(path)

    def annotate(
        self, name: str, add: Sequence[str] = (), remove: Sequence[str] = (), note: str | None = None
    ) -> Remarks:
        """Change the tags and the note of a version; raises Problem."""
        return self._repository.annotate(name, add=add, remove=remove, note=note)

    def _said(self) -> Mapping[str, Remarks]:
        try:
            return self._repository.remarks()
        except Problem:
            return {}  # told by `survey`

    def _compared(self, versions: Sequence[Version]) -> Mapping[str, bool | None]:
        """Of the few versions that were compared at all, how that ended."""
        names = set(compared_versions(self._repository.state))
        if not names:
            return {}
        memory = HashMemory()
        found = [version for version in versions if str(version.name) in names]
        return {str(version.name): self._repository.passed(version, memory=memory) for version in found}

    def _latest(self) -> str | None:
        try:
            version = self._repository.latest()
        except Problem:
            return None  # told by `findings`
        return str(version.name) if version is not None else None

    def _pointing(self, latest: str | None) -> dict[str, list[str]]:
        """What a channel of the settings may say of a version - name, number, path - and the channels that say it."""
        found: dict[str, list[str]] = {latest: [LATEST]} if latest is not None else {}
        for name, target in self._channels.items():
            said = (latest or "") if self._follows(target) else os.path.normpath(target)
            found.setdefault(said.removeprefix(f"{self.root}{os.sep}"), []).append(name)
        return found

    def _follows(self, target: str) -> bool:
        return target.rstrip("/") in (LATEST, str(self.root / LATEST))


def searchable(row: VersionRow, proof: ShallowProof | None) -> Searchable:
    """The row as a search sees it; without a proof, nothing is known of its findings."""
    from lora_repository.search import Searchable

    base = proof.base_adapter if proof is not None else None
    return Searchable(row.name, row.title, row.tags, row.note, row.channels, base, proof, row.compared)


def _row(
    version: Version,
    pointing: Mapping[str, Sequence[str]],
    remarks: Mapping[str, Remarks],
    compared: Mapping[str, bool | None],
) -> VersionRow:
    name, number = str(version.name), f"v{version.name.number}"
    stamp = _stamp(version.path)
    changed = max([mtime for _name, _size, mtime in stamp], default=0)
    channels: list[str] = []
    for way in (name, number, version.name.number):
        channels += pointing.get(way, ())
    said = remarks.get(name)
    return VersionRow(
        name=name,
        number=number,
        title=version.name.slug,
        path=version.path,
        channels=tuple(channels),
        files=tuple([FileFact(file, size) for file, size, _mtime in stamp]),
        changed=datetime.fromtimestamp(changed / 1e9, UTC).astimezone() if changed else None,
        stamp=stamp,
        tags=said.tags if said is not None else (),
        note=said.note if said is not None else "",
        compared=compared.get(name),
    )


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """(name, bytes, mtime in ns) of each file of the contract that is there."""
    found = []
    for name in CONTRACT_NAMES:
        try:
            status = os.stat(f"{folder}{os.sep}{name}")  # noqa: PTH116  # 10,000 versions: a Path of each takes 0.1 s
        except OSError:
            continue
        found.append((name, status.st_size, status.st_mtime_ns))
    return tuple(found)
