"""One version in words: proof, strength, coverage, files, findings. Pure functions; knows no widget and no disk."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content

from liveavatar_tui.catalogue import FileFact, Listing, VersionRow
from liveavatar_tui.quantities import bytes_text
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.widgets.findings import describe, verdict, worst
from lora_repository.i18n import _, ngettext
from lora_repository.part import PartProof
from lora_repository.proof import Proof

_HASH_SHOWN = 16


def details(row: VersionRow, proof: Proof | None, hashes: Mapping[str, str]) -> Content:
    """Everything about one version; `hashes` (file name to SHA-256) may be empty."""
    blocks = [_proof(proof), *([_findings(proof)] if proof and proof.findings else [])]
    if proof is not None:
        blocks += [_part(part) for part in proof.parts]
    blocks.append(_files(row, hashes))
    return Content("\n\n").join(blocks)


def _heading(text: str) -> Content:
    return Content.styled(text, "$muted")


def _proof(proof: Proof | None) -> Content:
    if proof is None:
        return _heading(_("Checking whether it would load…"))
    severity = worst(proof.findings)
    word, colour = verdict(severity)
    sign = "✗" if proof.errors else "✓"
    loads = _("would load on {base}") if proof.ok else _("would not load on {base}")
    return Content.assemble((f"{sign} {word}", f"bold {colour}"), "  ", loads.format(base=safe_text(proof.base)))


def _findings(proof: Proof) -> Content:
    return describe(proof.findings)


def _part(part: PartProof) -> Content:
    target = _("video model") if part.target == "dit" else _("text encoder")
    lines = [
        Content.assemble((safe_text(part.file.name), "bold"), (f"  {target}", "$muted")),
        Content(
            _("  rank {rank}, strength {strength:.3g} (alpha {alpha:g} / rank)").format(
                rank=part.rank, strength=part.strength, alpha=part.alpha
            )
        ),
        Content(_("  {matched} of {total} tensors match").format(matched=part.matched, total=part.total)),
    ]
    for target_name, (adapted, there) in part.coverage.items():
        covered = _("  {name}: {adapted} of {total} linears adapted")
        lines.append(Content(covered.format(name=safe_text(target_name), adapted=adapted, total=there)))
    return Content("\n").join(lines)


def _files(row: VersionRow, hashes: Mapping[str, str]) -> Content:
    count = len(row.files)
    lines = [_heading(ngettext("{n} file", "{n} files", count).format(n=count))]
    lines += [_file(fact, hashes) for fact in row.files]
    if not hashes:
        lines.append(_heading(_("  c computes the SHA-256 of each")))
    lines.append(Content.styled(safe_text(str(row.path)), "$muted"))
    return Content("\n").join(lines)


def _file(fact: FileFact, hashes: Mapping[str, str]) -> Content:
    line = Content.assemble(f"  {safe_text(fact.name)}", (f"  {bytes_text(fact.size)}", "$muted"))
    if fact.name in hashes:
        line += Content.styled(f"\n    sha256 {hashes[fact.name][:_HASH_SHOWN]}…", "$muted")
    return line


def switch(listing: Listing, after: str) -> Content:
    """What a switch of `latest` changes, and for whom: channels that follow `latest` move with it."""
    before = listing.latest or _("nothing")
    moved = Content.assemble(("latest", "bold $primary"), f"  {before}  →  ", (after, "bold"))
    if not listing.following:
        return moved
    warning = _("These channels follow latest and change with it: {names}.").format(names=", ".join(listing.following))
    return Content("\n\n").join([moved, Content.styled("! " + warning, "bold $text-warning")])
