"""Suggests the rest of a path while it is typed: the first folder, or file that ends as wanted, that goes on so."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from textual.suggester import Suggester


class PathSuggester(Suggester):
    """`ending` of the files that are offered; folders always are. What is no path gets no suggestion."""

    def __init__(self, ending: str) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._ending = ending

    async def get_suggestion(self, value: str) -> str | None:
        if not value.startswith(("/", "./", "../", "~/")):
            return None
        # A folder on a slow server must not hold a key up.
        return await asyncio.to_thread(self._first, value)

    def _first(self, value: str) -> str | None:
        typed, _slash, start = value.rpartition("/")
        try:
            with os.scandir(Path(f"{typed}/").expanduser()) as entries:
                names = [self._offered(entry) for entry in entries if entry.name.startswith(start)]
        except (OSError, RuntimeError, ValueError):
            return None
        best = min((name for name in names if name is not None and name.isprintable()), default=None)
        return None if best is None or best == start else f"{typed}/{best}"

    def _offered(self, entry: os.DirEntry[str]) -> str | None:
        if entry.is_dir():
            return f"{entry.name}/"
        return entry.name if entry.name.endswith(self._ending) else None
