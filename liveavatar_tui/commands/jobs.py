"""Commands on jobs: list, show, cancel."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from liveavatar_tui.commands.output import say, say_json, say_table
from liveavatar_tui.commands.parser import CommandParser, add_command, add_json, as_json
from liveavatar_tui.commands.shared import settings_of
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.commands.parser import SubParsers


def register(commands: SubParsers) -> None:
    """Add `jobs` and what it can do, with its help in the language in force."""
    short = _("List the jobs; show or cancel one.")
    more = _("A job outlives the terminal that started it. JOB is its name, a few letters of it, or `last`.")
    parser = add_json(add_command(commands, "jobs", list_them, short, more)).with_help()
    actions: SubParsers = parser.add_subparsers(title=_("Commands"), metavar=_("COMMAND"), parser_class=CommandParser)

    one = add_command(actions, "show", show, _("How one job stands."))
    one.add_argument("job", metavar="JOB")
    one.add_argument("--follow", action="store_true", help=_("Print the progress until it is over."))
    add_json(one).with_help()

    short = _("End one job.")
    more = _("A word, a grace (jobs.grace_s in config.yaml), then force on everything in its session.")
    one = add_command(actions, "cancel", cancel, short, more)
    one.add_argument("job", metavar="JOB")
    add_json(one).with_help()


def list_them(given: Namespace) -> int:
    """One line a job, newest first."""
    from liveavatar_tui.commands.following import job_json, state_text
    from liveavatar_tui.jobs.watching import list_jobs
    from liveavatar_tui.quantities import moment_text, span_text

    folder = settings_of(given).jobs_folder()
    jobs = list_jobs(folder)
    if as_json(given):
        say_json({"folder": str(folder), "jobs": [job_json(job) for job in jobs]})
        return 0
    if not jobs:
        say(_("No jobs in {folder}.").format(folder=folder))
    rows = [
        (
            job.id,
            state_text(job),
            "" if job.fraction is None else f"{job.fraction:.0%}",
            span_text(job.elapsed_s),
            moment_text(job.created),
            job.spec.label if job.spec else "",
        )
        for job in jobs
    ]
    say_table(rows, indent="")
    return 0


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
        Outcome.ENDED: _("{job} ended."),
        Outcome.FORCED: _("{job} did not end by itself and was killed."),
    }
    if as_json(given):
        say_json({"id": folder.root.name, "outcome": outcome})
    else:
        say(words[outcome].format(job=folder.root.name))
    return 0
