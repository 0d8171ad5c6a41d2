"""Shallow proofs that are remembered between runs, so that a long list is on the screen before a header is read.

Remembered by the identity of everything that a proof looks at: folder and files with their inodes, sizes, both times
and rights; the base model; the rules themselves; the user who reads. What is not surely the same is proved again. For
lists only: whatever switches, publishes or launches proves from the files.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Collection
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from lora_repository.folder import CONTRACT_NAMES
from lora_repository.own_cache import code_digest, read_own, write_own
from lora_repository.proof import Proof
from lora_repository.remote_copies import cache_home
from lora_repository.settled import is_settled
from lora_repository.shallow import ShallowProof, shallow

_DIGEST: Final = 32
_VERSIONS_AT_MOST: Final = 20_000
_FILES_AT_MOST: Final = 8


class _Kept(msgspec.Struct, frozen=True):
    """`conditions` says under what the proofs hold; `versions`: name -> its stamp, its place in `proofs`."""

    conditions: bytes
    proofs: list[ShallowProof]
    versions: dict[str, tuple[bytes, int]]


_decoder: Final = msgspec.msgpack.Decoder(_Kept)


class ProofMemory:
    """Mutable. Proofs of the versions under `root` against the base model of the identity `base`, for any process.

    `base` None: nothing is remembered. Losing the memory costs time only; it lies in the user's cache folder.
    """

    def __init__(self, root: Path, base: str | None, folder: Path | None = None) -> None:
        name = blake2b(os.fsencode(root) + b"\0" + (base or "").encode(), digest_size=12).hexdigest()
        self._path = (folder or cache_home() / "liveavatar-tui") / f"proofs-{name}.bin"
        self._conditions = _conditions(base)
        self._known = _read(self._path, self._conditions) if self._conditions else {}
        self._learnt = False

    def shallow(self, version: Path, prove: Callable[[Path], Proof]) -> ShallowProof:
        """The shallow proof of the folder `version`; `prove` is asked when it is not surely the one remembered."""
        found = _stamp(version)
        known = self._known.get(version.name)
        if known is not None and found is not None and known[0] == found[0]:
            return known[1]
        # Asked before the files are read: a change while they are read must show.
        settled = found is not None and is_settled(found[1], version.parent)
        made = shallow(prove(version))
        if settled and found is not None and _stamp(version) == found:
            self._known[version.name] = found[0], made
            self._learnt = True
        elif known is not None:
            del self._known[version.name]
        return made

    def save(self, names: Collection[str]) -> None:
        """Keep the proofs of the versions `names`, for the next time. A full disk or a strange folder only forgets."""
        gone = self._known.keys() - set(names)
        if self._conditions is None or not (self._learnt or gone):
            return
        staying = [(name, found) for name, found in self._known.items() if name not in gone]
        kept = dict(staying[-_VERSIONS_AT_MOST:])
        places: dict[ShallowProof, int] = {}
        versions = {name: (stamp, places.setdefault(proof, len(places))) for name, (stamp, proof) in kept.items()}
        data = msgspec.msgpack.encode(_Kept(self._conditions, list(places), versions))
        write_own(self._path, data, _FILES_AT_MOST)
        self._known, self._learnt = kept, False


def _read(path: Path, conditions: bytes) -> dict[str, tuple[bytes, ShallowProof]]:
    """What is remembered under these conditions."""
    data = read_own(path)
    try:
        kept = _decoder.decode(data or b"")
        found = {name: (stamp, kept.proofs[place]) for name, (stamp, place) in kept.versions.items()}
    except (msgspec.DecodeError, IndexError):
        return {}
    return found if kept.conditions == conditions else {}


def _stamp(version: Path) -> tuple[bytes, int] | None:
    """A digest of everything that the version's proof depends on, and its newest time in ns.

    None for a version with links or anything else whose change would not show here.
    """
    folder = str(version)
    try:
        there = os.lstat(folder)
        if not stat.S_ISDIR(there.st_mode):
            return None
        marks = [_mark(there)]
        newest = max(there.st_mtime_ns, there.st_ctime_ns)
        for name in CONTRACT_NAMES:
            try:
                found = os.lstat(f"{folder}/{name}")
            except FileNotFoundError:
                marks.append(b"-")
                continue
            if not stat.S_ISREG(found.st_mode):
                return None
            marks.append(_mark(found))
            newest = max(newest, found.st_mtime_ns, found.st_ctime_ns)
    except OSError:
        return None
    return blake2b(b"".join(marks), digest_size=16).digest(), newest


def _mark(found: os.stat_result) -> bytes:
    return struct.pack(
        "<QQqqqIII",
        found.st_dev,
        found.st_ino,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_mode,
        found.st_uid,
        found.st_gid,
    )


def _conditions(base: str | None) -> bytes | None:
    """The digest of what a proof depends on besides the files; None where it is not known."""
    rules = code_digest()
    if base is None or rules is None:
        return None
    who = f"{os.geteuid()} {os.getegid()} {sorted(os.getgroups())}"
    return blake2b("\0".join((base, rules, who)).encode(), digest_size=_DIGEST).digest()
