"""How versions depend on each other: one is the base adapter of another, or its very copy. Reads no tensor."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lora_repository.codes import SAME_BYTES
from lora_repository.config import CONFIG_NAME
from lora_repository.finding import Finding, Severity
from lora_repository.hash_memory import HashMemory
from lora_repository.i18n import _
from lora_repository.published import known_hashes
from lora_repository.version_name import match_version_name
from lora_repository.wording import shown, some_of

if TYPE_CHECKING:
    from lora_repository.repository import Version


def bases_by_version(root: Path, versions: Iterable[Version]) -> dict[str, list[str]]:
    """Version -> the versions that name it as their `base_adapter`, as the engine reads it: a path or a name."""
    found: dict[str, list[str]] = {}
    for version in versions:
        base = _version_named(root, version.path)
        if base is not None and base != version.path.name:
            found.setdefault(base, []).append(version.path.name)
    return found


def _version_named(root: Path, version: Path) -> str | None:
    """The version that config.json names as base adapter; what cannot be read names none."""
    try:
        data = (version / CONFIG_NAME).read_bytes()
        # Nearly every config.json names none, and a list of thousands must not be parsed to find that out.
        said = json.loads(data).get("base_adapter") if b"base_adapter" in data else None
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    if not isinstance(said, str) or not said.strip():
        return None
    for place in (Path(said), version.parent / said):
        try:
            there = place.expanduser().resolve()
        except (OSError, RuntimeError, ValueError):
            continue
        inside = there.relative_to(root.resolve()).parts[:1] if there.is_relative_to(root.resolve()) else ()
        if inside and match_version_name(inside[0]):
            return inside[0]
    return None


def copies(state: Path, versions: Iterable[Version]) -> list[tuple[str, ...]]:
    """Groups of versions whose files are the same byte for byte, as far as their hashes are known without reading."""
    memory = HashMemory()
    groups: dict[frozenset[tuple[str, str]], list[str]] = {}
    for version in versions:
        hashes = known_hashes(state, version.path, memory)
        if hashes:
            groups.setdefault(frozenset(hashes.items()), []).append(version.path.name)
    return [tuple(names) for names in groups.values() if len(names) > 1]


def same_bytes(state: Path, versions: Sequence[Version], name: str, hashes: Mapping[str, str]) -> Finding | None:
    """The finding for a version `name` whose files, of these `hashes`, are those of another version as well."""
    memory = HashMemory()
    others = [
        version.path.name
        for version in versions
        if version.path.name != name and known_hashes(state, version.path, memory) == dict(hashes)
    ]
    if not others:
        return None
    message = _("{name} holds the same files, byte for byte, as {others}.").format(
        name=shown(name), others=some_of(others)
    )
    return Finding(SAME_BYTES, Severity.INFO, message, "", shown(state.parent / name))
