"""Removing versions so that they can be brought back: a rename into the trash, and a rename out of it.

What is in use is never removed. Knows names and folders; what a channel or a job is, the caller says.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lora_repository.codes import IN_USE, NOT_IN_TRASH, VERSION_EXISTS
from lora_repository.files import sync_folder
from lora_repository.finding import problem
from lora_repository.i18n import _
from lora_repository.notes import forget
from lora_repository.published import TRASH, record_place
from lora_repository.scores import forget_scores
from lora_repository.turns import turn
from lora_repository.wording import shown, switch_command

_STAMP: Final = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True)
class Trashed:
    """One removed version: its name, when it was removed (UTC), and the folder that holds it for now."""

    name: str
    time: datetime
    place: Path


def remove(root: Path, state: Path, name: str, users: Collection[str]) -> Trashed:
    """Move the version into the trash; `users` are the channels that need it (`latest`, `production`).

    Raises Problem LORA054 when there are any, LORA045, LORA049.
    """
    if users:
        named = sorted(users)
        raise problem(
            IN_USE,
            _("{name} is in use by {users} and cannot be removed.").format(
                name=shown(name), users=", ".join(shown(user) for user in named)
            ),
            _("Switch to another version first: {command}").format(command=switch_command(named[0])),
            path=shown(root / name),
        )
    with turn(root, state):
        now = datetime.now(UTC)
        cell = state / TRASH / f"{now.strftime(_STAMP)}.{secrets.token_hex(3)}"
        cell.mkdir(parents=True)
        (root / name).rename(cell / name)
        # The record stays with the name: a restored version is still the published one.
        sync_folder(cell)
        sync_folder(root)
    return Trashed(name, now.replace(microsecond=0), cell / name)


def trashed(state: Path) -> list[Trashed]:
    """What is in the trash, the newest first."""
    found = []
    for cell in sorted((state / TRASH).glob("*.*"), reverse=True):
        try:
            time = datetime.strptime(cell.name.partition(".")[0], _STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue
        found += [Trashed(place.name, time, place) for place in cell.iterdir()]
    return found


def restore(root: Path, state: Path, name: str) -> Path:
    """Bring the newest removed version of that name back; raises Problem LORA055, LORA052, LORA045, LORA049."""
    with turn(root, state):
        cell = next((entry for entry in trashed(state) if entry.name == name), None)
        if cell is None:
            raise problem(
                NOT_IN_TRASH,
                _("There is no {name} in the trash.").format(name=shown(name)),
                _("See what is there: {command}").format(command="liveavatar-tui restore"),
                exit_code=2,
            )
        if (root / name).exists():
            raise problem(
                VERSION_EXISTS,
                _("{name} cannot be restored: a version of that name is there.").format(name=shown(name)),
                _("Remove that one first."),
                path=shown(root / name),
            )
        cell.place.rename(root / name)
        sync_folder(root)
        cell.place.parent.rmdir()
    return root / name


def empty(root: Path, state: Path, older_than: datetime) -> list[str]:
    """Delete for good what was removed before `older_than`; returns the names."""
    with turn(root, state):
        gone = [entry for entry in trashed(state) if entry.time < older_than]
        for entry in gone:
            shutil.rmtree(entry.place.parent)
        left = {entry.name for entry in trashed(state)}
        names = [entry.name for entry in gone if entry.name not in left and not (root / entry.name).exists()]
        for name in names:
            record_place(state, name).unlink(missing_ok=True)
        # A version that gets the name later is another one.
        forget(state, names)
        forget_scores(state, names)
    return [entry.name for entry in gone]
