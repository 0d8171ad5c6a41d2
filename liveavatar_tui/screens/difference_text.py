"""Two versions side by side in words: configs, coverage, strength, cosine, and where they differ. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from textual.content import Content

from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.screens.heat_text import maps
from liveavatar_tui.screens.version_text import verdict_line
from liveavatar_tui.widgets.paragraphs import Paragraph, paragraph, spaced
from lora_repository.difference import Difference, ModuleDifference, PartDifference, What
from lora_repository.i18n import N_, _

TURNS: Final[tuple[What, ...]] = ("distance", "cosine", "a", "b")
"""The maps, in the order in which they are turned over."""
_NAMES: Final[dict[What, str]] = {
    "distance": N_("How far apart"),
    "cosine": N_("Cosine of both updates"),
    "a": N_("Strength of the first"),
    "b": N_("Strength of the second"),
}
_LABEL: Final = 14


def described(found: Difference, what: What, width: int) -> list[Paragraph]:
    """Everything, with the map of `what` for each part."""
    blocks = [_heads(found), _config(found)]
    for part in found.parts:
        blocks.append(_part(part))
        blocks += maps(part.heat_maps(what), _(_NAMES[what]), width)
    return spaced(blocks)


def _heads(found: Difference) -> list[Paragraph]:
    told = []
    for sign, side in (("A ", found.a), ("B ", found.b)):
        told.append(paragraph(Content.styled(safe_text(side.name), "bold"), Content.styled(sign, "bold $primary")))
        verdict = verdict_line(side.proof)
        told.append(paragraph(verdict.body, Content("  ") + verdict.lead))
    return told


def _config(found: Difference) -> list[Paragraph]:
    if not found.config:
        return [_muted(_("config.json says the same in both."))]
    head = _muted(_("config.json differs:"))
    return [head, *(_line(one.key, [one.a or "–", one.b or "–"]) for one in found.config)]


def _part(part: PartDifference) -> list[Paragraph]:
    name = _("Video model") if part.target == "dit" else _("Text encoder")
    told = [
        paragraph(Content.styled(name, "bold")),
        _line(_("rank"), [_shown(side) for side in part.rank]),
        _line(_("strength"), [_shown(side) for side in part.strength]),
    ]
    for covered in part.coverage:
        told.append(_line(covered.target, [_of(side, covered.total) for side in (covered.a, covered.b)]))
    return [*told, *_total(part.total, relative=part.relative)]


def _total(total: ModuleDifference, *, relative: bool) -> list[Paragraph]:
    sizes = [total.relative_a, total.relative_b] if relative else [total.a, total.b]
    told = [_line(_("change in all"), [_size(side, relative=relative) for side in sizes])]
    if total.cosine is not None:
        told.append(_line(_("cosine"), [f"{total.cosine:.3f}  {_alike(total.cosine)}"]))
    return told


def _alike(cosine: float) -> str:
    """A cosine in words."""
    if cosine > 0.95:
        return _("nearly the same direction")
    if cosine > 0.5:
        return _("much alike")
    if cosine > 0.1:
        return _("somewhat alike")
    return _("unrelated") if cosine > -0.1 else _("against each other")


def _size(value: float | None, *, relative: bool) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.2f} %" if relative else f"{value:.3g}"


def _of(part: int | None, total: int) -> str:
    return "–" if part is None else f"{part} / {total}"


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _line(label: str, values: Sequence[str]) -> Paragraph:
    """`rank   4  →  8`; one value alone where both agree."""
    name = Content.styled(safe_text(label)[:_LABEL].ljust(_LABEL) + "  ", "$muted")
    if len(values) == 1 or values[0] == values[1]:
        return paragraph(safe_text(values[0]), Content("  ") + name)
    arrow = Content.styled("  →  ", "$muted")
    return paragraph(
        Content(safe_text(values[0])) + arrow + Content.styled(safe_text(values[1]), "bold"), Content("  ") + name
    )


def _muted(text: str) -> Paragraph:
    return paragraph(Content.styled(safe_text(text), "$muted"))
