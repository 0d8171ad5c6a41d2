"""Commands on the LoRA repository: versions, check, activate, rollback, resolve."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from liveavatar_tui.commands.output import say, say_findings, say_json, say_table
from liveavatar_tui.commands.parser import add_command, add_json, as_json
from liveavatar_tui.commands.shared import settings_of
from lora_repository.i18n import _, ngettext

if TYPE_CHECKING:
    from liveavatar_tui.catalogue import VersionRow
    from liveavatar_tui.commands.parser import SubParsers
    from liveavatar_tui.settings import Settings
    from lora_repository.history import Generation
    from lora_repository.part import PartProof
    from lora_repository.proof import Proof
    from lora_repository.repository import LoraRepository


def register(commands: SubParsers) -> None:
    """Add the commands, with their help in the language in force."""
    short = _("List the LoRA versions and what points at each.")
    add_json(add_command(commands, "versions", versions, short)).with_help()

    short = _("Prove that a LoRA loads, before anything is loaded.")
    more = _(
        "LORA is a folder, a .safetensors file, a version or a channel. Names, rights, config.json, ranks and every\n"
        "tensor are held against the base model. Exit code 1 when it would not load."
    )
    parser = add_command(commands, "check", check, short, more)
    parser.add_argument("lora", metavar="LORA")
    parser.add_argument("--ckpt-dir", "--ckpt_dir", metavar="DIR", help=_("Folder of the base model, or `embedded`."))
    add_json(parser).with_help()

    short = _("Make a version `latest`, once it is proved.")
    more = _("One atomic step, recorded with time, person and reason; `rollback` undoes it.")
    parser = add_command(commands, "activate", activate, short, more)
    parser.add_argument("version", metavar="VERSION")
    parser.add_argument("--reason", metavar="TEXT", help=_("Why, for the history."))
    add_json(parser).with_help()

    short = _("Point `latest` back to where it was.")
    parser = add_command(commands, "rollback", rollback, short)
    parser.add_argument("--to", metavar="N", type=int, help=_("To the state after generation N; 0: before the first."))
    parser.add_argument("--reason", metavar="TEXT", help=_("Why, for the history."))
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
    from liveavatar_tui.proving import prover_for

    settings = settings_of(given)
    root, base = Path(settings.lora.repository), settings.ckpt_dir
    listing = Catalogue(root, settings.channels(), base).read()
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


def check(given: Namespace) -> int:
    """The proof, with everything that was found."""
    from liveavatar_tui.launch import resolve as resolve_lora
    from liveavatar_tui.proving import prover_for

    settings = settings_of(given, {"ckpt_dir": getattr(given, "ckpt_dir", None)})
    proof = prover_for(settings.ckpt_dir)(resolve_lora(settings, given.lora))
    if as_json(given):
        say_json(_proof_json(proof))
    else:
        say(str(proof.path))
        say_table([_part_cells(part) for part in proof.parts])
        say_findings(proof.findings)
        verdict = _("It loads on {base}.") if proof.ok else _("It does not load on {base}.")
        say(verdict.format(base=proof.base))
    return 0 if proof.ok else 1


def activate(given: Namespace) -> int:
    """Prove, switch, record."""
    _tell(_repository(settings_of(given)).activate(given.version, getattr(given, "reason", "")), given)
    return 0


def rollback(given: Namespace) -> int:
    """Go back, recorded as a generation of its own."""
    to, reason = getattr(given, "to", None), getattr(given, "reason", "")
    _tell(_repository(settings_of(given)).rollback(to, reason), given)
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


def _repository(settings: Settings) -> LoraRepository:
    from pathlib import Path

    from liveavatar_tui.proving import prover_for
    from lora_repository.repository import LoraRepository

    return LoraRepository(Path(settings.lora.repository), prover_for(settings.ckpt_dir))


def _tell(made: Generation, given: Namespace) -> None:
    if as_json(given):
        import json

        from lora_repository.history import encode

        say_json(json.loads(encode(made)))
        return
    told = _("latest: {before} -> {after} (generation {number}, by {user} on {host})")
    before = made.before or _("nothing")
    say(told.format(before=before, after=made.after, number=made.number, user=made.user, host=made.host))


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


def _part_cells(part: PartProof) -> list[str]:
    matched = ngettext("{n} of {total} tensor matched", "{n} of {total} tensors matched", part.total)
    return [
        part.file.name,
        _("rank {rank}").format(rank=part.rank),
        f"alpha {part.alpha:g}",
        _("strength {strength:g}").format(strength=part.strength),
        matched.format(n=part.matched, total=part.total),
    ]


def _proof_json(proof: Proof) -> dict[str, Any]:
    names = ("target", "rank", "alpha", "strength", "matched", "total")
    return {
        "path": str(proof.path),
        "base": proof.base,
        "ok": proof.ok,
        "parts": [{"file": str(part.file)} | {name: getattr(part, name) for name in names} for part in proof.parts],
        "findings": [finding.as_dict() for finding in proof.findings],
    }
