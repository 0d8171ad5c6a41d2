"""The full-screen app: registers the places, the themes and the keys, and holds the terminal in good order.

Knows no use-case: screens do the work. Opened by `liveavatar_tui.app`; imports neither torch nor Pillow nor numpy.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.command import CommandInput, CommandList, CommandPalette
from textual.content import Content
from textual.filter import LineFilter
from textual.reactive import Reactive
from textual.screen import Screen
from textual.theme import Theme, ThemeProvider
from textual.widgets.option_list import Option

from liveavatar_tui import keymap, keys
from liveavatar_tui.messages import GenerateWith, OpenJob, RepeatJob, SettingsChanged, ShowVersion
from liveavatar_tui.screens.home import HomeScreen
from liveavatar_tui.settings import Settings
from liveavatar_tui.terminal.flow import ASK, Flow
from liveavatar_tui.terminal.guard import TerminalGuard
from liveavatar_tui.terminal.line_filter import ColourlessFilter, ControlFilter
from liveavatar_tui.terminal.probe import Abilities
from liveavatar_tui.theme import DARK, THEMES, chosen
from lora_repository.i18n import _, set_language

if TYPE_CHECKING:
    from liveavatar_tui.draft import Draft
    from liveavatar_tui.screens.generate import Examine


class QuietPalette(CommandPalette):
    """Textual's palette in the language in force, without a blinking cursor: an idle terminal is sent nothing."""

    def on_mount(self) -> None:
        self.query_one(CommandInput).cursor_blink = False

    def _start_no_matches_countdown(self, search_value: str) -> None:
        """Textual's own, but for its English words."""
        self._stop_no_matches_countdown()
        tell = partial(self._tell_no_match, search_value)
        self._no_matches_timer = self.set_timer(self._NO_MATCHES_COUNTDOWN, tell)

    def _tell_no_match(self, sought: str) -> None:
        if sought:
            none = Option(Content(_("Nothing of that name.")), id=self._NO_MATCHES, disabled=True)
            self.query_one(CommandList).add_option(none)
        self._list_visible = bool(sought)


class LiveAvatarApp(App[int]):
    """`host` stands in the title bar, None asks the system; `examine` is the preflight, None the product's own.

    `painted` is called once, after the first paint. `abilities` is what the terminal told of itself.
    """

    TITLE = "Live Avatar"
    # The first screen's sheet with the app's: a sheet that comes later makes Textual read all of them again.
    CSS_PATH = ["full_screen.tcss", "screens/home.tcss"]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keymap.APP)
    DEFAULT_MODE = "home"
    theme = Reactive(DARK.name)
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        settings: Settings,
        *,
        host: str | None = None,
        examine: Examine | None = None,
        painted: Callable[[], object] = lambda: None,
        abilities: Abilities = Abilities(),  # noqa: B008  frozen
    ) -> None:
        super().__init__()
        self._examine = examine
        self._on_painted = painted
        self._kept: Draft | None = None  # the form, while its screen is made anew
        self.animation_level = "none"
        self.settings = settings
        self.abilities = abilities
        self.flow = Flow(self._ask_terminal)
        self.set_reactive(LiveAvatarApp.theme, chosen(settings.theme, self.console.color_system).name)
        self.host = host or socket.gethostname()
        for name, build in self._places().items():
            self.add_mode(name, build)

    def _ask_terminal(self) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(ASK)
        else:
            self.flow.hear()

    def on_cursor_position(self) -> None:
        """The terminal has taken in what was sent before it was asked."""
        self.flow.hear()

    def _places(self) -> dict[str, Callable[[], Screen[None]]]:
        return {
            "home": self._home_screen,
            "versions": self._repository_screen,
            "generate": self._generate_screen,
            "jobs": self._jobs_screen,
            "settings": self._settings_screen,
        }

    def _home_screen(self) -> Screen[None]:
        return HomeScreen(self.settings, self.host)

    def _repository_screen(self) -> Screen[None]:
        from liveavatar_tui.screens.repository import RepositoryScreen

        return RepositoryScreen(self.settings, self.host)

    def _generate_screen(self) -> Screen[None]:
        from liveavatar_tui.screens.generate import GenerateScreen

        return GenerateScreen(self.settings, self.host, self._examine, self._kept)

    def _jobs_screen(self) -> Screen[None]:
        from liveavatar_tui.screens.jobs import JobsScreen

        return JobsScreen(self.settings, self.host)

    def _settings_screen(self) -> Screen[None]:
        from liveavatar_tui.screens.settings import SettingsScreen

        return SettingsScreen(self.settings, self.host)

    @property
    def available_themes(self) -> dict[str, Theme]:
        """Textual's themes and ours: ours are known before the first style sheet is read, so it is read once."""
        return super().available_themes | {theme.name: theme for theme in THEMES}

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own variables, for themes that are not ours: greys that can be read on light and on dark."""
        return {"muted": "#7f8993", "faint": "#6b747d", "production": "#14181d"}

    def get_line_filters(self) -> Sequence[LineFilter]:
        colourless = [ColourlessFilter()] if self.no_color else []
        return [*super().get_line_filters(), *colourless, ControlFilter()]

    def on_mount(self) -> None:
        self.call_after_refresh(self._on_painted)
        if self.is_headless:
            return
        TerminalGuard(lambda code: self.exit(code, return_code=code)).install()
        self._take_typed()

    def _take_typed(self) -> None:
        """Keys that were pressed while the terminal was asked what it can show."""
        if not self.abilities.typed:
            return
        from textual._xterm_parser import XTermParser

        for event in XTermParser().feed(self.abilities.typed.decode("utf-8", "ignore")):
            self.post_message(event)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        for key in (*keymap.APP, *getattr(screen, "KEYS", ())):
            if key.action != "app.command_palette":
                yield SystemCommand(_(key.label), _(key.tip), lambda action=key.action: self._run_later(screen, action))
        yield SystemCommand(_("Theme"), _("Change the colours"), self.action_change_theme)

    def _run_later(self, screen: Screen[object], action: str) -> None:
        self.call_later(self.run_action, action.removeprefix("screen."), screen if "screen." in action else self)

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(QuietPalette(placeholder=_("Find a command…"), id="--command-palette"))

    def search_themes(self) -> None:
        """Choose a theme by its name."""
        self.push_screen(QuietPalette(providers=[ThemeProvider], placeholder=_("Find a theme…")))

    async def action_go(self, place: str) -> None:
        """Switch to one of the places; each keeps its state. From a job to the list of jobs, if need be."""
        await self.switch_mode(place)
        while len(self.screen_stack) > 1:
            await self.pop_screen()

    def action_help_quit(self) -> None:
        """Ctrl+C: say how to leave, since it copies in a field and would end a long session by mistake."""
        self.notify(_("Press {key} to leave the app; running jobs go on.").format(key="^q"), markup=False)

    def action_help(self) -> None:
        from liveavatar_tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    async def on_generate_with(self, message: GenerateWith) -> None:
        from liveavatar_tui.screens.generate import GenerateScreen

        await self.switch_mode("generate")
        if isinstance(self.screen, GenerateScreen):
            self.screen.choose(message.version)

    async def on_settings_changed(self, message: SettingsChanged) -> None:
        """Places that are open hold the settings that they were made with: they are made anew when next asked for."""
        from liveavatar_tui.screens.settings import SettingsScreen

        self.settings = message.after
        if message.before.theme != message.after.theme:
            self.theme = chosen(message.after.theme, self.console.color_system).name
        for name, build in self._places().items():
            if name != self.current_mode:
                self._keep_form(name)
                await self.remove_mode(name)
                self.add_mode(name, build)
        if message.before.language != message.after.language and isinstance(self.screen, SettingsScreen):
            set_language(None if message.after.language == "auto" else message.after.language)
            await self.screen.speak_again()

    def _keep_form(self, name: str) -> None:
        from liveavatar_tui.screens.keeping import Keeping

        open_screens = self._screen_stacks.get(name, [])
        for screen in open_screens:
            if isinstance(screen, Keeping):
                self._kept = screen.draft()

    async def on_show_version(self, message: ShowVersion) -> None:
        from liveavatar_tui.screens.repository import RepositoryScreen

        await self.action_go("versions")
        if message.name and isinstance(self.screen, RepositoryScreen):
            self.screen.select(message.name)

    async def on_repeat_job(self, message: RepeatJob) -> None:
        from liveavatar_tui.screens.generate import GenerateScreen

        await self.switch_mode("generate")
        if isinstance(self.screen, GenerateScreen):
            self.screen.fill(message.spec)

    async def on_open_job(self, message: OpenJob) -> None:
        from liveavatar_tui.screens.job import JobScreen

        await self.action_go("jobs")
        await self.push_screen(JobScreen(message.folder, self.settings, self.host, self.flow, self.abilities))
