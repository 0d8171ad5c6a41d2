"""The app without a screen: where one is in plain lines, then a prompt that takes the commands of the command line.

For screen readers, for terminals that can draw nothing, and for pipes, which get the lines and no prompt. Every line
stands alone and says what it is: no column, no colour, no sign without a word. Knows no Textual.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from liveavatar_tui import overview
from liveavatar_tui.commands.output import complain, finding_lines, say
from liveavatar_tui.jobs.watching import list_jobs
from liveavatar_tui.jobs.words import STATE_WORDS
from liveavatar_tui.overview import ChannelFact
from liveavatar_tui.quantities import bytes_text, moment_text, path_text
from liveavatar_tui.settings import Settings
from lora_repository.i18n import _

Run = Callable[[Sequence[str]], int]
"""What runs one command line."""
_PROMPT: Final = "liveavatar> "
_LEAVE: Final = frozenset({"quit", "exit", "q"})
_MOST_JOBS: Final = 10
_COMMANDS: Final = ("versions", "jobs", "run", "preflight", "activate", "rollback", "config")


def run_plain(settings: Settings, run: Run) -> int:
    """Say where one is; where somebody can type, run what is typed until `quit`. The exit code: 0."""
    for line in state_lines(settings):
        say(line)
    if not (sys.stdin is not None and sys.stdin.isatty()):
        return 0
    say(_("Type a command, such as `versions`, `jobs` or `--help`; `state` says this again, `quit` leaves."))
    for typed in _typed():
        if typed == ["state"]:
            for line in state_lines(settings):
                say(line)
        elif typed:
            run(typed)
    return 0


def _typed() -> Iterator[list[str]]:
    """The words of each line, until `quit` or the end of the input."""
    while True:
        sys.stdout.write(_PROMPT)
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            say()
            return
        try:
            words = shlex.split(line)
        except ValueError as fault:  # a quotation mark that is not closed
            complain(str(fault))
            continue
        if words and words[0] in _LEAVE:
            return
        yield words[1:] if words[:1] == ["liveavatar-tui"] else words


def state_lines(settings: Settings) -> Iterator[str]:
    """Channels, jobs, this machine, and the commands that lead on."""
    for fact in overview.channels(settings):
        yield from _channel_lines(fact)
    yield from _job_lines(settings)
    yield from _machine_lines(settings)
    names = ", ".join(_COMMANDS)
    yield _("Commands: {names}. What each does: liveavatar-tui COMMAND --help").format(names=names)


def _channel_lines(fact: ChannelFact) -> Iterator[str]:
    if fact.target is None:
        yield _("Channel {name}: not set.").format(name=fact.name)
    elif fact.finding is not None:
        yield _("Channel {name}: leads nowhere on this host.").format(name=fact.name)
        yield from finding_lines(fact.finding)
    elif fact.follows:
        yield _("Channel {name}: {version}, as latest.").format(name=fact.name, version=fact.place and fact.place.name)
    else:
        yield _("Channel {name}: {version}.").format(name=fact.name, version=fact.place and fact.place.name)


def _job_lines(settings: Settings) -> Iterator[str]:
    jobs = sorted(list_jobs(settings.jobs_folder()), key=lambda job: not job.state.live)
    if not jobs:
        yield _("No jobs.")
    for job in jobs[:_MOST_JOBS]:
        done = "" if job.fraction is None else f", {job.fraction:.0%}"
        label = (job.spec.label if job.spec is not None else "") or _("base model")
        yield _("Job {id}: {state}{done}, {label}, started {when}.").format(
            id=job.id, state=_(STATE_WORDS[job.state]), done=done, label=label, when=moment_text(job.created)
        )
    if len(jobs) > _MOST_JOBS:
        yield _("{n} older jobs: liveavatar-tui jobs").format(n=len(jobs) - _MOST_JOBS)


def _machine_lines(settings: Settings) -> Iterator[str]:
    found = overview.machine()
    for card in found.cards:
        yield _("Card {device}, {name}: {free} of {total} free.").format(
            device=card.device, name=card.name, free=bytes_text(card.free), total=bytes_text(card.total)
        )
        for owner in overview.owners(found, card.index):
            yield _("Held on {device}: {size} by {program} of {user}, process {pid}.").format(
                device=card.device,
                size=bytes_text(owner.size) if owner.size else "?",
                program=owner.program or "?",
                user=owner.user or "?",
                pid=owner.pid,
            )
    if not found.cards:
        yield _("No graphics card: {reason}.").format(reason=found.note.rstrip(".") or "?")
    total = found.host.total if found.host.limit is None else found.host.limit
    yield _("Memory: {free} of {total} free.").format(free=bytes_text(found.host.available), total=bytes_text(total))
    for disk in overview.disks(settings):
        yield _("Disk of {path}: {free} of {total} free.").format(
            path=path_text(disk.path), free=bytes_text(disk.free), total=bytes_text(disk.total)
        )
