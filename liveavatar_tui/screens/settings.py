"""Every setting with its value and where it comes from; edits go into config.yaml, whose comments stay.

Channels are shown and not edited: they are switched on the versions screen, which keeps a history. Knows no YAML.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import ClassVar

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from liveavatar_tui import keymap, keys
from liveavatar_tui.config_file import Edit, take_back, write_setting
from liveavatar_tui.messages import SettingsChanged
from liveavatar_tui.paths import user_config_file
from liveavatar_tui.quantities import path_text
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.screens import settings_text
from liveavatar_tui.screens.base import Place
from liveavatar_tui.setting_facts import SettingFact, as_written, setting_facts, typed, value_text
from liveavatar_tui.settings import Settings, Source, reload_settings
from liveavatar_tui.widgets.bars import KeyBar, TitleBar
from liveavatar_tui.widgets.paragraphs import Paragraphs
from liveavatar_tui.widgets.rows import Rows
from lora_repository.finding import Problem
from lora_repository.i18n import _


class SettingsScreen(Place[None]):
    """Mutable: the settings in force, and the edits that can be taken back, oldest first."""

    KEYS = keymap.SETTINGS
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.SETTINGS)
    CSS_PATH = "settings.tcss"
    AUTO_FOCUS = "#settings"

    def __init__(self, settings: Settings, host: str) -> None:
        super().__init__()
        self._settings = settings
        self._host = host
        self._edits: list[Edit] = []
        self._facts: dict[str, SettingFact] = {}

    def compose(self) -> ComposeResult:
        yield TitleBar("settings", self._host)
        with Vertical(id="settings-places"):
            with Vertical(id="settings-panel", classes="panel") as panel:
                panel.border_title = Content(_("Settings"))
                yield Rows(id="settings")
            with VerticalScroll(id="setting-panel", classes="panel", can_focus=False):
                yield Paragraphs(id="setting")
        yield KeyBar(self.KEYS, keymap.APP)

    def on_mount(self) -> None:
        self._draw()

    def on_screen_resume(self) -> None:
        """The file may have been edited elsewhere, or a channel switched."""
        self._take(self._reloaded() or self._settings)

    def _draw(self) -> None:
        self._facts = {fact.key: fact for fact in setting_facts()}
        self.query_one("#settings", Rows).show(settings_text.lines(self._settings, tuple(self._facts.values())))
        self.query_one("#settings-panel").border_subtitle = Content(safe_text(path_text(self._file())))
        self._describe()

    @on(Rows.Moved)
    def _describe(self) -> None:
        fact = self._fact()
        self.query_one("#setting-panel").border_title = Content(fact.key)
        self.query_one("#setting", Paragraphs).show(settings_text.details(self._settings, fact))

    def _fact(self) -> SettingFact:
        return self._facts[self.query_one("#settings", Rows).selected() or next(iter(self._facts))]

    def _file(self) -> Path:
        return self._settings.file or user_config_file()

    # --- edits

    @on(Rows.Chosen)
    def action_edit(self) -> None:
        """Ask for another value, and write it down."""
        from liveavatar_tui.screens.dialogs import AskValue, ChooseOne

        fact = self._fact()
        if fact.is_channel:
            self.say(_("Channels are switched on the versions screen, where a history is kept and the way back is."))
            return
        value = value_text(self._settings, fact.key)
        if fact.choices:
            self.app.push_screen(ChooseOne(fact.key, fact.meaning, fact.choices, value), partial(self._set, fact.key))
            return
        dialog = AskValue(fact.key, fact.meaning, "" if value == "null" else value, partial(_judge, fact.key))
        self.app.push_screen(dialog, partial(self._set, fact.key))

    def action_default(self) -> None:
        """Write the default down."""
        fact = self._fact()
        if not fact.is_channel:
            self._set(fact.key, as_written(fact.default) if fact.default is not None else "")

    def _set(self, key: str, text: str | None) -> None:
        if text is None or (text or "null") == value_text(self._settings, key):
            return
        try:
            self._edits.append(write_setting(self._file(), key, typed(key, text)))
        except Problem as problem:
            self.tell(problem.finding)
            return
        self._take(self._reloaded())
        origin = self._settings.origins[key]
        if origin.source in (Source.FLAG, Source.ENVIRONMENT):
            told = _("Written to the file, but {origin} decides while it is set.")
            self.say(told.format(origin=origin))

    def action_undo(self) -> None:
        """Take the last edit back."""
        if not self._edits:
            self.say(_("Nothing was changed here that could be taken back."))
            return
        try:
            take_back(self._edits.pop())
        except Problem as problem:
            self.tell(problem.finding)
            return
        self._take(self._reloaded())

    def _reloaded(self) -> Settings | None:
        """What is in force by now; None, and told, where the file cannot be read."""
        there = self._settings.file is not None and self._settings.file.exists()
        try:
            return reload_settings(self._settings if there else replace(self._settings, file=None))
        except Problem as problem:
            self.tell(problem.finding)
            return None

    def _take(self, settings: Settings | None) -> None:
        if settings is None or settings == self._settings:
            return
        before, self._settings = self._settings, settings
        self._draw()
        self.post_message(SettingsChanged(before, settings))

    async def speak_again(self) -> None:
        """Draw everything in the language in force."""
        selected = self.query_one("#settings", Rows).selected()
        await self.recompose()
        self._draw()
        rows = self.query_one("#settings", Rows)
        rows.select(selected or "")
        rows.focus()


def _judge(key: str, text: str) -> str | None:
    """What is wrong with a typed value."""
    try:
        typed(key, text)
    except Problem as problem:
        return problem.finding.message
    return None
