"""What stands greyed behind the cursor of a field: a value of earlier, or a path that goes on. Right takes it over.

Knows no form: where earlier values come from is handed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from textual.suggester import Suggester

from liveavatar_tui.path_completion import complete_path

Earlier = Callable[[], Sequence[str]]
"""Values of earlier, newest first."""


class EarlierSuggester(Suggester):
    """The newest earlier value that begins with what is typed; else, for `paths`, what lies on the disk."""

    def __init__(self, earlier: Earlier, *, paths: bool = False) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._earlier = earlier
        self._paths = paths

    async def get_suggestion(self, value: str) -> str | None:
        fitting = next((one for one in self._earlier() if value and one.startswith(value) and one != value), None)
        if fitting is not None or not self._paths:
            return fitting
        return await asyncio.to_thread(complete_path, value)
