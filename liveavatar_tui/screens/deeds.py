"""What can be done with the selected version from several screens: switch, promote, go back, undo, mend, check, remove.

Asks in dialogs, does in workers, says what was done. Knows no file: `VersionDesk` does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.content import Content

from liveavatar_tui.catalogue import VersionRow
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.screens.base import Place
from liveavatar_tui.version_desk import VersionDesk
from lora_repository.finding import Finding, Problem
from lora_repository.i18n import _, ngettext

if TYPE_CHECKING:
    from liveavatar_tui.full_check import Checked
    from liveavatar_tui.screens.switch import Decision
    from liveavatar_tui.switch_plan import SwitchPlan


class Deeds(Place[None]):
    """A screen with a selected version. Subclasses say which it is, and look again after something was done."""

    desk: VersionDesk

    def chosen(self) -> VersionRow | None:
        """The version that is meant."""
        return None

    def look_again(self) -> None:
        """Something was changed: read it anew."""

    def keep_check(self, name: str, checked: Checked) -> None:
        """A full check has ended."""

    # Channels.

    def action_activate(self) -> None:
        """Choose a channel for the version."""
        from liveavatar_tui.switch_plan import plan_moves

        if (row := self.chosen()) is not None:
            title = _("Switch to {name}").format(name=safe_text(row.name))
            self.ask_switch(title, lambda: plan_moves(self.desk.deployment(), row.name))

    def action_promote(self) -> None:
        """Point production at what staging is."""
        from liveavatar_tui.switch_plan import plan_promotion

        self.ask_switch(_("Promote staging"), lambda: plan_promotion(self.desk.deployment()))

    def action_rollback(self) -> None:
        """Choose a channel to take one step back."""
        from liveavatar_tui.switch_plan import plan_steps_back

        self.ask_switch(_("One step back"), lambda: plan_steps_back(self.desk.deployment()))

    def ask_switch(self, title: str, look: Callable[[], Sequence[SwitchPlan]]) -> None:
        """Show what a switch would mean; do it when it is confirmed."""
        from liveavatar_tui.screens.switch import SwitchDialog

        def answered(decision: Decision | None) -> None:
            if decision is not None:
                self._switch(*decision)

        self.app.push_screen(SwitchDialog(title, look), answered)

    @work(thread=True, exit_on_error=False, group="switch", description="switch a channel")
    def _switch(self, plan: SwitchPlan, reason: str) -> None:
        from liveavatar_tui.screens.switch_text import switched

        self.do(lambda: switched(self.desk.switch(plan, reason)))

    @work(thread=True, exit_on_error=False, group="switch", description="undo")
    def action_undo(self) -> None:
        """Take back what was done last here, at once."""
        nothing = _("Nothing was done here that could be taken back. {key} goes back to any earlier switch.")
        self.do(lambda: self.desk.undo() or nothing.format(key="h"))

    # The version itself.

    @work(thread=True, exit_on_error=False, group="switch", description="remove a version")
    def action_remove(self) -> None:
        """Move the version to the trash, at once: it can be brought back."""
        if (row := self.chosen()) is not None:
            told = _("{name} is in the trash. {key} brings it back.")
            self.do(lambda: told.format(name=self.desk.remove(row.name).name, key="u"))

    @work(thread=True, exclusive=True, exit_on_error=False, group="mend", description="see what can be mended")
    def action_mend(self) -> None:
        """Show what would be mended, and do it when it is confirmed."""
        from liveavatar_tui.mending import mendable

        if (row := self.chosen()) is None:
            return
        try:
            titles = mendable(row.path)
        except Problem as problem:
            self.app.call_from_thread(self.tell, problem.finding)
            return
        self.app.call_from_thread(self._ask_mend, row, titles)

    def _ask_mend(self, row: VersionRow, titles: Sequence[str]) -> None:
        from liveavatar_tui.screens.dialogs import Question

        if not titles:
            self.say(_("Nothing of {name} can be mended without a doubt.").format(name=row.name))
            return
        lines = [Content("✓ " + safe_text(title)) for title in titles]
        after = Content.styled(
            _("What shows itself after that is mended as well. Tensors are never touched."), "$muted"
        )
        dialog = Question(
            _("Mend {name}").format(name=safe_text(row.name)), Content("\n").join([*lines, Content(""), after])
        )

        def answered(yes: bool | None) -> None:
            if yes:
                self._mend(row.path)

        self.app.push_screen(dialog, answered)

    @work(thread=True, exit_on_error=False, group="mend", description="mend a version")
    def _mend(self, path: Path) -> None:
        from liveavatar_tui.mending import mend

        def done() -> str:
            titles = mend(path)
            told = ngettext("{n} thing is mended: {what}", "{n} things are mended: {what}", len(titles))
            return told.format(n=len(titles), what=" ".join(titles))

        self.do(done)

    def action_check(self) -> None:
        """Read every byte of the version."""
        from liveavatar_tui.screens.progress import ProgressDialog, Tell

        if (row := self.chosen()) is None:
            return

        def deed(tell: Tell) -> Checked:
            from liveavatar_tui.full_check import full_check
            from liveavatar_tui.proving import prover_for

            deployment = self.desk.deployment()
            found = full_check(row.path, prover_for(self.desk.settings.ckpt_dir), deployment.repository.state, tell)
            return found.told(deployment.same_as(row.name, found.hashes))

        text = _("Every byte of {name} is read: hashes, NaN, infinity, nothing but zeros.").format(name=row.name)
        dialog: ProgressDialog[Checked] = ProgressDialog(_("Full check"), safe_text(text), deed)
        self.app.push_screen(dialog, lambda found: self._checked(row.name, found))

    def _checked(self, name: str, found: Checked | Finding | None) -> None:
        if isinstance(found, Finding):
            self.tell(found)
        elif found is None:
            self.say(_("The check was stopped."))
        else:
            told = _("✓ Every byte of {name} is as it should be.") if found.ok else _("✗ {name} has errors.")
            self.say(told.format(name=name))
            self.keep_check(name, found)

    def do(self, deed: Callable[[], str]) -> None:
        """From a worker: do it, say it, and look again in any case, for another operator may have been faster."""
        try:
            told = deed()
        except Problem as problem:
            self.app.call_from_thread(self.tell, problem.finding)
        else:
            self.app.call_from_thread(self.say, told)
        self.app.call_from_thread(self.look_again)
