"""Mending what can be mended without a doubt: names, rights, ranks in config.json. Proposed first, applied when asked.

What needs a decision, such as an alpha that nothing says, is never proposed. A published version gets its rights back
and nothing else.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lora_repository.config import CONFIG_NAME, read_config
from lora_repository.files import sync_folder, write_whole, writing
from lora_repository.finding import Problem
from lora_repository.folder import CONTRACT_NAMES, DMD_NAME, T5_NAME, misnamed
from lora_repository.header import read_header
from lora_repository.i18n import _
from lora_repository.published import STATE_FOLDER, read_published
from lora_repository.tensor_keys import parse_key
from lora_repository.wording import shown


@dataclass(frozen=True, slots=True)
class Repair:
    """One mending: what it does, in words, and the deed."""

    title: str
    apply: Callable[[], None]


def propose_repairs(path: Path) -> list[Repair]:
    """What can be mended in the folder `path` as it is; after applying them, prove and ask again.

    Rights come first: what cannot be read cannot be judged.
    """
    rights = list(_rights(path))
    if rights or not os.access(path, os.R_OK | os.X_OK):
        return rights
    if read_published(path.parent / STATE_FOLDER, path.name) is not None:
        return []
    names = sorted(entry.name for entry in path.iterdir())
    renames = [_rename(path, near, name) for name in CONTRACT_NAMES if (near := _meant(names, name))]
    return renames or list(_ranks(path))


def apply_repairs(repairs: list[Repair]) -> None:
    """Do them, in order; raises Problem LORA049 at the first that fails."""
    for repair in repairs:
        repair.apply()


def _rights(path: Path) -> Iterator[Repair]:
    """Folder 755 and files 644 at least readable, and not writable by everybody; only what belongs to this user."""
    for place, needed in [(path, 0o500), *((path / name, 0o400) for name in CONTRACT_NAMES)]:
        try:
            status = place.stat()
        except OSError:
            continue
        mode = stat.S_IMODE(status.st_mode)
        wanted = (mode | needed) & ~stat.S_IWOTH
        if wanted != mode and status.st_uid == os.geteuid():
            title = _("Set the rights of {path} to {mode}.").format(path=shown(place), mode=f"{wanted:o}")
            yield Repair(title, partial(_chmod, place, wanted))


def _chmod(place: Path, mode: int) -> None:
    with writing(place):
        place.chmod(mode)


def _meant(names: list[str], expected: str) -> str | None:
    return None if expected in names else misnamed(names, expected)


def _rename(folder: Path, found: str, expected: str) -> Repair:
    title = _("Rename {found} to {name}.").format(found=shown(found), name=expected)
    return Repair(title, partial(_move, folder / found, folder / expected))


def _move(old: Path, new: Path) -> None:
    with writing(new.parent):
        # A link is made only where nothing is: a rename would replace what appeared meanwhile.
        os.link(old, new, follow_symlinks=False)
        old.unlink()
        sync_folder(new.parent)


def _ranks(path: Path) -> Iterator[Repair]:
    """Ranks in config.json that are not those of the tensors, where all tensors agree on one."""
    config, _findings = read_config(path / CONFIG_NAME)
    if config is None:
        return
    said = {"dmd_rank": (DMD_NAME, config.dmd_rank), "r": (T5_NAME, config.r)}
    found = {key: rank for key, (name, _rank) in said.items() if (rank := _rank_in(path / name)) is not None}
    wrong = {key: rank for key, rank in found.items() if rank != said[key][1]}
    if wrong:
        change = ", ".join(f"{key} = {rank}" for key, rank in wrong.items())
        title = _("Set {change} in config.json, as the tensors have it.").format(change=change)
        yield Repair(title, partial(_set_keys, path / CONFIG_NAME, wrong))


def _rank_in(file: Path) -> int | None:
    try:
        header = read_header(file)
    except Problem:
        return None
    sides = {key: parsed[1] for key in header.tensors if (parsed := parse_key(key))}
    ranks = {
        header.tensors[key].shape[0 if side == "A" else -1] for key, side in sides.items() if header.tensors[key].shape
    }
    return ranks.pop() if len(ranks) == 1 else None


def _set_keys(path: Path, changes: dict[str, int]) -> None:
    with writing(path):
        document = json.loads(path.read_bytes()) | changes
        write_whole(path, (json.dumps(document, ensure_ascii=False) + "\n").encode())
