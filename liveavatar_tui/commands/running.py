"""The command that starts a run as the app does: proved first, then queued."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from liveavatar_tui.commands.output import complain, complain_finding, say, say_json
from liveavatar_tui.commands.parser import add_command, add_json, as_json
from liveavatar_tui.commands.queueing import add_start_flags
from liveavatar_tui.commands.run_flags import add_run_flags, run_examples, run_settings, run_spec
from lora_repository.i18n import _

if TYPE_CHECKING:
    from engine.spec import RunSpec
    from liveavatar_tui.commands.parser import SubParsers
    from liveavatar_tui.jobs.job import Job
    from liveavatar_tui.preflight.report import Report
    from liveavatar_tui.settings import Settings
    from lora_repository.finding import Finding


def register(commands: SubParsers) -> None:
    """Add the commands, with their help in the language in force."""
    short = _("Start a run: checked first, in a process of its own.")
    more = _(
        "It waits in the queue while its device is taken, and goes on when this terminal is closed. What is not given\n"
        "comes from config.yaml. With --wait and --follow the exit code is that of the run."
    )
    parser = add_command(commands, "run", run, short, more, run_examples("run"))
    add_start_flags(add_run_flags(parser))
    add_json(parser).with_help()


def run(given: Namespace) -> int:
    """Preflight, then a job; 1 when either fails."""
    settings = run_settings(given)
    return launch(run_spec(given, settings), settings, given)


def launch(spec: RunSpec, settings: Settings, given: Namespace, *, repeats: str = "") -> int:
    """A run of any command: checked, started or queued, followed if that was asked for; 1 when anything fails."""
    from liveavatar_tui.commands.following import ended_well, follow_job, job_json, say_ending
    from liveavatar_tui.jobs.admitting import admit, obstacles
    from liveavatar_tui.preflight import preflight as examine

    report = examine(spec, settings)
    errors = obstacles(report, settings.jobs_folder())
    if errors and not hasattr(given, "force"):
        return _refuse(report, given)
    for finding in (*report.findings, *_logout()):
        complain_finding(finding)
    job = admit(spec, settings.jobs_folder(), report, now=hasattr(given, "now"), repeats=repeats)
    following = hasattr(given, "follow")
    if following or hasattr(given, "wait"):
        job = follow_job(job.folder, quiet=as_json(given) or not following)
    if as_json(given):
        say_json(job_json(job))
    elif job.state.live:
        _say_begun(job)
    else:
        say_ending(job)
    return 0 if job.state.live or ended_well(job) else 1


def _logout() -> tuple[Finding, ...]:
    from liveavatar_tui.jobs.sheltering import logout_finding, look

    finding = logout_finding(look())
    return () if finding is None else (finding,)


def _say_begun(job: Job) -> None:
    if job.state.queued:
        say(_("{job} waits in the queue, at place {n}. See it: liveavatar-tui queue").format(job=job.id, n=job.place))
    else:
        say(_("Started {job}. Watch it: liveavatar-tui jobs show {job} --follow").format(job=job.id))


def _refuse(report: Report, given: Namespace) -> int:
    if as_json(given):
        say_json(report.as_dict())
        return 1
    for finding in report.findings:
        complain_finding(finding)
    complain(_("Nothing was started."))
    return 1
