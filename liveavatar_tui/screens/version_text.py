"""One version in words: proof, strength, coverage, files, findings. Pure functions; knows no widget and no disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.content import Content

from liveavatar_tui.catalogue import Listing, VersionRow
from liveavatar_tui.quantities import bytes_text, path_text
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.widgets.findings import describe, verdict, worst
from liveavatar_tui.widgets.paragraphs import Paragraph, paragraph, spaced
from lora_repository.finding import Severity
from lora_repository.i18n import _, ngettext

if TYPE_CHECKING:
    from lora_repository.proof import PartProof, Proof


def details(row: VersionRow, proof: Proof | None, hashes: Mapping[str, str]) -> list[Paragraph]:
    """Everything about one version; `hashes` (file name to SHA-256) may be empty."""
    parts = [_part(part) for part in proof.parts] if proof is not None else []
    found = describe(proof.findings) if proof is not None else []
    return spaced([[_verdict(proof)], found, *parts, _files(row, hashes), [_muted(path_text(row.path))]])


def nothing() -> list[Paragraph]:
    """For a repository without a version."""
    example = _("There is no version here yet. A version is a folder such as v1.0_product_demo with its files.")
    return [paragraph(example)]


def with_repository(told: list[Paragraph], listing: Listing) -> list[Paragraph]:
    """What is wrong with the repository itself, added: errors before everything else, the rest at the end."""
    errors = [finding for finding in listing.findings if finding.severity is Severity.ERROR]
    others = [finding for finding in listing.findings if finding.severity is not Severity.ERROR]
    heading = [_muted(_("About the whole repository"))] if others else []
    return spaced([describe(errors), told, [*heading, *describe(others)]])


def place(listing: Listing) -> Content:
    """Where the repository lies, and how much is wrong with it."""
    where = Content(safe_text(path_text(listing.root)))
    severity = worst(listing.findings)
    if severity in (None, Severity.INFO):
        return where
    word, colour = verdict(severity)
    return Content.assemble((f"! {word}", f"bold {colour}"), "  ", where)


def _muted(text: str, lead: str = "") -> Paragraph:
    return paragraph(Content.styled(safe_text(text), "$muted"), lead)


def _verdict(proof: Proof | None) -> Paragraph:
    if proof is None:
        return _muted(_("Checking whether it would load…"))
    severity = worst(proof.findings)
    word, colour = verdict(severity)
    sign = "✗" if proof.errors else "✓"
    loads = _("would load on {base}") if proof.ok else _("would not load on {base}")
    return paragraph(loads.format(base=safe_text(proof.base)), Content.styled(f"{sign} {word}  ", f"bold {colour}"))


def _part(part: PartProof) -> list[Paragraph]:
    target = _("video model") if part.target == "dit" else _("text encoder")
    strength = _("rank {rank}, strength {strength:.3g} (alpha {alpha:g} / rank)")
    tensors = _("{matched} of {total} tensors match")
    covered = _("{name}: {adapted} of {total} linears adapted")
    return [
        paragraph(Content.assemble((safe_text(part.file.name), "bold"), (f"  {target}", "$muted"))),
        paragraph(strength.format(rank=part.rank, strength=part.strength, alpha=part.alpha), "  "),
        paragraph(tensors.format(matched=part.matched, total=part.total), "  "),
        *(
            paragraph(covered.format(name=safe_text(name), adapted=adapted, total=there), "  ")
            for name, (adapted, there) in part.coverage.items()
        ),
    ]


def _files(row: VersionRow, hashes: Mapping[str, str]) -> list[Paragraph]:
    count = len(row.files)
    told = [_muted(ngettext("{n} file", "{n} files", count).format(n=count))]
    for fact in row.files:
        size = (f"  {bytes_text(fact.size)}", "$muted")
        told.append(paragraph(Content.assemble(safe_text(fact.name), size), "  "))
        if fact.name in hashes:
            told.append(_muted(f"sha256 {hashes[fact.name]}", "    "))
    if row.files and not hashes:
        told.append(_muted(_("c computes the SHA-256 of each"), "  "))
    return told


def switch(listing: Listing, after: str) -> Content:
    """What a switch of `latest` changes, and for whom: channels that follow `latest` move with it."""
    before = listing.latest or _("nothing")
    moved = Content.assemble(("latest", "bold $primary"), f"  {before}  →  ", (after, "bold"))
    if not listing.following:
        return moved
    warning = _("These channels follow latest and change with it: {names}.").format(names=", ".join(listing.following))
    return Content("\n\n").join([moved, Content.styled("! " + warning, "bold $text-warning")])
