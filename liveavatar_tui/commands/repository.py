"""Commands that look at the LoRA repository: versions, history, resolve."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from liveavatar_tui.commands.output import say, say_findings, say_json, say_table
from liveavatar_tui.commands.parser import add_command, add_json, as_json, examples
from liveavatar_tui.commands.shared import SWITCHED, settings_of
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.catalogue import VersionRow
    from liveavatar_tui.commands.parser import SubParsers
    from lora_repository.history import Generation


def register(commands: SubParsers) -> None:
    """Add the commands, with their help in the language in force."""
    short = _("List the LoRA versions and what points at each.")
    shown = examples(("liveavatar-tui versions --json | jq -r .latest", _("for a script")))
    add_json(add_command(commands, "versions", versions, short, epilog=shown)).with_help()

    short = _("List the switches: which channel, from what to what, when, by whom, why.")
    more = _("Newest first. The numbers are those that `rollback --to` takes.")
    shown = examples(
        ("liveavatar-tui history --channel production", _("what production was, and who changed it")),
        ("liveavatar-tui history --json | jq '.generations[0]'", _("the last switch, with the hashes of its files")),
    )
    parser = add_command(commands, "history", history, short, more, shown)
    parser.add_argument("--channel", metavar="CHANNEL", choices=SWITCHED, help=_("Only the switches of this channel."))
    add_json(parser).with_help()

    short = _("Print the path that a channel stands for.")
    more = _(
        "One absolute path on this host and nothing else, for a script:\n"
        "  LORA_PATH=$(liveavatar-tui resolve production)"
    )
    parser = add_command(commands, "resolve", resolve, short, more)
    parser.add_argument("channel", metavar="CHANNEL")
    add_json(parser).with_help()


def versions(given: Namespace) -> int:
    """Newest first; 1 when the repository itself is not in order."""
    from pathlib import Path

    from liveavatar_tui.catalogue import Catalogue

    settings = settings_of(given)
    listing = Catalogue(Path(settings.lora.repository), settings.channels(), settings.ckpt_dir).read()
    if as_json(given):
        say_json(
            {
                "repository": str(listing.root),
                "latest": listing.latest,
                "versions": [_row_json(row) for row in listing.rows],
                "findings": [finding.as_dict() for finding in listing.findings],
            }
        )
    else:
        say(str(listing.root))
        say_table([_row_cells(row, listing.latest) for row in listing.rows])
        say_findings(listing.findings)
    return 1 if any(finding.severity == "error" for finding in listing.findings) else 0


def history(given: Namespace) -> int:
    """One line a generation, newest first."""
    from pathlib import Path

    from lora_repository.repository import LoraRepository

    repository = LoraRepository(Path(settings_of(given).lora.repository))
    past, wanted = repository.past(), getattr(given, "channel", None)
    made = [one for one in reversed(past.generations) if wanted in (None, one.channel)]
    if as_json(given):
        from liveavatar_tui.commands.switching import generation_json

        say_json(
            {
                "repository": str(repository.root),
                "generations": [generation_json(one) for one in made],
                "findings": [finding.as_dict() for finding in past.findings],
            }
        )
        return 0
    if not made:
        say(_("No switch is recorded in {folder}.").format(folder=repository.root))
    say_table([_generation_cells(one) for one in made], indent="")
    say_findings(past.findings)
    return 0


def resolve(given: Namespace) -> int:
    """One absolute path."""
    import sys

    from liveavatar_tui.launch import resolve as resolve_lora

    path = resolve_lora(settings_of(given), given.channel)
    if as_json(given):
        say_json({"channel": given.channel, "path": str(path)})
    else:
        # Byte for byte, not sanitised: a script opens what it reads here.
        sys.stdout.buffer.write(bytes(path) + b"\n")
    return 0


def _row_cells(row: VersionRow, latest: str | None) -> list[str]:
    from liveavatar_tui.quantities import bytes_text, day_text

    size = sum(file.size for file in row.files)
    mark = "*" if row.name == latest else " "
    return [mark, row.name, bytes_text(size), day_text(row.changed), ", ".join(row.channels)]


def _row_json(row: VersionRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "path": str(row.path),
        "channels": list(row.channels),
        "files": {file.name: file.size for file in row.files},
        "changed": row.changed.isoformat() if row.changed else None,
    }


def _generation_cells(made: Generation) -> list[str]:
    back = "" if made.back_to is None else _("back to {number}").format(number=made.back_to)
    return [
        str(made.number),
        f"{made.time.astimezone():%Y-%m-%d %H:%M}",
        f"{made.user}@{made.host}",
        made.channel,
        f"{made.before or '-'} -> {made.after}",
        "  ".join(text for text in (back, made.reason) if text),
    ]
