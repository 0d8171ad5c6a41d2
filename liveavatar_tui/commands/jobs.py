"""Commands on jobs: list, show, cancel."""

from __future__ import annotations

from typing import Annotated

import typer

from liveavatar_tui.commands.output import say, say_json, say_table
from liveavatar_tui.commands.shared import JsonFlag, settings_of
from lora_repository.i18n import _

Name = Annotated[str, typer.Argument(metavar="JOB", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add `jobs` and what it can do, with its help in the language in force."""
    jobs = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        help=_("List the jobs, newest first; show or cancel one. A job outlives the terminal that started it."),
    )
    jobs.callback(invoke_without_command=True)(list_them)
    jobs.command("show", help=_("How one job stands. JOB is its name, a few letters of it, or `last`."))(show)
    jobs.command("cancel", help=_("End one job: a word, a grace (jobs.grace_s), then force on its whole session."))(
        cancel
    )
    app.add_typer(jobs, name="jobs")


def list_them(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """One line a job."""
    if ctx.invoked_subcommand is not None:
        return
    from liveavatar_tui.commands.following import job_json, state_text
    from liveavatar_tui.jobs.watching import list_jobs
    from liveavatar_tui.quantities import moment_text, span_text

    folder = settings_of(ctx.obj).jobs_folder()
    jobs = list_jobs(folder)
    if as_json:
        say_json({"folder": str(folder), "jobs": [job_json(job) for job in jobs]})
    elif not jobs:
        say(_("No jobs in {folder}.").format(folder=folder))
    else:
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


def show(
    ctx: typer.Context,
    job: Name,
    follow: Annotated[bool, typer.Option("--follow", help=_("Print the progress until it is over."))] = False,
    as_json: JsonFlag = False,
) -> None:
    """One job in full."""
    from liveavatar_tui.commands.following import ended_well, follow_job, job_json, say_job
    from liveavatar_tui.jobs.watching import find_job, read_job

    folder = find_job(settings_of(ctx.obj).jobs_folder(), job)
    found = follow_job(folder, quiet=as_json) if follow else read_job(folder)
    if as_json:
        say_json(job_json(found))
    else:
        say_job(found)
    raise typer.Exit(0 if found.state.live or ended_well(found) else 1)


def cancel(ctx: typer.Context, job: Name, as_json: JsonFlag = False) -> None:
    """Ask, wait, force."""
    from liveavatar_tui.jobs.cancelling import Outcome
    from liveavatar_tui.jobs.cancelling import cancel as end
    from liveavatar_tui.jobs.watching import find_job

    settings = settings_of(ctx.obj)
    folder = find_job(settings.jobs_folder(), job)
    outcome = end(folder, settings.jobs.grace_s)
    if as_json:
        say_json({"id": folder.root.name, "outcome": outcome})
        return
    words = {
        Outcome.NOT_RUNNING: _("{job} was not running."),
        Outcome.ENDED: _("{job} ended."),
        Outcome.FORCED: _("{job} did not end by itself and was killed."),
    }
    say(words[outcome].format(job=folder.root.name))
