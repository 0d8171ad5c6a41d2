"""The command line: `liveavatar-tui` opens the app, its commands do the same without a screen.

Commands are imported with their flags only; what they do is imported when they run, so `--help` needs no Textual.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from lora_repository.finding import Problem
from lora_repository.i18n import _, set_language

_EXAMPLES = """\b
{title}
  liveavatar-tui                                       {app}
  liveavatar-tui versions                              {versions}
  liveavatar-tui check /path/to/my_lora/               {check}
  liveavatar-tui activate v2.1 --reason "ticket 812"   {activate}
  liveavatar-tui preflight --lora staging              {preflight}
  liveavatar-tui run --audio speech.wav --follow       {run}
  liveavatar-tui jobs show last                        {jobs}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code: 0 good, 1 a check or a run failed, 2 misuse, 128 + n for signal n."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    set_language()
    try:
        _application()(given, prog_name="liveavatar-tui")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except Problem as refusal:
        return _refuse(refusal, as_json="--json" in given)
    return 0


def _application() -> typer.Typer:
    from liveavatar_tui.commands import config, jobs, repository, running

    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback(invoke_without_command=True, help=_help(), epilog=_epilog())(_open)
    repository.register(app)
    running.register(app)
    jobs.register(app)
    config.register(app)
    return app


def _open(
    ctx: typer.Context,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help=_("Settings file. Without it: $LIVEAVATAR_CONFIG, ./config.yaml, then the user's and the checkout's."),
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=lambda asked: _version() if asked else None)
    ] = False,
) -> None:
    """Without a command: the app."""
    ctx.obj = config
    if ctx.invoked_subcommand is None:
        from liveavatar_tui.commands.shared import settings_of

        settings = settings_of(config)
        from liveavatar_tui.app import run_app

        raise typer.Exit(run_app(settings))


def _version() -> None:
    from engine import __version__

    sys.stdout.write(f"liveavatar-tui {__version__}\n")
    raise typer.Exit


def _refuse(refusal: Problem, *, as_json: bool) -> int:
    from liveavatar_tui.commands.output import complain_finding, say_json

    if as_json:
        say_json({"ok": False, "findings": [refusal.finding.as_dict()]})
    else:
        complain_finding(refusal.finding)
    return refusal.exit_code


def _help() -> str:
    return _(
        "Talking avatars on this machine: choose a LoRA version, see that it fits, run it, watch it, go back.\n\n"
        "Without a command the full-screen app opens."
    )


def _epilog() -> str:
    return _EXAMPLES.format(
        title=_("Examples:"),
        app=_("open the app"),
        versions=_("what there is, and what each channel points at"),
        check=_("will this LoRA load?"),
        activate=_("make it `latest`"),
        preflight=_("will this run work and fit here?"),
        run=_("generate, and watch the progress"),
        jobs=_("how the last one stands"),
    )
