"""Commands that look before a run: preflight proves it, docker-command prints the line that runs it in a container."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from liveavatar_tui.commands.output import complain, complain_finding, say, say_findings, say_json, say_table
from liveavatar_tui.commands.parser import add_command, add_json, as_json
from liveavatar_tui.commands.run_flags import add_run_flags, run_examples, run_settings, run_spec
from lora_repository.i18n import _

if TYPE_CHECKING:
    from engine.memory.solver import Change
    from engine.probe import Machine
    from liveavatar_tui.commands.parser import SubParsers
    from liveavatar_tui.preflight.report import Report


def register(commands: SubParsers) -> None:
    """Add the commands, with their help in the language in force."""
    short = _("Check a run before it starts.")
    more = _(
        "LoRA, base model, portrait, speech, numbers, place, memory, cards, environment and container.\n"
        "Exit code 1 when there is an error."
    )
    parser = add_command(commands, "preflight", preflight, short, more, run_examples("preflight"))
    add = add_run_flags(parser).add_argument
    add("--gpus", metavar="CARDS", help=_('Judge for these cards in place of this machine\'s: "24GB x5", "H100 80GB".'))
    add_json(parser).with_help()

    short = _("Print the docker line of a run.")
    more = _(
        "Image and mounts come from `docker:` in config.yaml. Every path is proved on both sides first; exit code 1\n"
        "and no line when one is not inside."
    )
    parser = add_command(commands, "docker-command", docker_command, short, more, run_examples("docker-command"))
    add_json(add_run_flags(parser)).with_help()


def preflight(given: Namespace) -> int:
    """Every row and finding; 1 when there is an error."""
    from liveavatar_tui.preflight import preflight as examine

    settings = run_settings(given)
    report = examine(run_spec(given, settings), settings, _machine(given))
    if as_json(given):
        say_json(report.as_dict())
        return 0 if report.ok else 1
    say_table([row.cells() for row in report.rows])
    say_findings(report.findings)
    _say_changes(report)
    say(_("Ready to run.") if report.ok else _("Not ready: mend the errors above."))
    return 0 if report.ok else 1


def _machine(given: Namespace) -> Machine | None:
    """The cards that were typed in; None for this machine's own."""
    from engine.probe import typed

    return typed(given.gpus) if hasattr(given, "gpus") else None


def _say_changes(report: Report) -> None:
    """Where it does not fit: each change alone, and which of them together are enough."""
    solution = report.solution
    if solution is None or not solution.changes:
        return
    say(_("Each of these alone:"))
    say_table([_change_cells(change) for change in solution.changes])
    if solution.smallest:
        say(_("Enough together: {flags}").format(flags=" ".join(change.flag for change in solution.smallest)))


def _change_cells(change: Change) -> tuple[str, ...]:
    from liveavatar_tui.quantities import bytes_text

    pace = "" if change.pace is None else _("{fps:.1f} frames/s").format(fps=change.pace.fps)
    gives = _("{size} less").format(size=bytes_text(max(0, change.gives)))
    return change.flag, gives, pace, _("enough") if change.fits else "", _(change.said)


def docker_command(given: Namespace) -> int:
    """The line on stdout, and nothing else; 1 with the reasons on stderr when it would not work."""
    from engine.job_folder import fresh_job_id
    from liveavatar_tui.preflight.docker import check_docker, docker_command, shell_line
    from lora_repository.finding import Severity

    settings = run_settings(given)
    spec = run_spec(given, settings)
    found = check_docker(spec, settings).findings
    for finding in found:
        complain_finding(finding)
    if any(finding.severity is Severity.ERROR for finding in found):
        complain(_("No line was printed."))
        return 1
    words = docker_command(spec, settings, fresh_job_id())
    if as_json(given):
        say_json({"command": words, "line": shell_line(words)})
    else:
        say(shell_line(words))
    return 0
