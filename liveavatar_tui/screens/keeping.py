"""Values of earlier and forms under a name, for a form that can say what it holds and take another. Knows no field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual.binding import BindingType

from liveavatar_tui import draft as drafts
from liveavatar_tui import kept_inputs, keymap, keys
from liveavatar_tui.draft import Draft
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.screens.base import Place
from liveavatar_tui.screens.dialogs import AskValue, ChooseOne
from liveavatar_tui.widgets.quiet_input import QuietInput
from liveavatar_tui.widgets.rows import Rows
from lora_repository.finding import Problem
from lora_repository.i18n import _


class PresetList(ChooseOne):
    """The forms under a name; `x` takes one away at once, `u` brings the last one back."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.PRESETS)
    KEYS = keymap.PRESETS
    DEFAULT_CSS = ChooseOne.DEFAULT_CSS.replace("ChooseOne", "PresetList")

    def __init__(self, names: list[str], tell: Callable[[Problem], None]) -> None:
        super().__init__(_("Presets"), _("Forms that were kept under a name."), names, "")
        self._tell_problem = tell
        self._gone: list[tuple[str, Draft]] = []

    def action_remove(self) -> None:
        """Take the selected one away."""
        name = self.query_one(Rows).selected()
        if not name:
            return
        try:
            gone = kept_inputs.remove_preset(name)
        except Problem as problem:
            self._tell_problem(problem)
            return
        if gone is not None:
            self._gone.append((name, gone))
        self.offer(list(kept_inputs.read_presets()))

    def action_undo(self) -> None:
        """Bring the last one back."""
        if not self._gone:
            return
        name, draft = self._gone.pop()
        try:
            kept_inputs.save_preset(name, draft)
        except Problem as problem:
            self._tell_problem(problem)
            return
        self.offer(list(kept_inputs.read_presets()))


class Keeping(Place[None]):
    """Mutable: the history as it was read when the screen was opened, with what was launched since."""

    def __init__(self) -> None:
        super().__init__()
        self.history: kept_inputs.History = {}

    def draft(self) -> Draft:
        """What the form holds."""
        raise NotImplementedError

    def take(self, draft: Draft) -> None:
        """Put this into the form."""
        raise NotImplementedError

    def offered(self) -> list[tuple[str, str]]:
        """What can be put on top of the stack: words and reference."""
        raise NotImplementedError

    def read_history(self) -> None:
        """Look up what was typed before; a file that cannot be read is told, and the form works without."""
        try:
            self.history = kept_inputs.read_history()
        except Problem as problem:
            self.history = {}
            self.tell(problem.finding)

    def remember(self, draft: Draft) -> None:
        """Keep what is launched."""
        try:
            kept_inputs.remember(draft)
        except Problem as problem:
            self.tell(problem.finding)
            return
        self.read_history()

    def action_earlier(self) -> None:
        """Choose among earlier values of the field that has the cursor."""
        field = self.focused
        earlier = self.history.get(field.id or "", []) if isinstance(field, QuietInput) else []
        if not isinstance(field, QuietInput) or not earlier:
            self.say(_("This field has no earlier values."))
            return

        def chosen(value: str | None) -> None:
            if value is not None:
                field.value = value

        self.app.push_screen(ChooseOne(_("Earlier"), _("What was typed here before."), earlier, field.value), chosen)

    def action_save_preset(self) -> None:
        """Ask for a name, and keep the form under it."""
        text = _("A name for this form. A preset of that name is replaced.")
        self.app.push_screen(AskValue(_("Save a preset"), text, "", _judge_name), self._save)

    def _save(self, name: str | None) -> None:
        if name is None:
            return
        try:
            kept_inputs.save_preset(name, self.draft())
        except Problem as problem:
            self.tell(problem.finding)
            return
        self.say(_("Kept as {name}.").format(name=name))

    def action_load_preset(self) -> None:
        """Choose a form by its name."""
        try:
            presets = kept_inputs.read_presets()
        except Problem as problem:
            self.tell(problem.finding)
            return
        if not presets:
            self.say(_("No preset yet: {key} keeps this form under a name.").format(key="^s"))
            return

        def chosen(name: str | None) -> None:
            if name:
                self.take(kept_inputs.read_presets()[name])

        self.app.push_screen(PresetList(list(presets), lambda problem: self.tell(problem.finding)), chosen)

    def action_stack(self) -> None:
        """Put one more adapter on top of those chosen."""
        words = {safe_text(told): reference for told, reference in self.offered() if reference != drafts.BASE_ALONE}

        def chosen(told: str | None) -> None:
            if told is not None:
                draft = self.draft()
                below = [draft.version] if draft.version != drafts.BASE_ALONE else []
                self.take(replace(draft, version=drafts.STACKED.join([*below, words[told]])))

        text = _("Applied after those that are chosen already.")
        self.app.push_screen(ChooseOne(_("One more on top"), text, list(words), ""), chosen)


def _judge_name(name: str) -> str | None:
    if not name:
        return _("a preset needs a name")
    return None if safe_text(name) == name and len(name) <= 60 else _("at most 60 characters that can be shown")
