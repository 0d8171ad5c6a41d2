"""Making a version: proved, copied beside, made durable, renamed into the repository. All of it, or nothing.

The slow part happens in a folder of its own and holds nobody up; only the rename takes a turn.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from lora_repository.codes import NO_SPACE, PUBLISH_REFUSED, VERSION_EXISTS
from lora_repository.config import CONFIG_NAME, ContractConfig
from lora_repository.files import sync_folder, write_whole, writing
from lora_repository.finding import Problem, problem
from lora_repository.folder import CONTRACT_NAMES, DMD_NAME
from lora_repository.history import this_user
from lora_repository.i18n import _
from lora_repository.place import is_file
from lora_repository.proof import PartProof, Proof
from lora_repository.published import Published, hashes_of, record_place
from lora_repository.turns import turn
from lora_repository.version_name import VersionName, match_version_name
from lora_repository.wording import command, shown

INCOMING: Final = "incoming"
_FICLONE: Final = 0x40049409
_PIECE: Final = 1 << 24
# Room for the history and a little peace beside the adapter itself.
_SPARE: Final = 64 << 20
_PUBLISHED_MODE: Final = 0o444


def publish(
    root: Path,
    state: Path,
    prove: Callable[[Path], Proof],
    source: Path,
    name: VersionName,
    progress: Callable[[int], None] | None = None,
    origin: str = "",
) -> Published:
    """Make the version `name` of the folder or single file `source`; `progress` is told the bytes of each piece copied.

    The record names `origin` as its source, where `source` is a copy or a conversion of that.

    Raises Problem LORA051 the source has errors, LORA052 the name is taken, LORA053 no room, LORA045, LORA049.
    """
    proof = prove(source)
    _require_good(proof, name)
    _require_free(root, name)
    with writing(root), _staging(state, name) as staged:
        _require_room(root, source)
        _copy(source, staged, proof, progress)
        _require_good(prove(staged), name)
        made = Published(
            version=str(name),
            time=datetime.now(UTC),
            user=this_user(),
            host=socket.gethostname(),
            source=shown(origin or source.absolute()),
            files=hashes_of(staged),
        )
        with turn(root, state):
            _require_free(root, name)
            record_place(state, str(name)).parent.mkdir(exist_ok=True)
            write_whole(record_place(state, str(name)), msgspec.json.encode(made))
            staged.rename(root / str(name))
            sync_folder(root)
    return made


@contextmanager
def _staging(state: Path, name: VersionName) -> Iterator[Path]:
    """An empty folder to fill, removed in any case; what killed publishers left behind is removed too.

    A lock on the folder itself says that its maker lives.
    """
    incoming = state / INCOMING
    incoming.mkdir(parents=True, exist_ok=True)
    for other in incoming.iterdir():
        _sweep(other)
    staged = incoming / f"{name}.{secrets.token_hex(4)}"
    staged.mkdir(mode=0o755)
    descriptor = os.open(staged, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _copy(source: Path, staged: Path, proof: Proof, progress: Callable[[int], None] | None) -> None:
    """The files of the contract; a single file becomes a folder with the config.json that its proof amounts to."""
    if is_file(source):
        _copy_file(source, staged / DMD_NAME, progress)
        text = json.dumps(_config_for(proof.parts[0]).as_dict()) + "\n"
        (staged / CONFIG_NAME).write_text(text, encoding="utf-8")
    else:
        for name in CONTRACT_NAMES:
            if is_file(source / name):
                _copy_file(source / name, staged / name, progress)
    for path in staged.iterdir():
        path.chmod(_PUBLISHED_MODE)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sync_folder(staged)


def _config_for(part: PartProof) -> ContractConfig:
    """What config.json says of a single file: its rank and alpha, and targets that cover exactly its modules."""
    covered = {target: found for target, found in part.coverage.items() if found[0]}
    named = sum(found for found, _total in covered.values()) == len(part.pairs)
    targets = tuple(covered) if named else tuple(pair.module for pair in part.pairs)
    return ContractConfig(part.rank, part.alpha, targets, part.rank)


def _copy_file(source: Path, target: Path, progress: Callable[[int], None] | None) -> None:
    """Shares the blocks where the file system can (btrfs, XFS), else copies inside the kernel."""
    with source.open("rb") as reading, target.open("xb") as writing_to:
        try:
            fcntl.ioctl(writing_to.fileno(), _FICLONE, reading.fileno())
            return
        except OSError:
            writing_to.seek(0)
        while count := os.sendfile(writing_to.fileno(), reading.fileno(), None, _PIECE):
            if progress is not None:
                progress(count)


def _require_good(proof: Proof, name: VersionName) -> None:
    if proof.ok:
        return
    first = proof.errors[0]
    message = _("{name} is not published, because it would not load: {reason}").format(name=name, reason=first.message)
    raise problem(PUBLISH_REFUSED, message, first.fix, path=first.path)


def _require_free(root: Path, name: VersionName) -> None:
    """A version is never replaced, and its number is never given to another one, whatever the slug."""
    for entry in root.iterdir():
        taken = match_version_name(entry.name)
        if entry.name != str(name) and (taken is None or taken.number != name.number):
            continue
        raise problem(
            VERSION_EXISTS,
            _("{name} cannot be published: {taken} is there already, and a version is never replaced.").format(
                name=name, taken=shown(entry.name)
            ),
            _("Publish it under the next number."),
            path=shown(entry),
        )


def _require_room(root: Path, source: Path) -> None:
    files = [source] if is_file(source) else [source / name for name in CONTRACT_NAMES if is_file(source / name)]
    needed = sum(path.stat().st_size for path in files) + _SPARE
    free = shutil.disk_usage(root).free
    if free < needed:
        raise no_space(root, needed, free)


def no_space(place: Path, needed: int, free: int) -> Problem:
    """The Problem of a disk without room: `needed` and `free` in bytes."""
    return problem(
        NO_SPACE,
        _("{path} has {free} MB free; {needed} MB are needed.").format(
            path=shown(place), free=free >> 20, needed=(needed >> 20) + 1
        ),
        _("Make room; see what fills it: {command}").format(command=command("du", "-xhd1", place)),
        path=shown(place),
    )
