"""The command that shows the settings in force, each with where it came from."""

from __future__ import annotations

from typing import Annotated

import typer

from liveavatar_tui.commands.output import say, say_json, say_table
from liveavatar_tui.commands.shared import JsonFlag, settings_of
from lora_repository.i18n import _


def register(app: typer.Typer) -> None:
    """Add the command, with its help in the language in force."""
    app.command("config", help=_("Show every setting in force and where it came from: file and line, variable, flag."))(
        config
    )


def config(
    ctx: typer.Context,
    schema: Annotated[bool, typer.Option("--schema", help=_("Print the JSON schema of config.yaml."))] = False,
    as_json: JsonFlag = False,
) -> None:
    """One line a setting."""
    from liveavatar_tui.settings import schema as schema_of

    if schema:
        say_json(schema_of())
        return
    settings = settings_of(ctx.obj)
    rows = [(key, settings.value(key), origin) for key, origin in settings.origins.items()]
    if as_json:
        say_json({key: {"value": value, "source": origin.source, "origin": str(origin)} for key, value, origin in rows})
        return
    say(str(settings.file) if settings.file else _("No settings file was found; these are the defaults."))
    say_table([(key, "-" if value is None else str(value), str(origin)) for key, value, origin in rows])
