"""The command that shows the settings in force, each with where it came from."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from liveavatar_tui.commands.output import say, say_json, say_table
from liveavatar_tui.commands.parser import add_command, add_json, as_json
from liveavatar_tui.commands.shared import settings_of
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.commands.parser import SubParsers


def register(commands: SubParsers) -> None:
    """Add the command, with its help in the language in force."""
    short = _("Show every setting and where it comes from.")
    more = _("Strongest first: a flag, an environment variable, the settings file, the default.")
    parser = add_command(commands, "config", config, short, more)
    parser.add_argument("--schema", action="store_true", help=_("Print the JSON schema of config.yaml."))
    add_json(parser).with_help()


def config(given: Namespace) -> int:
    """One line a setting."""
    if hasattr(given, "schema"):
        from liveavatar_tui.settings import schema

        say_json(schema())
        return 0
    settings = settings_of(given)
    rows = [(key, settings.value(key), origin) for key, origin in settings.origins.items()]
    if as_json(given):
        say_json({key: {"value": value, "source": origin.source, "origin": str(origin)} for key, value, origin in rows})
        return 0
    say(str(settings.file) if settings.file else _("No settings file was found; these are the defaults."))
    say_table([(key, "-" if value is None else str(value), str(origin)) for key, value, origin in rows])
    return 0
