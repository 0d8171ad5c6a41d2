"""Moving a channel: proved, in one step, recorded, and back again. One operator at a time.

Order under the lock: the generation is written down as pending, the pointer is renamed into place, the generation is
added to the history, the note is removed. Killed anywhere between, the next operator finds note and pointer, and
finishes or drops the generation: history and pointer agree, and a reader sees the old version or the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from lora_repository.codes import (
    CONTENT_CHANGED,
    NO_SUCH_GENERATION,
    NOT_WRITABLE,
    NOTHING_TO_ROLL_BACK,
    OVERTAKEN,
    SWITCH_REFUSED,
)
from lora_repository.files import write_whole
from lora_repository.finding import Finding, Problem, problem
from lora_repository.history import Generation, Past, ends_with, new_generation, read_history, record
from lora_repository.i18n import _
from lora_repository.pointers import Pointer, pointer_at
from lora_repository.policy import LENIENT, Policy
from lora_repository.proof import Proof
from lora_repository.published import change_since_publication, changed_files, hashes_of, known_hashes
from lora_repository.turns import turn
from lora_repository.wording import command, shown, switch_command

_PENDING: Final = "pending.json"
_HISTORY: Final = "liveavatar-tui history"


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    """What is about to happen, and to the pointer in which file."""

    generation: Generation
    place: str | None


_notes: Final = msgspec.json.Decoder(_Note)


class Seen(msgspec.Struct, frozen=True):
    """The state of a channel that an operator looked at when deciding: its last generation (0: none), its target."""

    number: int
    target: str | None


class Switch:
    """Moves `pointer`; `state` of the repository at `root` holds history and lock.

    `prove` judges what a reference stands for, and `locate` finds it.
    """

    def __init__(
        self,
        root: Path,
        state: Path,
        prove: Callable[[Path], Proof],
        pointer: Pointer,
        locate: Callable[[str], Path],
        policy: Policy = LENIENT,
    ) -> None:
        self._root = root
        self._state = state
        self._prove = prove
        self._pointer = pointer
        self._locate = locate
        self._policy = policy

    def seen(self) -> Seen:
        """The state as it is."""
        return self._state_of(read_history(self._state))

    def goal(self, to: int | None = None) -> tuple[int, str]:
        """(generation, target) that `rollback` would go back to at this moment; raises as it does."""
        past = read_history(self._state).of(self._pointer.channel)
        number, target, _hashes = _goal(past, to, self._pointer.current(), self._pointer.channel)
        return number, target

    def objection(self, target: str) -> Finding | None:
        """What would refuse `target` before its bytes are read, None when nothing would."""
        try:
            version = self._require_fit(target)
            if (hashes := known_hashes(self._state, version)) is not None:
                self._policy.require_comparison(self._pointer.channel, version, hashes, self._state)
        except Problem as error:
            return error.finding
        return None

    def move_to(self, target: str, reason: str, seen: Seen | None = None) -> Generation:
        """Point the channel at `target`; the generation in force when it is there already.

        Raises Problem LORA056 where the channel is no longer as the operator saw it; nothing is changed then.
        """
        hashes = self._examine(target)
        # Forward only: what was in force once may come back in a hurry.
        self._policy.require_comparison(self._pointer.channel, self._locate(target), hashes, self._state)
        with self._turn():
            past = read_history(self._state)
            self._require_as_seen(past, seen)
            current = self._pointer.current()
            done = next(iter(reversed(past.of(self._pointer.channel))), None)
            if done is not None and current == target == done.after:
                return done
            return self._move(past, current, target, hashes, reason)

    def rollback(self, to: int | None, reason: str, seen: Seen | None = None) -> Generation:
        """Go back to the state after generation `to`; without a number one step back from the state in force."""
        with self._turn():
            past = read_history(self._state)
            self._require_as_seen(past, seen)
            current = self._pointer.current()
            number, target, recorded = _goal(past.of(self._pointer.channel), to, current, self._pointer.channel)
            hashes = self._examine(target)
            if recorded and recorded != hashes:
                raise _changed(self._pointer.channel, target, recorded, hashes)
            return self._move(past, current, target, hashes, reason, number)

    def _state_of(self, past: Past) -> Seen:
        numbers = [made.number for made in past.of(self._pointer.channel)]
        return Seen(numbers[-1] if numbers else 0, self._pointer.current())

    def _require_as_seen(self, past: Past, seen: Seen | None) -> None:
        if seen is not None and self._state_of(past) != seen:
            raise _overtaken(self._pointer, past.of(self._pointer.channel), seen)

    def _examine(self, target: str) -> dict[str, str]:
        """The hashes of a target that loads; raises as `_require_fit`, LORA050 for a published one that changed."""
        version = self._require_fit(target)
        hashes = hashes_of(version)
        changed = change_since_publication(self._state, version, hashes)
        if changed is not None:
            raise Problem(changed)
        return hashes

    def _require_fit(self, target: str) -> Path:
        """Where `target` lies; raises Problem LORA044 with the first error of one that does not load, LORA064."""
        version = self._locate(target)
        proof = self._prove(version)
        if not proof.ok:
            first = proof.errors[0]
            message = _("{channel} is not moved to {name}, because it would not load: {reason}").format(
                channel=self._pointer.channel, name=shown(target), reason=first.message
            )
            raise problem(SWITCH_REFUSED, message, first.fix, path=first.path)
        self._policy.require(self._pointer.channel, version, proof, self._state)
        return version

    def _move(
        self,
        past: Past,
        before: str | None,
        after: str,
        hashes: dict[str, str],
        reason: str,
        back_to: int | None = None,
    ) -> Generation:
        pointer = self._pointer
        pointer.check()
        made = new_generation(past.next_number(), pointer.channel, before, after, hashes, reason, back_to)
        note = _Note(generation=made, place=None if pointer.place is None else str(pointer.place))
        write_whole(self._state / _PENDING, msgspec.json.encode(note))
        pointer.point(after)
        try:
            self._settle()
        except OSError as error:
            raise _unrecorded(made, self._state, error) from None
        return made

    def _settle(self) -> None:
        """Bring a pending generation to its end: into the history when its pointer is in place, away when it is not."""
        path = self._state / _PENDING
        try:
            note = _notes.decode(path.read_bytes())
        except FileNotFoundError:
            return
        except msgspec.DecodeError:
            path.unlink()
            return
        made = note.generation
        pointer = pointer_at(self._root, self._state, made.channel, Path(note.place) if note.place else None)
        if pointer.current() == made.after and not ends_with(self._state, made.number):
            record(self._state, made)
        # Not made durable: a note that comes back after a loss of power is settled again, to the same end.
        path.unlink()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """This operator's turn, with whatever an earlier one left half done brought to its end."""
        with turn(self._root, self._state):
            self._settle()
            yield


def _goal(past: list[Generation], to: int | None, current: str | None, channel: str) -> tuple[int, str, dict[str, str]]:
    """(generation, target, its hashes then) to go back to; hashes are empty where none were recorded."""
    states: dict[int, tuple[str | None, dict[str, str]]] = {g.number: (g.after, g.hashes) for g in past}
    if past:
        states[0] = (past[0].before, {})
    if to is None:
        to = _one_back(past, current, channel)
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


def _one_back(past: list[Generation], current: str | None, channel: str) -> int:
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
            _("There is no earlier state of {channel} to go back to.").format(channel=channel),
            _("Choose a version: {command}").format(command=switch_command(channel)),
        )
    return earlier


def _overtaken(pointer: Pointer, past: list[Generation], seen: Seen) -> Problem:
    """By whom and when, where the history knows; somebody with an editor leaves no name."""
    last = past[-1] if past and past[-1].number != seen.number else None
    by = _("outside of this history")
    if last is not None:
        by = _("by {user} on {host} at {time} (generation {number})").format(
            user=shown(last.user), host=shown(last.host), time=f"{last.time.astimezone():%H:%M:%S}", number=last.number
        )
    message = _("{channel} was switched meanwhile {by}: it is {target}. Nothing was changed.").format(
        channel=pointer.channel, by=by, target=shown(pointer.current() or "-")
    )
    return problem(OVERTAKEN, message, _("Look at it, then decide again: {command}").format(command=_HISTORY))


def _changed(channel: str, target: str, then: dict[str, str], found: dict[str, str]) -> Problem:
    return problem(
        CONTENT_CHANGED,
        _("{name} is not what it was: {files} changed since it was in force.").format(
            name=shown(target), files=", ".join(changed_files(then, found))
        ),
        _("Restore the files, or switch to it as it is: {command}").format(command=switch_command(channel, target)),
    )


def _unrecorded(made: Generation, state: Path, error: OSError) -> Problem:
    """The pointer has moved and its line is not written: the note that stays lets the next operator write it."""
    return problem(
        NOT_WRITABLE,
        _("{channel} points at {after}, and its line in the history is not written yet: {reason}.").format(
            channel=made.channel, after=shown(made.after), reason=error.strerror or str(error)
        ),
        _("Nothing is lost: the next switch adds the line. Look at the free space: {command}").format(
            command=command("df", "-h", state)
        ),
        path=shown(state),
    )
