"""The command that proves a LoRA, mends what can be mended without a doubt, and reads every number on request."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from liveavatar_tui.commands.output import Meter, say, say_findings, say_json, say_table
from liveavatar_tui.commands.parser import add_command, add_json, as_json, examples
from liveavatar_tui.commands.shared import settings_of
from lora_repository.i18n import _, ngettext

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from liveavatar_tui.commands.parser import SubParsers
    from liveavatar_tui.deployment import Deployment
    from lora_repository.finding import Finding
    from lora_repository.part import PartProof
    from lora_repository.proof import Proof


def register(commands: SubParsers) -> None:
    """Add the command, with its help in the language in force."""
    short = _("Prove that a LoRA loads, before anything is loaded.")
    more = _(
        "LORA is a folder, a .safetensors file, a version or a channel. Names, rights, config.json, ranks and every\n"
        "tensor are held against the base model. Exit code 1 when it would not load."
    )
    shown = examples(
        ("liveavatar-tui check /path/to/my_lora/", _("will this LoRA load?")),
        ("liveavatar-tui check /path/to/my_lora/ --fix", _("mend names, rights and ranks that leave no doubt")),
        ("liveavatar-tui check production --full", _("read every byte: NaN, infinity, nothing but zeros")),
    )
    parser = add_command(commands, "check", check, short, more, shown)
    parser.add_argument("lora", metavar="LORA")
    parser.add_argument("--fix", action="store_true", help=_("Mend what leaves no doubt; each mending is told."))
    parser.add_argument("--full", action="store_true", help=_("Read every byte, not headers alone."))
    parser.add_argument("--ckpt-dir", "--ckpt_dir", metavar="DIR", help=_("Folder of the base model, or `embedded`."))
    add_json(parser).with_help()


def check(given: Namespace) -> int:
    """The proof, with everything that was found."""
    from liveavatar_tui.deployment import Deployment
    from liveavatar_tui.mending import mend, mendable
    from liveavatar_tui.proving import prover_for

    settings = settings_of(given, {"ckpt_dir": getattr(given, "ckpt_dir", None)})
    deployment = Deployment(settings)
    path = deployment.resolve(given.lora)
    mended = mend(path) if hasattr(given, "fix") else []
    proof = prover_for(settings.ckpt_dir)(path)
    # Bytes are hashed only of what can be read.
    findings = [*proof.findings, *(_about_bytes(deployment, path) if proof.ok else ())]
    if hasattr(given, "full"):
        findings += _read_through(proof, quiet=as_json(given))
    ok = not any(finding.severity == "error" for finding in findings)
    left = mendable(path)
    if as_json(given):
        say_json(_proof_json(proof, findings, ok) | {"mended": mended, "mendable": left})
    else:
        _say_proof(proof, findings, mended)
        if left:
            _say_mendable(left, path)
        verdict = _("It loads on {base}.") if ok else _("It does not load on {base}.")
        say(verdict.format(base=proof.base))
    return 0 if ok else 1


def _about_bytes(deployment: Deployment, path: Path) -> list[Finding]:
    """LORA050 for a published version that is no longer what was published, LORA075 for the copy of another one."""
    from lora_repository.published import known_hashes
    from lora_repository.repository import Version
    from lora_repository.version_name import match_version_name

    repository, name = deployment.repository, match_version_name(path.name)
    if name is None or path.parent != repository.root.resolve():
        return []
    changed = repository.changed(Version(name, path))
    hashes = known_hashes(repository.state, path)
    same = deployment.same_as(path.name, hashes) if hashes is not None else None
    return [finding for finding in (changed, same) if finding is not None]


def _read_through(proof: Proof, *, quiet: bool) -> list[Finding]:
    from lora_repository.contents import check_contents

    meter = Meter(quiet=quiet)
    findings = [finding for part in proof.parts for finding in check_contents(part.file, meter.add).findings]
    meter.end()
    return findings


def _say_proof(proof: Proof, findings: Sequence[Finding], mended: Sequence[str]) -> None:
    say(str(proof.path))
    for title in mended:
        say("  " + _("mended: {title}").format(title=title))
    say_table([_part_cells(part) for part in proof.parts])
    say_findings(findings)


def _say_mendable(titles: Sequence[str], path: Path) -> None:
    from lora_repository.wording import command

    say(
        _("What leaves no doubt can be mended: {command}").format(
            command=command("liveavatar-tui", "check", path, "--fix")
        )
    )
    for title in titles:
        say("  " + title)


def _part_cells(part: PartProof) -> list[str]:
    matched = ngettext("{n} of {total} tensor matched", "{n} of {total} tensors matched", part.total)
    return [
        part.file.name,
        _("rank {rank}").format(rank=part.rank),
        f"alpha {part.alpha:g}",
        _("strength {strength:g}").format(strength=round(part.strength, 3)),
        matched.format(n=part.matched, total=part.total),
    ]


def _proof_json(proof: Proof, findings: Sequence[Finding], ok: bool) -> dict[str, Any]:
    names = ("target", "rank", "alpha", "strength", "matched", "total")
    return {
        "path": str(proof.path),
        "base": proof.base,
        "ok": ok,
        "parts": [{"file": str(part.file)} | {name: getattr(part, name) for name in names} for part in proof.parts],
        "findings": [finding.as_dict() for finding in findings],
    }
