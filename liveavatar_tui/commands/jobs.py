"""Commands on jobs that are there: list, show, cancel, prune, write a note on one."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from liveavatar_tui.commands.amounts import size, span
from liveavatar_tui.commands.output import complain, say, say_json, say_table
from liveavatar_tui.commands.parser import CommandParser, add_command, add_json, as_json, examples
from liveavatar_tui.commands.shared import settings_of
from lora_repository.i18n import _, ngettext

if TYPE_CHECKING:
    from pathlib import Path

    from liveavatar_tui.commands.parser import SubParsers
    from liveavatar_tui.jobs.job import Job
    from liveavatar_tui.jobs.pruning import Plan

ORDERS = ("newest", "state", "version", "time", "speed", "memory")
"""Names of `liveavatar_tui.jobs.filtering.ORDERS`, which is imported when it is needed."""


def register(commands: SubParsers) -> None:
    """Add the commands, with their help in the language in force."""
    short = _("List the jobs; show, cancel or prune.")
    more = _("A job outlives the terminal that started it. JOB is its name, a few letters of it, or `last`.")
    shown = examples(
        ('liveavatar-tui jobs --filter "state:failed version:v2.1"', _("the same words as in the app")),
        ("liveavatar-tui jobs --prune --older-than 30d --over 20GB", _("what would go; with --yes it goes")),
    )
    parser = add_command(commands, "jobs", list_or_prune, short, more, shown)
    _add_list_flags(parser)
    add_json(parser).with_help()
    actions: SubParsers = parser.add_subparsers(title=_("Commands"), metavar=_("COMMAND"), parser_class=CommandParser)

    one = add_command(actions, "show", show, _("How one job stands."))
    one.add_argument("job", metavar="JOB")
    one.add_argument("--follow", action="store_true", help=_("Print the progress until it is over."))
    add_json(one).with_help()
    _add_cancel(actions)
    _add_cancel(commands)

    short = _("Write a note on a job, or read it.")
    more = _("A job with a note is never pruned. An empty note takes it away.")
    shown = examples(('liveavatar-tui note last "the take that the customer chose"', ""))
    one = add_command(commands, "note", note, short, more, shown)
    one.add_argument("job", metavar="JOB")
    one.add_argument("text", metavar="TEXT", nargs="?")
    add_json(one).with_help()


def _add_list_flags(parser: CommandParser) -> None:
    add = parser.add_argument
    add("--filter", metavar="WORDS", help=_("Words to find; state:failed and version:v2.1 are conditions."))
    add("--sort", choices=ORDERS, help=_("The order of the list."))
    add("--prune", action="store_true", help=_("Show which jobs are old; never what runs, waits or has a note."))
    add("--older-than", type=span, metavar="TIME", help=_("With --prune: what ended so long ago, such as 30d."))
    add("--over", type=size, metavar="SIZE", help=_("With --prune: the oldest until all take less, such as 20GB."))
    add("--yes", action="store_true", help=_("With --prune: delete them for good."))


def _add_cancel(commands: SubParsers) -> None:
    short = _("End one job.")
    more = _(
        "A waiting one leaves the queue. A running one: a word, a grace (jobs.grace_s in config.yaml), then force on\n"
        "everything that belongs to it."
    )
    one = add_command(commands, "cancel", cancel, short, more)
    one.add_argument("job", metavar="JOB")
    add_json(one).with_help()


def list_or_prune(given: Namespace) -> int:
    """The jobs as a list, or the old ones away."""
    return prune(given) if hasattr(given, "prune") else list_them(given)


def list_them(given: Namespace) -> int:
    """One line a job: what runs, what waits, what ended."""
    from liveavatar_tui.commands.following import job_json
    from liveavatar_tui.jobs.filtering import arranged, order, read_filter
    from liveavatar_tui.jobs.queue import wake
    from liveavatar_tui.jobs.watching import list_jobs

    folder = settings_of(given).jobs_folder()
    wake(folder)
    chosen = read_filter(getattr(given, "filter", ""))
    jobs = arranged(list_jobs(folder), chosen, order(getattr(given, "sort", ORDERS[0])))
    if as_json(given):
        say_json({"folder": str(folder), "jobs": [job_json(job) for job in jobs]})
        return 0
    if not jobs:
        none = _("No job in {folder} fits.") if chosen else _("No jobs in {folder}.")
        say(none.format(folder=folder))
    say_table([_cells(job) for job in jobs], indent="")
    return 0


def _cells(job: Job) -> tuple[str, ...]:
    from liveavatar_tui.commands.following import state_text
    from liveavatar_tui.quantities import bytes_text, moment_text, span_text

    progress = job.story.progress
    return (
        job.id,
        state_text(job),
        "" if job.fraction is None else f"{job.fraction:.0%}",
        "" if progress is None else f"{progress.fps:.1f} fps",
        "" if job.memory is None else bytes_text(job.memory.used),
        span_text(job.elapsed_s),
        moment_text(job.created),
        job.spec.label if job.spec else "",
        job.note,
    )


def show(given: Namespace) -> int:
    """One job in full; 1 when it ended without its video."""
    from liveavatar_tui.commands.following import ended_well, follow_job, job_json, say_job
    from liveavatar_tui.jobs.watching import find_job, read_job

    folder = find_job(settings_of(given).jobs_folder(), given.job)
    job = follow_job(folder, quiet=as_json(given)) if hasattr(given, "follow") else read_job(folder)
    if as_json(given):
        say_json(job_json(job))
    else:
        say_job(job)
    return 0 if job.state.live or ended_well(job) else 1


def cancel(given: Namespace) -> int:
    """Ask, wait, force."""
    from liveavatar_tui.jobs.cancelling import Outcome
    from liveavatar_tui.jobs.cancelling import cancel as end
    from liveavatar_tui.jobs.watching import find_job

    settings = settings_of(given)
    folder = find_job(settings.jobs_folder(), given.job)
    outcome = end(folder, settings.jobs.grace_s)
    words = {
        Outcome.NOT_RUNNING: _("{job} was not running."),
        Outcome.WITHDRAWN: _("{job} left the queue."),
        Outcome.ENDED: _("{job} ended."),
        Outcome.FORCED: _("{job} did not end by itself and was killed."),
    }
    if as_json(given):
        say_json({"id": folder.root.name, "outcome": outcome})
    else:
        say(words[outcome].format(job=folder.root.name))
    return 0


def note(given: Namespace) -> int:
    """Write or read what stands on a job."""
    from liveavatar_tui.jobs.records import read_note, write_note
    from liveavatar_tui.jobs.watching import find_job

    folder = find_job(settings_of(given).jobs_folder(), given.job)
    if getattr(given, "text", None) is not None:
        write_note(folder, given.text)
    if as_json(given):
        say_json({"id": folder.root.name, "note": read_note(folder)})
    else:
        say(read_note(folder) or _("{job} has no note.").format(job=folder.root.name))
    return 0


def prune(given: Namespace) -> int:
    """Show what is old; with --yes delete it."""
    from liveavatar_tui.jobs.pruning import carry_out, clear_remains

    folder = settings_of(given).jobs_folder()
    if not hasattr(given, "older_than") and not hasattr(given, "over"):
        complain(_("Say what is old: --older-than 30d, --over 20GB, or both."))
        return 2
    chosen = _old(folder, given)
    clear_remains(folder)
    gone = carry_out(chosen) if hasattr(given, "yes") else ()
    if as_json(given):
        say_json(_prune_json(chosen, gone))
    else:
        _say_prune(chosen, gone, done=hasattr(given, "yes"))
    return 0


def _old(folder: Path, given: Namespace) -> Plan:
    from liveavatar_tui.jobs.pruning import plan, weigh
    from liveavatar_tui.jobs.watching import list_jobs

    jobs = weigh(list_jobs(folder))
    return plan(jobs, older_than_s=getattr(given, "older_than", None), limit=getattr(given, "over", None))


def _prune_json(chosen: Plan, gone: tuple[str, ...]) -> dict[str, Any]:
    jobs = [{"id": one.job.id, "bytes": one.size, "reason": _why(one.too_old)} for one in chosen.doomed]
    return {"bytes": chosen.total, "freed": chosen.freed, "jobs": jobs, "deleted": list(gone)}


def _why(too_old: bool) -> str:
    return "age" if too_old else "size"


def _say_prune(chosen: Plan, gone: tuple[str, ...], *, done: bool) -> None:
    from liveavatar_tui.quantities import bytes_text, moment_text

    rows = [
        (one.job.id, bytes_text(one.size), moment_text(one.job.created), one.job.spec.label if one.job.spec else "")
        for one in chosen.doomed
        if not done or one.job.id in gone
    ]
    say_table(rows, indent="")
    count = len(rows)
    freed = bytes_text(sum(one.size for one in chosen.doomed if not done or one.job.id in gone))
    if done:
        text = ngettext("{n} job is deleted, {freed} are free again.", "{n} jobs are deleted, {freed} are free.", count)
    else:
        text = ngettext(
            "{n} job would go and free {freed}. Delete it: add --yes",
            "{n} jobs would go and free {freed}. Delete them: add --yes",
            count,
        )
    say(text.format(n=count, freed=freed) if count else _("No job is old enough to go."))
