"""Commands that look at the LoRA repository: versions, history, resolve; difference and remarks are registered here."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from liveavatar_tui.commands import difference, remarks
from liveavatar_tui.commands.output import say, say_findings, say_json, say_table
from liveavatar_tui.commands.parser import add_command, add_json, as_json, examples
from liveavatar_tui.commands.shared import SWITCHED, settings_of
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.catalogue import Catalogue, Listing, VersionRow
    from liveavatar_tui.commands.parser import SubParsers
    from lora_repository.history import Generation
    from lora_repository.shallow import ShallowProof


def register(commands: SubParsers) -> None:
    """Add the commands, with their help in the language in force."""
    short = _("List the LoRA versions and what points at each.")
    more = _(
        "--filter takes words that must all be in name, tags or note; tag:x, channel:x, base:x, passed:yes|no|none\n"
        "and finding:CODE or finding:error|warning|info ask for more; a `-` before any of them negates it."
    )
    shown = examples(
        ("liveavatar-tui versions --json | jq -r .latest", _("for a script")),
        ('liveavatar-tui versions --filter "tag:approved -finding:error"', ""),
        ("liveavatar-tui versions --filter=-tag:draft", _("with = where a - comes first")),
        ("liveavatar-tui versions --check", _("exit code 1 when one of them would not load")),
    )
    parser = add_command(commands, "versions", versions, short, more, shown)
    parser.add_argument("--filter", metavar="QUERY", help=_("Only the versions that match."))
    parser.add_argument("--check", action="store_true", help=_("Say of each whether it would load."))
    add_json(parser).with_help()

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
    difference.register(commands)
    remarks.register(commands)


def versions(given: Namespace) -> int:
    """Newest first; 1 when the repository itself is not in order."""
    from pathlib import Path

    from liveavatar_tui.catalogue import Catalogue

    settings = settings_of(given)
    catalogue = Catalogue(Path(settings.lora.repository), settings.channels(), settings.ckpt_dir)
    listing = catalogue.read()
    rows, proofs = _chosen(catalogue, listing, getattr(given, "filter", ""), check=hasattr(given, "check"))
    if as_json(given):
        say_json(
            {
                "repository": str(listing.root),
                "latest": listing.latest,
                "versions": [_row_json(row, proofs.get(row.name)) for row in rows],
                "findings": [finding.as_dict() for finding in listing.findings],
            }
        )
    else:
        say(str(listing.root))
        say_table([_row_cells(row, listing.latest, proofs.get(row.name)) for row in rows])
        say_findings(listing.findings)
    refused = hasattr(given, "check") and not all(proof.ok for proof in proofs.values())
    return 1 if refused or any(finding.severity == "error" for finding in listing.findings) else 0


def _chosen(
    catalogue: Catalogue, listing: Listing, text: str, *, check: bool
) -> tuple[list[VersionRow], dict[str, ShallowProof]]:
    """The rows that match, and their proofs where somebody asks for them."""
    from liveavatar_tui.catalogue import searchable
    from lora_repository.search import parse_query

    query = parse_query(text)
    proofs: dict[str, ShallowProof] = {}
    if check or query.asks_for_proofs:
        proofs = {row.name: catalogue.shallow(row) for row in listing.rows}
        catalogue.keep_proofs()
    rows = [row for row in listing.rows if query.matches(searchable(row, proofs.get(row.name)))]
    return rows, {row.name: proofs[row.name] for row in rows if check}


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


def _row_cells(row: VersionRow, latest: str | None, proof: ShallowProof | None) -> list[str]:
    from liveavatar_tui.quantities import bytes_text, day_text

    size = sum(file.size for file in row.files)
    mark = "*" if row.name == latest else " "
    cells = [mark, row.name, bytes_text(size), day_text(row.changed), ", ".join(row.channels), " ".join(row.tags)]
    return cells if proof is None else [*cells[:2], _verdict(proof), *cells[2:]]


def _verdict(proof: ShallowProof) -> str:
    """A word, and the codes that speak against it."""
    words = {"error": _("would not load"), "warning": _("would load, with warnings")}
    severe = dict.fromkeys(finding.code for finding in proof.findings if finding.severity == proof.worst)
    word = words.get(proof.worst or "")
    return _("would load") if word is None else f"{word}: {', '.join(severe)}"


def _row_json(row: VersionRow, proof: ShallowProof | None) -> dict[str, Any]:
    import msgspec

    checked = {} if proof is None else {"proof": msgspec.to_builtins(proof) | {"ok": proof.ok}}
    return checked | {
        "name": row.name,
        "path": str(row.path),
        "channels": list(row.channels),
        "files": {file.name: file.size for file in row.files},
        "changed": row.changed.isoformat() if row.changed else None,
        "tags": list(row.tags),
        "note": row.note,
        "compared": row.compared,
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
