"""Settings in words: a line for each, and all about one. Pure functions; knows no file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from liveavatar_tui.quantities import path_text
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.setting_facts import SettingFact, as_written, value_text
from liveavatar_tui.settings import Origin, Settings, Source
from liveavatar_tui.widgets.paragraphs import Paragraph, paragraph, spaced
from liveavatar_tui.widgets.rows import Line
from lora_repository.i18n import N_, _

_ORIGIN: Final = 34
_LEAD: Final = 12
_WORD: Final = {
    Source.FLAG: N_("flag"),
    Source.ENVIRONMENT: N_("environment"),
    Source.FILE: N_("file"),
    Source.DEFAULT: N_("default"),
}
_COLOUR: Final = {
    Source.FLAG: "$text-warning",
    Source.ENVIRONMENT: "$text-warning",
    Source.FILE: "$muted",
    Source.DEFAULT: "$faint",
}


def lines(settings: Settings, facts: Sequence[SettingFact]) -> list[Line]:
    """A line for each setting: key, value, where it comes from."""
    widest = max(len(fact.key) for fact in facts)
    origins = min(_ORIGIN, max(cell_len(_short(settings.origins[fact.key])) for fact in facts))
    return [Line(fact.key, partial(_line, settings, fact, widest, origins)) for fact in facts]


def _line(settings: Settings, fact: SettingFact, keys: int, origins: int, width: int) -> Content:
    origin = settings.origins[fact.key]
    room = max(8, width - keys - 6 - min(origins, width * 2 // 5))
    value = _shown(value_text(settings, fact.key))
    shown = set_cell_size(value, room) if cell_len(value) <= room else set_cell_size(value, room - 1) + "…"
    colour = "$faint" if origin.source is Source.DEFAULT else ""
    section, dot, leaf = fact.key.rpartition(".")
    key = Content.assemble((section + dot, "$muted"), leaf, " " * (keys - len(fact.key)))
    return Content.assemble(" ", key, "  ", (shown, colour), "  ", (_short(origin), _COLOUR[origin.source]))


def _shown(value: str) -> str:
    """A path with the home folder as `~`; anything else as it is."""
    return safe_text(path_text(Path(value)) if value.startswith("/") else value)


def _short(origin: Origin) -> str:
    """The file by its name and line; a variable and a flag as they are written."""
    if origin.source is Source.FILE:
        return f"{Path(origin.name).name}:{origin.line}"
    return str(origin)


def details(settings: Settings, fact: SettingFact) -> list[Paragraph]:
    """All about one setting."""
    origin = settings.origins[fact.key]
    place = path_text(Path(origin.name)) + f":{origin.line}" if origin.source is Source.FILE else str(origin)
    facts = [
        (_("value"), Content(_shown(value_text(settings, fact.key)))),
        (_("from"), Content(safe_text(f"{_(_WORD[origin.source])}  {place}" if place != _("default") else place))),
        (_("default"), Content(safe_text(as_written(fact.default)))),
        (_("variable"), Content(fact.variable)),
    ]
    if fact.choices:
        facts.append((_("can be"), Content(", ".join(fact.choices))))
    told = [paragraph(fact.meaning)]
    if fact.is_channel:
        told.append(paragraph(Content.styled(_("Switched on the versions screen."), "$primary")))
    return spaced([told, [paragraph(value, _lead(name)) for name, value in facts]])


def _lead(name: str) -> Content:
    return Content.styled(set_cell_size(name, _LEAD), "$muted")
