"""What people and comparisons say of the versions of a repository. Moves no channel and changes no version."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lora_repository.hash_memory import HashMemory
from lora_repository.notes import Remarks, annotate, read_remarks
from lora_repository.published import hashes_of, known_hashes
from lora_repository.scores import Comparison, find_samples, last_comparison, read_comparisons, write_comparison
from lora_repository.version_name import VersionName


@dataclass(frozen=True, slots=True)
class Version:
    """One folder of the repository."""

    name: VersionName
    path: Path


class Sayings(ABC):
    """The part of a repository at `root` that keeps sayings; its records lie under `state`."""

    root: Path
    state: Path

    @abstractmethod
    def version(self, name: str) -> Version:
        """The version called `name`; raises Problem LORA040."""

    def remarks(self) -> dict[str, Remarks]:
        """By version, what people say of it."""
        return read_remarks(self.state)[0]

    def annotate(
        self, name: str, *, add: Sequence[str] = (), remove: Sequence[str] = (), note: str | None = None
    ) -> Remarks:
        """Change the tags and the note of a version; its files stay as they are.

        Raises Problem LORA040 unknown, LORA071 not a tag or note, LORA045, LORA049.
        """
        return annotate(self.root, self.state, str(self.version(name).name), add, remove, note)

    def comparisons(self, name: str) -> list[Comparison]:
        """How a version did in comparisons, the newest first."""
        return read_comparisons(self.state, str(self.version(name).name))

    def add_comparison(self, made: Comparison) -> Path:
        """Keep a comparison of a version as it is; the file. Raises Problem LORA040, LORA049, LORA073 other bytes."""
        return write_comparison(self.state, made, hashes_of(self.version(made.version).path))

    def passed(
        self, version: Version, hashes: Mapping[str, str] | None = None, memory: HashMemory | None = None
    ) -> bool | None:
        """How the last comparison of its present bytes ended, None where there is none.

        Without `hashes` of its files none of them is read: None as well for bytes that nobody has hashed since they
        changed, as far as `memory` knows.
        """
        name = str(version.name)
        if hashes is None:
            hashes = known_hashes(self.state, version.path, memory)
        last = last_comparison(self.state, name, hashes) if hashes is not None else None
        return None if last is None else last.passed

    def samples(self, name: str) -> list[Path]:
        """Pictures, videos and sounds that were made with a version."""
        return find_samples(self.state, self.version(name).path)
