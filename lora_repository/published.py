"""What was published: the hashes of every file of a version, kept beside the versions so that a later change shows.

A version without such a record was put there by hand; it can be used, and nobody vouches for its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from lora_repository.codes import CONTENT_CHANGED
from lora_repository.finding import Finding, Severity
from lora_repository.folder import CONTRACT_NAMES
from lora_repository.hash_memory import HashMemory
from lora_repository.i18n import _
from lora_repository.place import is_file
from lora_repository.wording import command, shown

STATE_FOLDER: Final = ".liveavatar"
"""Inside the repository: history, lock, records of publications; nothing of a version."""

PUBLISHED: Final = "published"
TRASH: Final = "trash"


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """One publication: who made `version` from `source`, when, and the SHA-256 of each file."""

    version: str
    time: datetime
    user: str
    host: str
    source: str
    files: dict[str, str]


_decoder: Final = msgspec.json.Decoder(Published)


def record_place(state: Path, name: str) -> Path:
    """Where the record of the version `name` lies."""
    return state / PUBLISHED / f"{name}.json"


def read_published(state: Path, name: str) -> Published | None:
    """The record of a version, None where it was not published or the record is spoilt."""
    try:
        return _decoder.decode(record_place(state, name).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None


def hashes_of(version: Path, memory: HashMemory | None = None) -> dict[str, str]:
    """The SHA-256 of each file of the contract in `version`, or of the single file; unchanged ones are remembered."""
    memory = memory or HashMemory()
    if is_file(version):
        found = {version.name: memory.sha256(version)}
    else:
        found = {name: memory.sha256(version / name) for name in CONTRACT_NAMES if (version / name).exists()}
    memory.save()
    return found


def known_hashes(state: Path, version: Path, memory: HashMemory | None = None) -> dict[str, str] | None:
    """The hashes of a version's files where they are known without reading them; None where they are not.

    Known are those of files that nobody has touched since they were published, and of those that were hashed since.
    """
    try:
        touched = {name: (version / name).stat().st_ctime for name in CONTRACT_NAMES if (version / name).exists()}
    except OSError:
        return None
    record = read_published(state, version.name)
    # A change time cannot be set back.
    untouched = record is not None and max(touched.values(), default=0.0) <= record.time.timestamp()
    if record is not None and untouched and record.files.keys() == touched.keys():
        return record.files
    memory = memory or HashMemory()
    found = {name: memory.known(version / name) for name in touched}
    return {name: one for name, one in found.items() if one is not None} if None not in found.values() else None


def changed_files(then: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Names whose hashes differ, or that are in one of the two only."""
    return sorted(name for name in then.keys() | found.keys() if then.get(name) != found.get(name))


def change_since_publication(state: Path, version: Path, found: Mapping[str, str]) -> Finding | None:
    """The finding for a published version whose files are no longer what was published; `found` are its hashes."""
    record = read_published(state, version.name)
    names = changed_files(record.files, found) if record else []
    if not names:
        return None
    message = _("{name} is not what was published: {files} changed.").format(
        name=shown(version.name), files=", ".join(names)
    )
    fix = _("Restore the files, or publish it under a new number: {command}").format(
        command=command("liveavatar-tui", "publish", version)
    )
    return Finding(CONTENT_CHANGED, Severity.ERROR, message, fix, shown(version))
