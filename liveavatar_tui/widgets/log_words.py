"""What a log's view says of itself: its length, where one is, what is left out and sought. Pure; knows no widget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from liveavatar_tui.logs.layout import Row
from liveavatar_tui.logs.levels import Level
from liveavatar_tui.logs.search import Pace, Search
from liveavatar_tui.logs.viewport import Viewport
from liveavatar_tui.quantities import path_text
from liveavatar_tui.safe_text import safe_text
from lora_repository.i18n import N_, _, ngettext

_LEVELS = {Level.WARNINGS: N_("warnings and errors only"), Level.ERRORS: N_("errors only")}
_DOT = " · "


def title(port: Viewport) -> str:
    """`Log`, its lines once they are counted, and what is left out."""
    numbers = port.feed.numbers
    parts = [_("Log")]
    if numbers.total and (numbers.complete or port.follow):
        parts.append(ngettext("{n} line", "{n} lines", numbers.total).format(n=f"{numbers.total:,}"))
    if port.filtering is not None:
        kept = ngettext("{n} line", "{n} lines", len(port.filtering)).format(n=_count(port.filtering))
        parts.append(_(_LEVELS[port.level]) + f" ({kept})")
    return _DOT.join(parts)


def place(port: Viewport, rows: Sequence[Row]) -> str:
    """Where the view is when it does not follow, how much has come since, how to follow again."""
    parts = [_("wrapped")] if port.wrap else []
    if not port.follow:
        number = port.feed.numbers.number(rows[0].place.offset) if rows else None
        if number is not None:
            parts.append(_("from line {n}").format(n=f"{number + 1:,}"))
        fresh = port.fresh
        parts.append(ngettext("{n} new line", "{n} new lines", fresh).format(n=f"{fresh:,}") if fresh else _("paused"))
        parts.append(_("f follows"))
    return _DOT.join(parts)


def sought(port: Viewport) -> str:
    """How a search stands."""
    search = port.sought
    if search is None:
        return ""
    if search.pace is Pace.SLOW:
        return _("This expression takes too long on this log.")
    if search.pace is Pace.BROKEN:
        return _("The search has ended before its time.")
    count = ngettext("{n} line", "{n} lines", len(search)).format(n=_count(search))
    if port.rank is not None:
        count = _("{n} of {total}").format(n=f"{port.rank:,}", total=_count(search))
    if search.pace is Pace.LOOKING:
        return f"{count}{_DOT}{search.share:.0%}"
    return count if len(search) else _("nowhere")


def copied(lines: int, characters: int) -> str:
    """What was copied."""
    told = ngettext("Copied {n} line, {count} characters.", "Copied {n} lines, {count} characters.", lines)
    return told.format(n=lines, count=f"{characters:,}")


def no_pager(path: Path, command: Sequence[str] | None) -> str:
    """Why there is nothing to page through, or nothing to page with."""
    if command is None:
        return _("No pager is installed; name one in $PAGER. The log is {path}.").format(
            path=safe_text(path_text(path))
        )
    return _("There is no log yet.")


def _count(search: Search) -> str:
    return f"{len(search):,}" + ("+" if search.pace is Pace.FULL else "")
