"""Which jobs to show, in which order: words of a filter, and names of orders, the same on screen and command line.

`state:failed version:v2.1 winter` are three conditions; a plain word is looked for in name, prompt, version and note.
Pure; knows no folder and no screen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.words import STATE_WORDS
from lora_repository.i18n import N_, _

GROUPS: Final = {
    "live": frozenset(state for state in State if state.live),
    "queued": frozenset(state for state in State if state.queued),
    "ended": frozenset(state for state in State if not state.live),
}
"""Words for several states."""


@dataclass(frozen=True, slots=True)
class Filter:
    """All conditions must hold; an empty one always does."""

    states: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.states or self.versions or self.words)

    def fits(self, job: Job) -> bool:
        """Whether the job is shown."""
        version = job.spec.label.casefold() if job.spec is not None else ""
        text = "\n".join([job.id, job.spec.prompt if job.spec is not None else "", version, job.note]).casefold()
        in_state = not self.states or any(_is(job, state) for state in self.states)
        return in_state and all(v in version for v in self.versions) and all(word in text for word in self.words)


def read_filter(text: str) -> Filter:
    """What was typed; nothing that can be typed is wrong."""
    states, versions, words = [], [], []
    for part in text.casefold().split():
        name, colon, value = part.partition(":")
        if colon and name == "state":
            states += [one for one in value.split(",") if one]
        elif colon and name == "version":
            versions += [value] if value else []
        else:
            words.append(part)
    return Filter(tuple(states), tuple(versions), tuple(words))


def _is(job: Job, word: str) -> bool:
    """A state by its name, by the start of it, in the user's language, or as one of a group."""
    names = (job.state.value, _(STATE_WORDS[job.state]).casefold())
    return job.state in GROUPS.get(word, ()) or any(name.startswith(word) for name in names)


@dataclass(frozen=True, slots=True)
class Order:
    """`name` is what is typed, `title` what is shown; `key` of a job: larger comes first."""

    name: str
    title: str
    key: Callable[[Job], tuple[object, ...]]


ORDERS: Final = (
    Order("newest", N_("newest first"), lambda job: (job.id,)),
    Order("state", N_("by state"), lambda job: (-list(State).index(job.state), job.id)),
    Order("version", N_("by version"), lambda job: (job.spec.label.casefold() if job.spec else "", job.id)),
    Order("time", N_("longest first"), lambda job: (job.elapsed_s, job.id)),
    Order("speed", N_("fastest first"), lambda job: (job.story.progress.fps if job.story.progress else 0.0, job.id)),
    Order("memory", N_("largest first"), lambda job: (job.memory.used if job.memory else 0, job.id)),
)


def order(name: str) -> Order:
    """The order of a name; raises KeyError."""
    return {one.name: one for one in ORDERS}[name]


def arranged(jobs: Iterable[Job], chosen: Filter, by: Order = ORDERS[0]) -> Sequence[Job]:
    """The jobs to show; by default what runs, then what waits, in its order, then what ended, newest first."""
    shown = [job for job in jobs if chosen.fits(job)]
    if by.name != ORDERS[0].name:
        return sorted(shown, key=by.key, reverse=True)
    return sorted(shown, key=lambda job: (_layer(job), -(job.place or 0), job.id), reverse=True)


def _layer(job: Job) -> int:
    return 2 if job.state.active else 1 if job.state.queued else 0
