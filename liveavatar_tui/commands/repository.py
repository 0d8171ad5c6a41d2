"""Commands on the LoRA repository: versions, check, activate, rollback, resolve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from liveavatar_tui.commands.output import say, say_findings, say_json, say_table
from liveavatar_tui.commands.shared import JsonFlag, settings_of
from lora_repository.i18n import _, ngettext

if TYPE_CHECKING:
    from liveavatar_tui.catalogue import Catalogue, VersionRow
    from lora_repository.history import Generation
    from lora_repository.part import PartProof
    from lora_repository.proof import Proof


def register(app: typer.Typer) -> None:
    """Add the commands, with their help in the language in force."""
    app.command("versions", help=_("List the LoRA versions and the channels that point at each."))(versions)
    app.command(
        "check",
        help=_(
            "Prove that a LoRA loads: names, rights, config.json, ranks, and every tensor against the base model.\n\n"
            "LORA is a folder, a .safetensors file, a version or a channel. Exit code 1 when it would not load."
        ),
    )(check)
    app.command(
        "activate", help=_("Make a version `latest`, after its proof, in one step that is recorded and can be undone.")
    )(activate)
    app.command("rollback", help=_("Point `latest` back to where it was before, or to the state after a generation."))(
        rollback
    )
    app.command(
        "resolve",
        help=_(
            "Print the one path that a channel, version or path stands for on this host, and nothing else.\n\n"
            "In a script: LORA_PATH=$(liveavatar-tui resolve production)"
        ),
    )(resolve)


def versions(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Newest first."""
    listing = _catalogue(ctx).read()
    if as_json:
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
    raise typer.Exit(1 if any(finding.severity == "error" for finding in listing.findings) else 0)


def check(
    ctx: typer.Context,
    lora: Annotated[str, typer.Argument(metavar="LORA", show_default=False)],
    ckpt_dir: Annotated[
        str | None,
        typer.Option("--ckpt-dir", "--ckpt_dir", help=_("Folder of the base model, or `embedded`.")),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """The proof, with everything that was found."""
    from liveavatar_tui.launch import resolve as resolve_lora
    from liveavatar_tui.proving import prover_for

    settings = settings_of(ctx.obj, {"ckpt_dir": ckpt_dir})
    proof = prover_for(settings.ckpt_dir)(resolve_lora(settings, lora))
    if as_json:
        say_json(_proof_json(proof))
    else:
        say(str(proof.path))
        say_table([_part_cells(part) for part in proof.parts])
        say_findings(proof.findings)
        verdict = _("It loads on {base}.") if proof.ok else _("It does not load on {base}.")
        say(verdict.format(base=proof.base))
    raise typer.Exit(0 if proof.ok else 1)


def activate(
    ctx: typer.Context,
    version: Annotated[str, typer.Argument(metavar="VERSION", show_default=False)],
    reason: Annotated[str, typer.Option(help=_("Why, for the history."))] = "",
    as_json: JsonFlag = False,
) -> None:
    """Prove, switch, record."""
    _tell(_catalogue(ctx).activate(version, reason), as_json)


def rollback(
    ctx: typer.Context,
    to: Annotated[int | None, typer.Option(metavar="GENERATION", help=_("Number of a generation."), min=0)] = None,
    reason: Annotated[str, typer.Option(help=_("Why, for the history."))] = "",
    as_json: JsonFlag = False,
) -> None:
    """Go back, recorded as a generation of its own."""
    from pathlib import Path

    from liveavatar_tui.proving import prover_for
    from lora_repository.repository import LoraRepository

    settings = settings_of(ctx.obj)
    repository = LoraRepository(Path(settings.lora.repository), prover_for(settings.ckpt_dir))
    _tell(repository.rollback(to, reason), as_json)


def resolve(
    ctx: typer.Context,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", show_default=False)],
    as_json: JsonFlag = False,
) -> None:
    """One absolute path."""
    import sys

    from liveavatar_tui.launch import resolve as resolve_lora

    path = resolve_lora(settings_of(ctx.obj), channel)
    if as_json:
        say_json({"channel": channel, "path": str(path)})
    else:
        # Byte for byte, not sanitised: a script opens what it reads here.
        sys.stdout.buffer.write(bytes(path) + b"\n")


def _catalogue(ctx: typer.Context) -> Catalogue:
    from pathlib import Path

    from liveavatar_tui.catalogue import Catalogue
    from liveavatar_tui.proving import prover_for

    settings = settings_of(ctx.obj)
    root, base = Path(settings.lora.repository), settings.ckpt_dir
    return Catalogue(root, settings.channels(), prover_for(base), base)


def _tell(made: Generation, as_json: bool) -> None:
    if as_json:
        import json

        from lora_repository.history import encode

        say_json(json.loads(encode(made)))
        return
    before = made.before or _("nothing")
    told = _("latest: {before} -> {after} (generation {number}, by {user} on {host})")
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
    return {
        "path": str(proof.path),
        "base": proof.base,
        "ok": proof.ok,
        "parts": [
            {
                "file": str(part.file),
                "target": part.target,
                "rank": part.rank,
                "alpha": part.alpha,
                "strength": part.strength,
                "matched": part.matched,
                "total": part.total,
            }
            for part in proof.parts
        ],
        "findings": [finding.as_dict() for finding in proof.findings],
    }
