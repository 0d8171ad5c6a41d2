"""One version in words: proof, strength, coverage, files, findings. Pure functions; knows no widget and no disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from liveavatar_tui.catalogue import Listing, VersionRow
from liveavatar_tui.quantities import bytes_text, day_text, path_text
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.widgets.findings import describe, verdict, worst
from liveavatar_tui.widgets.paragraphs import Paragraph, paragraph, spaced
from lora_repository.config import CONFIG_NAME
from lora_repository.finding import Severity
from lora_repository.i18n import _, ngettext

if TYPE_CHECKING:
    from liveavatar_tui.full_check import Checked
    from liveavatar_tui.screens.version_messages import Detailed
    from lora_repository.proof import PartProof, Proof


def details(
    row: VersionRow,
    known: Detailed | None,
    checked: Checked | None,
    *,
    alone: bool = True,
    recorded: Mapping[str, str] | None = None,
) -> list[Paragraph]:
    """Everything about one version; `known` once it is proved, `checked` once every byte was read.

    `alone` where no other panel shows what is recorded of it; config.json is told where there is one. `recorded` are
    the SHA-256 that were published, by file.
    """
    proof = known.proof if known is not None else None
    findings = checked.findings if checked is not None else proof.findings if proof is not None else ()
    return spaced(
        [
            [paragraph(Content.styled(safe_text(row.name), "bold"))],
            [verdict_line(proof), *_read_whole(checked)],
            describe(findings),
            mends(known.mends if known is not None else ()),
            remarks(row) if alone else config(proof),
            *([part(one) for one in proof.parts] if proof is not None else []),
            files(row, checked.hashes if checked is not None else recorded or {}),
            [_muted(path_text(row.path))],
        ]
    )


def title(shown: int, there: int) -> Content:
    """The heading of the list: how many there are, and how many of them match."""
    name = _("Versions")
    if not there:
        return Content(name)
    count = f"{there:,}" if shown == there else _("{n} of {all}").format(n=f"{shown:,}", all=f"{there:,}")
    return Content.assemble(name, (f"  {count}", "not bold $muted"))


def filter_hint() -> str:
    """What can be typed."""
    return _("name, tag, note… or tag:calm  finding:error  channel:production  base:14b  -not")


def nothing(*, none_at_all: bool = True) -> list[Paragraph]:
    """For a repository without a version, or a filter that leaves none."""
    if not none_at_all:
        return [paragraph(_("No version matches. {key} shows all again.").format(key="esc"))]
    example = _("There is no version here yet. A version is a folder such as v1.0_product_demo with its files.")
    return [paragraph(example), paragraph(_("{key} makes one.").format(key="n"))]


def mends(titles: Sequence[str]) -> list[Paragraph]:
    """What could be mended at once, and by which key."""
    if not titles:
        return []
    head = paragraph(Content.styled(_("{key} mends this:").format(key="m"), "bold $text-success"))
    return [head, *(paragraph(safe_text(title), "  ✓ ") for title in titles)]


def remarks(row: VersionRow) -> list[Paragraph]:
    """Tags and note, where there are any."""
    tags = [_muted(" ".join(f"#{tag}" for tag in row.tags))] if row.tags else []
    return [*tags, *(paragraph(safe_text(line)) for line in row.note.splitlines())]


def config(proof: Proof | None) -> list[Paragraph]:
    """What config.json says, a key a line."""
    if proof is None or proof.config is None:
        return []
    said = proof.config.as_dict().items()
    lines = [(key, ", ".join(map(str, value)) if isinstance(value, list) else str(value)) for key, value in said]
    return [_muted(CONFIG_NAME), *(_pair(key, value) for key, value in lines)]


def _pair(key: str, value: str) -> Paragraph:
    return paragraph(safe_text(value), Content.styled(f"  {safe_text(key):16}", "$muted"))


def _read_whole(checked: Checked | None) -> list[Paragraph]:
    return [_muted(_("Every byte was read."), "  ")] if checked is not None else []


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


def verdict_line(proof: Proof | None) -> Paragraph:
    """Whether it would load, with sign, word and colour."""
    if proof is None:
        return _muted(_("Checking whether it would load…"))
    severity = worst(proof.findings)
    word, colour = verdict(severity)
    sign = "✗" if proof.errors else "✓"
    loads = _("would load on {base}") if proof.ok else _("would not load on {base}")
    return paragraph(loads.format(base=safe_text(proof.base)), Content.styled(f"{sign} {word}  ", f"bold {colour}"))


def part(proof: PartProof) -> list[Paragraph]:
    """One file: rank, strength, tensors, what of each target it covers."""
    target = _("video model") if proof.target == "dit" else _("text encoder")
    strength = _("rank {rank}, strength {strength:.3g} (alpha {alpha:g} / rank)")
    tensors = _("{matched} of {total} tensors match")
    covered = _("{name}: {adapted} of {total} linears adapted")
    return [
        paragraph(Content.assemble((safe_text(proof.file.name), "bold"), (f"  {target}", "$muted"))),
        paragraph(strength.format(rank=proof.rank, strength=proof.strength, alpha=proof.alpha), "  "),
        paragraph(tensors.format(matched=proof.matched, total=proof.total), "  "),
        *(
            paragraph(covered.format(name=safe_text(name), adapted=adapted, total=there), "  ")
            for name, (adapted, there) in proof.coverage.items()
        ),
    ]


def files(row: VersionRow, hashes: Mapping[str, str]) -> list[Paragraph]:
    """The files with their sizes, and their SHA-256 where it was computed."""
    count = len(row.files)
    head = [ngettext("{n} file", "{n} files", count).format(n=count), bytes_text(sum(fact.size for fact in row.files))]
    told = [_muted(", ".join([*head, day_text(row.changed)]))]
    for fact in row.files:
        size = (f"  {bytes_text(fact.size)}", "$muted")
        told.append(paragraph(Content.assemble(safe_text(fact.name), size), "  "))
        if fact.name in hashes:
            told.append(_muted(f"sha256 {hashes[fact.name]}", "    "))
    if row.files and not hashes:
        told.append(_muted(_("{key} reads every byte and hashes it").format(key="c"), "  "))
    return told
