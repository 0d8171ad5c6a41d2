"""Commands on a run: preflight proves it, run starts it as the app does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from liveavatar_tui.commands.output import complain, complain_finding, say, say_findings, say_json, say_table
from liveavatar_tui.commands.run_flags import RunFlags, with_run_flags
from liveavatar_tui.commands.shared import JsonFlag
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.preflight.report import Report

_EXAMPLES = """\b
{title}
  liveavatar-tui {command} --image me.png --audio speech.wav --prompt "a person speaking, smiling"
  liveavatar-tui {command} --lora production --size "688*368" --num-clip 100
  liveavatar-tui {command} --lora /path/to/my_lora/ --ckpt-dir ckpt/Wan2.2-S2V-14B/ --offload-model True
"""


def register(app: typer.Typer) -> None:
    """Add the commands, with their help in the language in force."""
    app.command(
        "preflight",
        help=_("Check a run before it starts: LoRA, base model, portrait, speech, arguments, place, memory."),
        epilog=_EXAMPLES.format(title=_("Examples:"), command="preflight"),
    )(with_run_flags(preflight))
    app.command(
        "run",
        help=_(
            "Start a run: checked first, then an engine of its own that outlives this terminal.\n\n"
            "What is not given comes from config.yaml. The exit code of --wait and --follow is that of the run."
        ),
        epilog=_EXAMPLES.format(title=_("Examples:"), command="run"),
    )(with_run_flags(run))


def preflight(flags: RunFlags, ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Every row and finding; exit code 1 when there is an error."""
    from liveavatar_tui.preflight import preflight as examine

    settings = flags.settings(ctx.obj)
    report = examine(flags.spec(settings), settings)
    if as_json:
        say_json(report.as_dict())
    else:
        _say_report(report)
    raise typer.Exit(0 if report.ok else 1)


def run(
    flags: RunFlags,
    ctx: typer.Context,
    wait: Annotated[bool, typer.Option("--wait", help=_("Return when the run is over."))] = False,
    follow: Annotated[bool, typer.Option("--follow", help=_("As --wait, and print the progress."))] = False,
    force: Annotated[bool, typer.Option("--force", help=_("Start in spite of errors that preflight found."))] = False,
    as_json: JsonFlag = False,
) -> None:
    """Preflight, then a job."""
    from liveavatar_tui.commands.following import ended_well, follow_job, job_json, say_ending
    from liveavatar_tui.jobs.starting import start
    from liveavatar_tui.preflight import preflight as examine

    settings = flags.settings(ctx.obj)
    spec = flags.spec(settings)
    report = examine(spec, settings)
    if not report.ok and not force:
        _refuse(report, as_json)
    for finding in report.findings:
        complain_finding(finding)
    job = start(spec, settings.jobs_folder())
    if wait or follow:
        job = follow_job(job.folder, quiet=as_json or not follow)
    if as_json:
        say_json(job_json(job))
    elif job.state.live:
        say(_("Started {job}. Watch it: liveavatar-tui jobs show {job} --follow").format(job=job.id))
    else:
        say_ending(job)
    raise typer.Exit(0 if job.state.live or ended_well(job) else 1)


def _refuse(report: Report, as_json: bool) -> None:
    if as_json:
        say_json(report.as_dict())
    else:
        for finding in report.findings:
            complain_finding(finding)
        complain(_("Nothing was started."))
    raise typer.Exit(1)


def _say_report(report: Report) -> None:
    say_table([row.cells() for row in report.rows])
    say_findings(report.findings)
    verdict: Any = _("Ready to run.") if report.ok else _("Not ready: mend the errors above.")
    say(verdict)
