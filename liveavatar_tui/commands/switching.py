"""Commands that move a channel: activate, rollback, promote. Each is proved, one step, and a line in the history."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from liveavatar_tui.commands.output import complain, say, say_json
from liveavatar_tui.commands.parser import CommandParser, add_command, add_json, as_json, examples
from liveavatar_tui.commands.shared import SWITCHED, settings_of
from lora_repository.i18n import _, ngettext

if TYPE_CHECKING:
    from collections.abc import Callable

    from liveavatar_tui.commands.parser import SubParsers
    from liveavatar_tui.deployment import Deployment
    from lora_repository.history import Generation

_LATEST, _PRODUCTION = "latest", "production"


def register(commands: SubParsers) -> None:
    """Add the commands, with their help in the language in force."""
    short = _("Point a channel at a version, once it is proved.")
    more = _(
        "Without --channel it is `latest`, the link in the repository; the others are keys of config.yaml, where one\n"
        "value changes and every comment stays. They take a path, a URL or a hub id as well. One atomic step,\n"
        "recorded with time, person and reason; `rollback` undoes it."
    )
    shown = examples(
        ('liveavatar-tui activate v2.1 --reason "ticket 812"', _("make it `latest`")),
        ('liveavatar-tui activate v2.1 --channel production --reason "approved by Li"', ""),
    )
    parser = add_command(commands, "activate", activate, short, more, shown)
    parser.add_argument("version", metavar="VERSION")
    _add_switch_flags(parser)

    short = _("Point a channel back to where it was.")
    more = _("Recorded as a switch of its own. Once more goes one step further back. The files must be what they were.")
    shown = examples(
        ("liveavatar-tui rollback --channel production", _("to what it was before")),
        ('liveavatar-tui rollback --to 12 --reason "worked on Monday"', _("to a number that `history` lists")),
    )
    parser = add_command(commands, "rollback", rollback, short, more, shown)
    parser.add_argument("--to", metavar="N", type=int, help=_("To the state after generation N; 0: before the first."))
    _add_switch_flags(parser)

    short = _("Point production at what staging is.")
    more = _("At this very version: where staging follows `latest`, production gets the version and does not move on.")
    shown = examples(('liveavatar-tui promote --reason "two days without complaints"', ""))
    parser = add_command(commands, "promote", promote, short, more, shown)
    parser.add_argument("--reason", metavar="TEXT", help=_("Why, for the history."))
    add_json(parser).with_help()


def _add_switch_flags(parser: CommandParser) -> None:
    parser.add_argument(
        "--channel", metavar="CHANNEL", choices=SWITCHED, help=_("latest, default, production or staging.")
    )
    parser.add_argument("--reason", metavar="TEXT", help=_("Why, for the history."))
    add_json(parser).with_help()


def activate(given: Namespace) -> int:
    """Prove, switch, record."""
    channel = getattr(given, "channel", _LATEST)
    return _switch(given, channel, lambda deployment, why: deployment.activate(channel, given.version, why))


def rollback(given: Namespace) -> int:
    """Go back, recorded as a generation of its own."""
    channel, to = getattr(given, "channel", _LATEST), getattr(given, "to", None)
    return _switch(given, channel, lambda deployment, why: deployment.rollback(channel, to, why))


def promote(given: Namespace) -> int:
    """What staging is becomes production."""
    return _switch(given, _PRODUCTION, lambda deployment, why: deployment.promote(why))


def generation_json(made: Generation) -> dict[str, Any]:
    """A generation as the history holds it."""
    import json

    from lora_repository.history import encode

    document: dict[str, Any] = json.loads(encode(made))
    return {"reason": "", "back_to": None} | document


def _switch(given: Namespace, channel: str, deed: Callable[[Deployment, str], Generation]) -> int:
    from datetime import UTC, datetime

    from liveavatar_tui.deployment import Deployment

    deployment = Deployment(settings_of(given))
    began = datetime.now(UTC)
    made = deed(deployment, getattr(given, "reason", ""))
    if as_json(given):
        say_json(generation_json(made))
    elif made.time < began:
        told = _("{channel} is {after} already (generation {number}, by {user} on {host}).")
        say(told.format(channel=channel, after=made.after, number=made.number, user=made.user, host=made.host))
    else:
        _tell(deployment, made)
    if (variable := deployment.outranked_by(channel)) is not None:
        complain(_("{variable} is set here and outranks config.yaml.").format(variable=variable))
    return 0


def _tell(deployment: Deployment, made: Generation) -> None:
    """What changed, and for whom."""
    say(
        _("{channel}: {before} -> {after} (generation {number}, by {user} on {host})").format(
            channel=made.channel,
            before=made.before or _("nothing"),
            after=made.after,
            number=made.number,
            user=made.user,
            host=made.host,
        )
    )
    names = ", ".join([made.channel, *deployment.followers(made.channel)])
    say("  " + _("The next run that names {channels} uses it.").format(channels=names))
    kept = len(deployment.jobs_by_version().get(made.before or "", ()))
    if kept:
        told = ngettext("{n} running job keeps {before}.", "{n} running jobs keep {before}.", kept)
        say("  " + told.format(n=kept, before=made.before))
