"""The command line: `liveavatar-tui` opens the app, its commands do the same without a screen.

Commands are imported with their flags only; what they do is imported when they run, so `--help` needs no Textual.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from liveavatar_tui.commands.parser import CommandParser, examples
from lora_repository.borrowed import teach_argparse
from lora_repository.finding import Problem
from lora_repository.i18n import LANGUAGES, _, set_language

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code: 0 good, 1 a check or a run failed, 2 misuse, 128 + n for signal n."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    set_language(_language(words))
    teach_argparse()
    try:
        given = _parser().parse_args(words)
    except SystemExit as leaving:  # after --help, --version or misuse
        return int(leaving.code or 0)
    try:
        code: int = given.run(given)
        sys.stdout.flush()
    except Problem as refusal:
        return _refuse(refusal, as_json=hasattr(given, "as_json"))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read has enough. The interpreter's own flush at exit must not complain about it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _language(words: Sequence[str]) -> str | None:
    """The language that is asked for before anything is parsed: by flag or, for help, by the settings file."""
    if (asked := _flag(words, "--lang")) is not None:
        return asked
    if not {"-h", "--help"}.intersection(words) or "LIVEAVATAR_LANG" in os.environ:
        return None
    from liveavatar_tui.commands.shared import written_language

    return written_language(_flag(words, "--config"))


def _flag(words: Sequence[str], name: str) -> str | None:
    """The value of a flag in a command line that is not parsed yet."""
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def _parser() -> CommandParser:
    from liveavatar_tui.commands import (
        checking,
        comparing,
        config,
        jobs,
        making,
        preflight,
        queueing,
        removing,
        repository,
        running,
        serving,
        switching,
        training,
    )

    parser = CommandParser(
        prog="liveavatar-tui",
        description=_(
            "Talking avatars on this machine: choose a LoRA version, see that it fits, run it, watch it, go back.\n"
            "Without a command the full-screen app opens."
        ),
        epilog=_examples(),
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help=_("Settings file; else $LIVEAVATAR_CONFIG, ./config.yaml, the user's, the checkout's."),
    )
    parser.add_argument("--lang", choices=LANGUAGES, metavar="LANG", help=_("Language: en or zh_CN."))
    parser.add_argument("--plain", action="store_true", help=_("The app as plain lines, for screen readers and pipes."))
    parser.add_argument("--version", action="version", version=_version(), help=_("Print the version."))
    parser.with_help().set_defaults(run=_open)
    commands = parser.add_subparsers(title=_("Commands"), metavar=_("COMMAND"), parser_class=CommandParser)
    for module in (
        repository,
        checking,
        switching,
        making,
        removing,
        preflight,
        running,
        jobs,
        queueing,
        training,
        comparing,
        config,
        serving,
    ):
        module.register(commands)
    return parser


def _open(given: Namespace) -> int:
    """Without a command: the app."""
    from liveavatar_tui.commands.shared import settings_of

    settings = settings_of(given)
    from liveavatar_tui.app import run_app

    return run_app(settings, main, plain=hasattr(given, "plain"))


def _version() -> str:
    from engine import __version__

    return f"liveavatar-tui {__version__}"


def _refuse(refusal: Problem, *, as_json: bool) -> int:
    from liveavatar_tui.commands.output import complain_finding, say_json

    if as_json:
        say_json({"ok": False, "findings": [refusal.finding.as_dict()]})
    else:
        complain_finding(refusal.finding)
    return refusal.exit_code


def _examples() -> str:
    return examples(
        ("liveavatar-tui", _("open the app")),
        ("liveavatar-tui versions", _("what there is, and what each channel points at")),
        ("liveavatar-tui check /path/to/my_lora/", _("will this LoRA load?")),
        ("liveavatar-tui publish training/checkpoint-800/", _("make a version of it")),
        ('liveavatar-tui activate v2.1 --reason "ticket 812"', _("make it `latest`")),
        ("liveavatar-tui preflight --lora staging", _("will this run work and fit here?")),
        ("liveavatar-tui run --audio speech.wav --follow", _("generate, and watch the progress")),
        ("liveavatar-tui jobs show last", _("how the last one stands")),
    )


if __name__ == "__main__":
    sys.exit(main())
