"""Moving `latest`: proved, in one step, recorded, and back again. One operator at a time.

Order under the lock: the generation is written down as pending, the link is renamed into place, the generation is added
to the history, the note is removed. Killed anywhere between, the next operator finds the note and the link, and
finishes or drops the generation: history and link agree, and a reader sees the old version or the new one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from lora_repository.codes import (
    CONTENT_CHANGED,
    LATEST_NOT_A_LINK,
    NO_SUCH_GENERATION,
    NO_SUCH_VERSION,
    NOTHING_TO_ROLL_BACK,
    SWITCH_REFUSED,
)
from lora_repository.files import replace_link, write_whole
from lora_repository.finding import Problem, problem
from lora_repository.history import Generation, Past, decode, encode, new_generation, read_history, record
from lora_repository.i18n import _
from lora_repository.place import is_folder
from lora_repository.proof import Proof
from lora_repository.published import change_since_publication, changed_files, hashes_of
from lora_repository.turns import turn
from lora_repository.wording import command, shown

LATEST: Final = "latest"
_PENDING: Final = "pending.json"


class Switch:
    """Changes `latest` of the repository at `root`; `state` holds history and lock, `prove` judges a version."""

    def __init__(self, root: Path, state: Path, prove: Callable[[Path], Proof]) -> None:
        self._root = root
        self._state = state
        self._prove = prove

    def activate(self, version: Path, reason: str) -> Generation:
        """Point `latest` at the folder `version`, which lies in the root."""
        hashes = self._examine(version)
        with self._turn():
            past = read_history(self._state)
            current = self._current()
            done = next(iter(reversed(past.of(LATEST))), None)
            if done is not None and current == version.name == done.after:
                return done
            return self._move(past, current, version.name, hashes, reason)

    def rollback(self, to: int | None, reason: str) -> Generation:
        """Go back to the state after generation `to`; without a number one step back from the state in force."""
        with self._turn():
            past = read_history(self._state)
            current = self._current()
            number, name, recorded = _goal(past.of(LATEST), to, current)
            version = self._root / name
            if not is_folder(version):
                raise problem(
                    NO_SUCH_VERSION,
                    _("Generation {n} was {name}, which is no longer in {folder}.").format(
                        n=number, name=shown(name), folder=shown(self._root)
                    ),
                    _("Choose another generation: {command}").format(command="liveavatar-tui rollback --to N"),
                    path=shown(version),
                )
            hashes = self._examine(version)
            if recorded and recorded != hashes:
                raise _changed(version, recorded, hashes)
            return self._move(past, current, name, hashes, reason, number)

    def _examine(self, version: Path) -> dict[str, str]:
        """The hashes of a version that loads; raises Problem LORA044 with the first error of one that does not."""
        proof = self._prove(version)
        if not proof.ok:
            first = proof.errors[0]
            message = _("{name} is not made latest, because it would not load: {reason}").format(
                name=shown(version.name), reason=first.message
            )
            raise problem(SWITCH_REFUSED, message, first.fix, path=first.path)
        hashes = hashes_of(version)
        changed = change_since_publication(self._state, version, hashes)
        if changed is not None:
            raise Problem(changed)
        return hashes

    def _move(
        self,
        past: Past,
        before: str | None,
        after: str,
        hashes: dict[str, str],
        reason: str,
        back_to: int | None = None,
    ) -> Generation:
        link = self._root / LATEST
        if is_folder(link) and not link.is_symlink():
            message = _("{path} is a real folder; expected a symbolic link to a version.").format(path=shown(link))
            fix = _("Make a version of it, then switch to that: {command}")
            raise problem(LATEST_NOT_A_LINK, message, fix.format(command=command("mv", link, self._root / "v1.0_name")))
        made = new_generation(past.next_number(), LATEST, before, after, hashes, reason, back_to)
        write_whole(self._state / _PENDING, encode(made))
        replace_link(link, after, self._state / f"{LATEST}.new")
        self._settle()
        return made

    def _settle(self) -> None:
        """Bring a pending generation to its end: into the history when its link is in place, away when it is not."""
        note = self._state / _PENDING
        try:
            made = decode(note.read_bytes())
        except FileNotFoundError:
            return
        except msgspec.DecodeError:
            note.unlink()
            return
        known = {generation.number for generation in read_history(self._state).generations}
        if self._current() == made.after and made.number not in known:
            record(self._state, made)
        # Not made durable: a note that comes back after a loss of power is settled again, to the same end.
        note.unlink()

    def _current(self) -> str | None:
        """The name that the link carries, whatever it leads to."""
        try:
            return Path(os.path.normpath((self._root / LATEST).readlink())).name
        except OSError:
            return None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """This operator's turn, with whatever an earlier one left half done brought to its end."""
        with turn(self._root, self._state):
            self._settle()
            yield


def _goal(past: list[Generation], to: int | None, current: str | None) -> tuple[int, str, dict[str, str]]:
    """(generation, version, its hashes then) to go back to; hashes are empty where none were recorded."""
    states: dict[int, tuple[str | None, dict[str, str]]] = {g.number: (g.after, g.hashes) for g in past}
    if past:
        states[0] = (past[0].before, {})
    if to is None:
        to = _one_back(past, current)
    name, hashes = states.get(to, (None, {}))
    if name is None:
        known = f"{past[0].number}-{past[-1].number}" if past else "-"
        raise problem(
            NO_SUCH_GENERATION,
            _("There is no generation {n} to go back to; there are {known}.").format(n=to, known=known),
            _("See them: {command}").format(command="liveavatar-tui history"),
            exit_code=2,
        )
    return to, name, hashes


def _one_back(past: list[Generation], current: str | None) -> int:
    """The number of the state before the one in force; going back twice goes two states back, not forth again."""
    if past and past[-1].after != current:
        return past[-1].number
    here = 0 if past and past[0].before is not None else None
    came_from: dict[int, int | None] = {}
    for generation in past:
        if generation.back_to is None:
            came_from[generation.number] = here
        here = generation.number if generation.back_to is None else generation.back_to
    earlier = None if here is None else came_from.get(here)
    if earlier is None:
        raise problem(
            NOTHING_TO_ROLL_BACK,
            _("There is no earlier state of latest to go back to."),
            _("Choose a version: {command}").format(command="liveavatar-tui activate VERSION"),
        )
    return earlier


def _changed(version: Path, then: dict[str, str], found: dict[str, str]) -> Problem:
    return problem(
        CONTENT_CHANGED,
        _("{name} is not what it was: {files} changed since it was in force.").format(
            name=shown(version.name), files=", ".join(changed_files(then, found))
        ),
        _("Restore the files, or switch to it as it is: {command}").format(
            command=command("liveavatar-tui", "activate", version.name)
        ),
        path=shown(version),
    )
