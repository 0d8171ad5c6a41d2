"""The flags of a command line: argparse with our wording, one sentence for misuse, and no guessing of shortened flags.

argparse and not a larger library: a command that prints JSON is a process of some 80 ms, most of it Python itself.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from liveavatar_tui.commands.wrapping import is_wide, wrap
from liveavatar_tui.safe_text import safe_text
from lora_repository.i18n import _

if TYPE_CHECKING:
    # Subscripted only where types are read: at run time the class takes no argument.
    SubParsers = argparse._SubParsersAction["CommandParser"]

Command = Callable[[argparse.Namespace], int]
"""What runs a command; its exit code: 0 good, 1 a check or a run failed, 2 misuse."""


class Help(argparse.RawDescriptionHelpFormatter):
    """Paragraphs and examples as they are written, in a column that reads well."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=min(100, shutil.get_terminal_size().columns - 2))

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        """The first line, in the language in force."""
        super().add_usage(usage, actions, groups, _("Usage:") + " " if prefix is None else prefix)

    def _split_lines(self, text: str, width: int) -> list[str]:
        """argparse counts characters; Chinese ones take two cells each."""
        return wrap(text, width) if is_wide(text) else super()._split_lines(text, width)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """Upstream's spelling with underscores is understood and not shown."""
        text = super()._format_action_invocation(action)
        return ", ".join(part for part in text.split(", ") if not part.startswith("--") or "_" not in part.split()[0])


class CommandParser(argparse.ArgumentParser):
    """One command. A flag that is not given leaves no trace in the result."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            **settings,
            formatter_class=Help,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
            add_help=False,
        )
        self._positionals.title = _("Arguments")
        self._optionals.title = _("Options")

    def with_help(self) -> CommandParser:
        """Add `--help`, last in the list."""
        self.add_argument("-h", "--help", action="help", help=_("Show this text."))
        return self

    def error(self, message: str) -> NoReturn:
        """Exit 2 with one sentence."""
        see = _("See: {command} --help").format(command=self.prog)
        sys.stderr.write(f"{self.prog}: {safe_text(message)}\n  {see}\n")
        raise SystemExit(2)


def add_command(
    commands: SubParsers, name: str, run: Command, short: str, more: str = "", epilog: str = ""
) -> CommandParser:
    """A command that calls `run`; `short` is its line in the list, `more` the rest of what its help says."""
    description = f"{short}\n\n{more}" if more else short
    parser = commands.add_parser(name, help=short, description=description, epilog=epilog or None)
    parser.set_defaults(run=run)
    return parser


def add_json(parser: CommandParser) -> CommandParser:
    """`--json`, for every command that reports."""
    parser.add_argument("--json", dest="as_json", action="store_true", help=_("Report as JSON."))
    return parser


def as_json(given: argparse.Namespace) -> bool:
    """Whether JSON was asked for."""
    return bool(getattr(given, "as_json", False))


def examples(*lines: tuple[str, str]) -> str:
    """Command lines with what they do, in two columns."""
    width = max(len(line) for line, _what in lines)
    return "\n".join([_("Examples:"), *(f"  {line:<{width}}  {what}".rstrip() for line, what in lines)])
