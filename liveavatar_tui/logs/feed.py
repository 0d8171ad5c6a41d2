"""A log as a screen needs it: the file, the numbers of its lines, the searches that run in it. Polled by one thread.

Knows no screen. Mutable.
"""

from __future__ import annotations

from pathlib import Path

from liveavatar_tui.logs.line_numbers import LineNumbers
from liveavatar_tui.logs.log_file import LogFile
from liveavatar_tui.logs.query import Query
from liveavatar_tui.logs.search import Search


class LogFeed:
    """The log at `path`, which need not exist."""

    def __init__(self, path: Path) -> None:
        self.file = LogFile(path)
        self.numbers = LineNumbers(self.file)
        self._searches: list[Search] = []
        self.file.look()  # the end of the log is in the first picture

    def poll(self) -> bool:
        """Look at the file once, and at what is sought in it; True when anything that is shown may have changed."""
        changed = self.file.look()
        changed |= self.numbers.poll()
        for search in tuple(self._searches):
            changed |= search.poll()
        return changed

    def seek(self, query: Query, origin: int) -> Search:
        """Begin a search; end it with `give_up`."""
        search = Search(self.file, query, origin)
        self._searches.append(search)
        return search

    def give_up(self, search: Search | None) -> None:
        """End a search, if there is one."""
        if search is not None:
            search.close()
            self._searches.remove(search)

    def close(self) -> None:
        """End every search."""
        for search in tuple(self._searches):
            self.give_up(search)
