"""Commands that take versions away and bring them back: remove, restore, prune. What is in use always stays."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from typing import TYPE_CHECKING, Any

from liveavatar_tui.commands.output import say, say_json, say_table
from liveavatar_tui.commands.parser import add_command, add_json, as_json, examples
from liveavatar_tui.commands.shared import settings_of
from lora_repository.i18n import _, ngettext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from liveavatar_tui.commands.parser import SubParsers
    from lora_repository.trash import Trashed


def register(commands: SubParsers) -> None:
    """Add the commands, with their help in the language in force."""
    short = _("Move a version to the trash.")
    more = _("What `latest`, a channel or a running job needs is not removed. `restore` brings it back.")
    shown = examples(("liveavatar-tui remove v1.0", ""))
    parser = add_command(commands, "remove", remove, short, more, shown)
    parser.add_argument("version", metavar="VERSION")
    add_json(parser).with_help()

    short = _("Bring a removed version back; without VERSION, list the trash.")
    shown = examples(("liveavatar-tui restore v1.0_product_demo", _("the one removed last, if there are several")))
    parser = add_command(commands, "restore", restore, short, epilog=shown)
    parser.add_argument("version", metavar="VERSION", nargs="?")
    add_json(parser).with_help()

    short = _("Move old versions to the trash, and empty the trash.")
    more = _("Of the versions the newest N stay, and whatever `latest`, a channel or a running job needs.")
    shown = examples(
        ("liveavatar-tui prune --keep 10", _("`restore` brings back what was moved")),
        ("liveavatar-tui prune --keep 10 --empty-trash 30", _("gone for good: what was removed 30 days ago")),
    )
    parser = add_command(commands, "prune", prune, short, more, shown)
    parser.add_argument("--keep", metavar="N", type=_count, required=True, help=_("How many of the newest stay."))
    parser.add_argument(
        "--empty-trash", metavar="DAYS", type=_days, help=_("Delete for good what was removed DAYS ago or earlier.")
    )
    add_json(parser).with_help()


def remove(given: Namespace) -> int:
    """One version into the trash."""
    from liveavatar_tui.deployment import Deployment

    gone = Deployment(settings_of(given)).remove(given.version)
    if as_json(given):
        say_json(_trashed_json(gone))
        return 0
    say(_("{version} is in the trash. Bring it back: {command}").format(version=gone.name, command=_back(gone)))
    return 0


def restore(given: Namespace) -> int:
    """One version out of the trash, or what is in it."""
    from liveavatar_tui.deployment import Deployment

    repository = Deployment(settings_of(given)).repository
    if not hasattr(given, "version") or given.version is None:
        return _list_trash(repository.removed(), given)
    version = repository.restore(given.version)
    if as_json(given):
        say_json({"name": str(version.name), "path": str(version.path)})
    else:
        say(_("{version} is back: {path}").format(version=version.name, path=version.path))
    return 0


def prune(given: Namespace) -> int:
    """Old versions into the trash, old trash away."""
    from liveavatar_tui.deployment import Deployment

    repository = (deployment := Deployment(settings_of(given))).repository
    gone = deployment.prune(given.keep)
    deleted = repository.empty_trash(given.empty_trash) if hasattr(given, "empty_trash") else []
    if as_json(given):
        say_json({"removed": [_trashed_json(one) for one in gone], "deleted": deleted})
        return 0
    moved = ngettext("{n} version was moved to the trash.", "{n} versions were moved to the trash.", len(gone))
    say(moved.format(n=len(gone)))
    say_table([(one.name, _back(one)) for one in gone])
    if hasattr(given, "empty_trash"):
        said = ngettext("{n} removed version is deleted.", "{n} removed versions are deleted.", len(deleted))
        say(said.format(n=len(deleted)))
        say_table([(name,) for name in deleted])
    return 0


def _list_trash(found: Sequence[Trashed], given: Namespace) -> int:
    if as_json(given):
        say_json({"trash": [_trashed_json(one) for one in found]})
        return 0
    if not found:
        say(_("The trash is empty."))
    say_table([(one.name, f"{one.time.astimezone():%Y-%m-%d %H:%M}", _back(one)) for one in found], indent="")
    return 0


def _back(gone: Trashed) -> str:
    from lora_repository.wording import command

    return command("liveavatar-tui", "restore", gone.name)


def _trashed_json(gone: Trashed) -> dict[str, Any]:
    return {"name": gone.name, "time": gone.time.isoformat(), "place": str(gone.place)}


def _count(text: str) -> int:
    """A whole number above 0: the newest version is never old."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(_("expected a whole number above 0, found {text}").format(text=text))
    return int(text)


def _days(text: str) -> int:
    """A whole number, 0 for everything."""
    if not text.isascii() or not text.isdigit():
        raise ArgumentTypeError(_("expected a whole number of days, found {text}").format(text=text))
    return int(text)
