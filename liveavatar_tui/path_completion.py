"""How a path that somebody types may go on: the first name in its folder that begins so. Knows no widget."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import Final

from liveavatar_tui.safe_text import safe_text

_MOST: Final = 5000  # names of one folder; more would make typing wait


def complete_path(typed: str) -> str | None:
    """`typed` with the rest of the first name that fits, folders with their slash; None where nothing does.

    Hidden names are offered to who types their dot; a name that cannot be shown as it is never is.
    """
    folder, slash, begun = typed.rpartition("/")
    if not typed.strip() or (not slash and not begun):
        return None
    try:
        place = Path(f"{folder}{slash}" or ".").expanduser()
        with os.scandir(place) as entries:
            fitting = sorted(entry.name for entry in islice(entries, _MOST) if _fits(entry.name, begun))
            if not fitting:
                return None
            is_folder = (place / fitting[0]).is_dir()
    except (OSError, RuntimeError, ValueError):  # the home of nobody; a path with a null
        return None
    return f"{folder}{slash}{fitting[0]}{'/' if is_folder else ''}"


def _fits(name: str, begun: str) -> bool:
    shown = name.startswith(begun) and name != begun and safe_text(name) == name
    return shown and (begun.startswith(".") or not name.startswith("."))
