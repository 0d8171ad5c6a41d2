"""Where the keys of the list of versions lead: history, trash, one version, two side by side, publishing, fetching.

Opens screens and dialogs, imported when they are first asked for. The screen says which version is meant.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.content import Content

from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.screens.deeds import Deeds
from lora_repository.finding import Finding, Problem
from lora_repository.i18n import _

if TYPE_CHECKING:
    from lora_repository.difference import Difference


class VersionWays(Deeds):
    """Mutable: remembers the version that is marked for a comparison."""

    host: str
    marked: str | None = None

    def select(self, name: str) -> None:
        """Put the cursor on a version, now or as soon as it is listed."""

    def show_mark(self, name: str | None) -> None:
        """Draw the mark."""

    def action_details(self) -> None:
        """Everything about the version."""
        from liveavatar_tui.screens.version import VersionScreen

        if (row := self.chosen()) is not None:
            self.app.push_screen(VersionScreen(self.desk, row, self.host))

    def action_history(self) -> None:
        """All switches of all channels."""
        from liveavatar_tui.screens.history import HistoryScreen

        self.app.push_screen(HistoryScreen(self.desk, self.host))

    def action_trash(self) -> None:
        """What was removed."""
        from liveavatar_tui.screens.trash import TrashScreen

        self.app.push_screen(TrashScreen(self.desk, self.host))

    def action_publish(self) -> None:
        """Make a version."""
        from liveavatar_tui.screens.publish import PublishScreen

        def made(name: str | None) -> None:
            if name is not None:
                self.select(name)

        self.app.push_screen(PublishScreen(self.desk, self.host), made)

    @work(thread=True, exclusive=True, exit_on_error=False, group="fetch", description="see what is not here")
    def action_fetch(self) -> None:
        """Bring what a channel names to this host."""
        try:
            reference = self.desk.unfetched()
        except Problem as problem:
            self.app.call_from_thread(self.tell, problem.finding)
        else:
            self.app.call_from_thread(self._ask_fetch, reference)

    def _ask_fetch(self, reference: str) -> None:
        from liveavatar_tui.screens.fetch import FetchDialog

        def answered(wanted: str | None) -> None:
            if wanted is not None:
                self._fetch(wanted)

        self.app.push_screen(FetchDialog(reference, self.desk.fetching), answered)

    def _fetch(self, reference: str) -> None:
        from liveavatar_tui.screens.progress import ProgressDialog, Tell

        def deed(tell: Tell) -> Path:
            return self.desk.deployment().fetch(reference, tell)

        dialog: ProgressDialog[Path] = ProgressDialog(_("Fetching"), Content(safe_text(reference)), deed)
        self.app.push_screen(dialog, self._fetched)

    def _fetched(self, found: Path | Finding | None) -> None:
        if isinstance(found, Finding):
            self.tell(found)
        elif found is None:
            self.say(_("The download was stopped; what has arrived is kept for the next time."))
        else:
            self.say(_("It is here: {path}").format(path=found))
        self.look_again()

    def action_copy_path(self) -> None:
        """Copy the path of the version."""
        if (row := self.chosen()) is not None:
            self.app.copy_to_clipboard(str(row.path))
            self.say(_("Copied: {path}").format(path=row.path))

    def action_mark(self) -> None:
        """Mark the first of two to compare; with the second, compare."""
        row = self.chosen()
        if row is None or row.name == self.marked:
            self.mark(None)
        elif self.marked is None:
            self.mark(row.name)
            told = _("{name} is marked. {key} on another version compares the two.")
            self.say(told.format(name=row.name, key="space"))
        else:
            first, self.marked = self.marked, None
            self.show_mark(None)
            self.compare(first, row.name)

    def compare(self, first: str, second: str) -> None:
        """Work the difference of two versions out, then show it."""
        from liveavatar_tui.screens.progress import ProgressDialog, Tell

        def deed(tell: Tell) -> Difference:
            return self.desk.deployment().difference(first, second, tell)

        def found(difference: Difference | Finding | None) -> None:
            if isinstance(difference, Finding):
                self.tell(difference)
            elif difference is not None:
                self._show_difference(difference)

        text = Content(safe_text(f"{first}\n{second}", multiline=True))
        dialog: ProgressDialog[Difference] = ProgressDialog(_("Comparing"), text, deed)
        self.app.push_screen(dialog, found)

    def _show_difference(self, difference: Difference) -> None:
        from liveavatar_tui.screens.compare import CompareScreen

        def answered(swap: bool | None) -> None:
            if swap:
                self.compare(difference.b.name, difference.a.name)

        self.app.push_screen(CompareScreen(difference, self.host), answered)

    def mark(self, name: str | None) -> None:
        """Mark this one, or none."""
        self.marked = name
        self.show_mark(name)
