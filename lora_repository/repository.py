"""The folder of versions: what is in it, which one `latest` is, and how that came about.

Reading never writes and needs no lock, so it works on a read-only mount. Changing goes through `switch`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lora_repository.finding import Finding, Problem
from lora_repository.history import Generation, Past, read_history
from lora_repository.notes import read_remarks
from lora_repository.place import is_folder
from lora_repository.pointers import LATEST, LinkPointer, Pointer
from lora_repository.policy import LENIENT, Policy
from lora_repository.published import (
    STATE_FOLDER,
    TRASH,
    Published,
    change_since_publication,
    hashes_of,
    read_published,
)
from lora_repository.repository_faults import (
    absolute_latest,
    latest_not_a_link,
    latest_strays,
    no_repository,
    strange_folders,
    unknown_version,
)
from lora_repository.sayings import Sayings, Version
from lora_repository.scores import damaged_comparisons
from lora_repository.version_name import VersionName, match_version_name, parse_version_name, propose_name

__all__ = ["LoraRepository", "Version"]

if TYPE_CHECKING:  # whoever only looks pays for nothing that changes the repository: a tenth of a start of the app
    from lora_repository.proof import Proof
    from lora_repository.switch import Seen, Switch
    from lora_repository.trash import Trashed


class LoraRepository(Sayings):
    """The versions under `root`. `prover` proves a folder against the base model in use; only switching needs it."""

    def __init__(self, root: Path, prover: Callable[[Path], Proof] | None = None) -> None:
        self.root = root.absolute()
        self.state = self.root / STATE_FOLDER
        self._prover = prover

    def versions(self) -> list[Version]:
        """Every version, sorted by version number; raises Problem LORA041 when the root is no readable folder."""
        return self._scan()[0]

    def survey(self) -> tuple[list[Version], list[Finding]]:
        """As `versions`, with what is wrong with the repository itself, in one reading of the folder."""
        versions, strays = self._scan()
        return versions, self._findings(strays)

    def _scan(self) -> tuple[list[Version], list[str]]:
        """The versions in order, and the folders that are named as none."""
        versions, strays = [], []
        for entry in self._entries():
            name = match_version_name(entry.name)
            if name is not None and entry.is_dir(follow_symlinks=False):
                versions.append(Version(name, Path(entry.path)))
            elif name is None and _is_stray(entry):
                strays.append(entry.name)
        versions.sort(key=lambda version: version.name.order())
        return versions, strays

    def version(self, name: str) -> Version:
        """The version called `name`: the whole name, or its number (`v2.1`, `2.1`) where only one version has it.

        Raises Problem LORA040 naming what is near.
        """
        path = self.root / name
        parsed = match_version_name(name)
        if parsed is not None and is_folder(path) and not path.is_symlink():
            return Version(parsed, path)
        versions = self.versions()
        numbered = [version for version in versions if version.name.number == name.removeprefix("v")]
        if len(numbered) == 1:
            return numbered[0]
        raise unknown_version(self.root, name, [str(version.name) for version in numbered or versions])

    def latest(self) -> Version | None:
        """The version that `latest` points at, None where there is no `latest`.

        Raises Problem LORA042 when it is no link, LORA043 when it leads to no version of this repository.
        """
        link = self.root / LATEST
        try:
            target = str(link.readlink())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise latest_not_a_link(link, error) from None
        path = Path(os.path.normpath(self.root / target))
        parsed = match_version_name(path.name)
        inside = path.parent == self.root or path.parent.resolve() == self.root.resolve()
        if parsed is None or not inside or not is_folder(path):
            raise latest_strays(link, target)
        return Version(parsed, self.root / path.name)

    def findings(self) -> list[Finding]:
        """What is wrong with the repository itself: `latest`, its history, folders whose names are no version's."""
        return self.survey()[1]

    def _findings(self, strays: list[str]) -> list[Finding]:
        found: list[Finding] = []
        looks: tuple[Callable[[], Iterable[Finding]], ...] = (
            self._about_latest,
            lambda: self.past().findings,
            lambda: read_remarks(self.state)[1],
            lambda: damaged_comparisons(self.state),
        )
        for look in looks:
            try:
                found += look()
            except Problem as error:  # what cannot be read hides no version
                found.append(error.finding)
        return found + strange_folders(self.root, strays)

    def _about_latest(self) -> list[Finding]:
        self.latest()
        return absolute_latest(self.root / LATEST)

    def past(self) -> Past:
        """The history of switches, with what is wrong with it."""
        return read_history(self.state)

    def history(self) -> list[Generation]:
        """Every generation, oldest first."""
        return list(self.past().generations)

    def activate(self, name: str, reason: str = "", seen: Seen | None = None) -> Generation:
        """Point `latest` at the version `name` and record it; the generation in force when it is there already.

        Raises Problem LORA040 unknown, LORA044 the proof has errors, LORA045 another operator, LORA049 not writable,
        LORA056 another operator was faster.
        """
        return self.latest_switch().move_to(str(self.version(name).name), reason, seen)

    def rollback(self, to: int | None = None, reason: str = "", seen: Seen | None = None) -> Generation:
        """Go back one step, or to the state after generation `to` (0: before the first).

        Raises as `activate`, and Problem LORA046 nothing to go back to, LORA047 no such generation, LORA050 the version
        is no longer what it was.
        """
        return self.latest_switch().rollback(to, reason, seen)

    def channel(self, pointer: Pointer, locate: Callable[[str], Path], policy: Policy = LENIENT) -> Switch:
        """The switch of a channel in config.yaml (a `KeyPointer`); `locate` resolves what the channel may say.

        Its generations are in the same history, under the channel's name.
        """
        from lora_repository.switch import Switch

        return Switch(self.root, self.state, self._required_prover(), pointer, locate, policy)

    def propose(self, source: Path, title: str = "") -> VersionName:
        """What a version made of `source` would be called: the next number, and `title` or what the path says."""
        named = match_version_name(source.name)
        existing = [version.name for version in self.versions()]
        return propose_name(existing, title or (named.slug if named else source.stem))

    def publish(
        self,
        source: Path,
        name: str | None = None,
        *,
        title: str = "",
        origin: str = "",
        progress: Callable[[int], None] | None = None,
    ) -> Published:
        """Make a version of the folder or single file `source`; without a name the one that `propose` says.

        `origin` is what the record names where `source` is only a copy or a conversion of it.

        Raises Problem LORA026 not a version's name, LORA051 it would not load, LORA052 the name is taken, LORA053 no
        room, LORA045, LORA049.
        """
        chosen = self.propose(source, title) if name is None else parse_version_name(name)
        from lora_repository.publish import publish

        return publish(self.root, self.state, self._required_prover(), source, chosen, progress, origin)

    def remove(self, name: str, users: Collection[str] = ()) -> Trashed:
        """Move a version to the trash; `users` are channels and jobs that need it, `latest` is known here.

        Raises Problem LORA040 unknown, LORA054 in use, LORA045, LORA049.
        """
        version = self.version(name)
        current = self.latest()
        held = {LATEST} if current is not None and current.path == version.path else set()
        from lora_repository.trash import remove

        return remove(self.root, self.state, str(version.name), held | set(users))

    def removed(self) -> list[Trashed]:
        """What is in the trash, the newest first."""
        from lora_repository.trash import trashed

        return trashed(self.state)

    def count_removed(self) -> int:
        """How many are in the trash."""
        return sum(1 for _place in (self.state / TRASH).glob("*.*/*"))

    def restore(self, name: str) -> Version:
        """Bring a removed version back; raises Problem LORA055 not there, LORA052 name taken, LORA045, LORA049."""
        from lora_repository.trash import restore

        return Version(parse_version_name(name), restore(self.root, self.state, name))

    def prune(self, keep: int, users: Mapping[str, Collection[str]]) -> list[Trashed]:
        """Move all but the newest `keep` versions to the trash; what `latest` or `users` (by version) need stays."""
        return [self.remove(str(version.name)) for version in self.prunable(keep, users)]

    def prunable(self, keep: int, users: Mapping[str, Collection[str]]) -> list[Version]:
        """The versions that `prune` would move at this moment, oldest first."""
        old = self.versions()[: -keep or None]
        current = self.latest()
        return [v for v in old if not users.get(str(v.name)) and (current is None or v.path != current.path)]

    def empty_trash(self, days: int) -> list[str]:
        """Delete for good what was removed `days` ago or earlier; the names. Raises Problem LORA045, LORA049."""
        from lora_repository.trash import empty

        return empty(self.root, self.state, datetime.now(UTC) - timedelta(days=days))

    def changed(self, version: Version) -> Finding | None:
        """The finding for a published version whose bytes are no longer what was published; reads what has changed."""
        if read_published(self.state, str(version.name)) is None:
            return None
        return change_since_publication(self.state, version.path, hashes_of(version.path))

    def latest_switch(self) -> Switch:
        """The switch of `latest`, as `channel` gives that of a key."""
        from lora_repository.switch import Switch

        link = LinkPointer(self.root, self.state)
        return Switch(self.root, self.state, self._required_prover(), link, lambda name: self.version(name).path)

    def _required_prover(self) -> Callable[[Path], Proof]:
        if self._prover is None:
            raise ValueError("a repository without a prover changes nothing")
        return self._prover

    def _entries(self) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.root) as entries:
                return list(entries)
        except OSError as error:
            raise no_repository(self.root, error) from None


def _is_stray(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.name != LATEST and entry.is_dir(follow_symlinks=False)
