"""Every key of the app as data: bindings, the line of keys at the bottom and the help screen are made from this table.

Labels are English here and translated where they are shown (`_`), so one process can change its language. Knows no
screen.
"""

from __future__ import annotations

from typing import Final

import msgspec
from textual.binding import Binding, BindingType

from lora_repository.i18n import N_


class Key(msgspec.Struct, frozen=True):
    """One action and the keys for it. `id` is stable: users rebind by it. `label` stands in the line of keys,
    `tip` in the help screen; `footer` says whether it stands in the line of keys at all."""

    id: str
    keys: str
    action: str
    label: str
    tip: str
    footer: bool = True

    def shown(self, *, typing: bool = False) -> str:
        """The first key as people write it; while `typing` the first that no text field takes for itself."""
        keys = self.keys.split(",")
        free = [key for key in keys if len(key) > 1 and key not in _CHARACTERS] if typing else keys
        return show_key((free or keys)[0])

    @property
    def all_shown(self) -> str:
        """All keys as people write them."""
        return "  ".join(show_key(key) for key in self.keys.split(","))


_NAMES: Final = {
    "question_mark": "?",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "slash": "/",
}


_CHARACTERS: Final = frozenset({"question_mark", "slash", "space"})


def show_key(key: str) -> str:
    """`ctrl+r` -> `^r`, `question_mark` -> `?`."""
    modifier, plus, last = key.rpartition("+")
    shown = _NAMES.get(last, last)
    return shown if not plus else ("^" if modifier == "ctrl" else f"{modifier}+") + shown


def bindings(*groups: tuple[Key, ...]) -> list[BindingType]:
    """Textual's bindings for groups of keys."""
    return [
        Binding(key.keys, key.action, key.label, id=key.id, tooltip=key.tip, show=key.footer)
        for group in groups
        for key in group
    ]


APP: Final = (
    Key("app.versions", "1,f2", "app.go('versions')", N_("Versions"), N_("The versions of the repository"), False),
    Key("app.generate", "2,f3", "app.go('generate')", N_("Generate"), N_("The form that starts a job"), False),
    Key("app.jobs", "3,f4", "app.go('jobs')", N_("Jobs"), N_("All jobs, running and ended"), False),
    Key("app.palette", "ctrl+p", "app.command_palette", N_("Commands"), N_("Find a command by its name"), False),
    Key("app.help", "question_mark,f1", "app.help", N_("Help"), N_("All keys, by screen")),
    Key("app.quit", "q,ctrl+q", "app.quit", N_("Quit"), N_("Leave the app; running jobs go on")),
)
LISTS: Final = (
    Key("list.down", "down,j", "cursor_down", N_("Down"), N_("Next row"), False),
    Key("list.up", "up,k", "cursor_up", N_("Up"), N_("Previous row"), False),
    Key("list.page_down", "pagedown,ctrl+d", "page_down", N_("Page down"), N_("One page down"), False),
    Key("list.page_up", "pageup,ctrl+u", "page_up", N_("Page up"), N_("One page up"), False),
    Key("list.top", "home,g", "scroll_top", N_("Top"), N_("First row"), False),
    Key("list.bottom", "end,G", "scroll_bottom", N_("Bottom"), N_("Last row"), False),
)
REPOSITORY: Final = (
    Key(
        "repository.generate",
        "enter",
        "screen.generate",
        N_("Generate with it"),
        N_("Open the form with the selected version"),
    ),
    Key("repository.activate", "a", "screen.activate", N_("Activate"), N_("Let latest point at the selected version")),
    Key("repository.rollback", "u", "screen.rollback", N_("Roll back"), N_("Let latest point where it pointed before")),
    Key("repository.check", "c", "screen.check", N_("Check"), N_("Prove the selected version again, with its hashes")),
    Key("repository.refresh", "r,f5", "screen.refresh_versions", N_("Refresh"), N_("Read the folder again"), False),
)
GENERATE: Final = (
    Key(
        "generate.launch", "ctrl+r", "screen.launch", N_("Launch"), N_("Check everything once more, then start the job")
    ),
    Key("generate.next", "tab,down", "app.focus_next", N_("Next field"), N_("Next field"), False),
    Key("generate.previous", "shift+tab,up", "app.focus_previous", N_("Previous"), N_("Previous field"), False),
    Key("generate.defaults", "ctrl+o", "screen.defaults", N_("Defaults"), N_("Set every field back to its default")),
    Key("generate.back", "escape", "screen.back", N_("Back"), N_("Back to the versions; the fields keep their values")),
)
JOB: Final = (
    Key("job.back", "escape", "screen.back", N_("Back"), N_("Back to the list of jobs; the job goes on")),
    Key("job.cancel", "x", "screen.cancel", N_("Cancel"), N_("Stop the job")),
    Key("job.follow", "f,G,end", "screen.follow", N_("Follow"), N_("Go to the end of the log and stay there")),
    Key("job.path", "o", "screen.output", N_("Output"), N_("Copy the path of the video")),
    Key("job.again", "e", "screen.again", N_("Again"), N_("Open the form with the values of this job")),
)
JOBS: Final = (
    Key("jobs.open", "enter", "screen.open", N_("Open"), N_("Watch the selected job")),
    Key("jobs.cancel", "x", "screen.cancel", N_("Cancel"), N_("Stop the selected job")),
    Key("jobs.back", "escape", "screen.back", N_("Back"), N_("Back to the versions")),
)
LOG: Final = (
    Key("log.down", "down,j", "scroll_down", N_("Down"), N_("One line down"), False),
    Key("log.up", "up,k", "scroll_up", N_("Up"), N_("One line up, and stop following"), False),
    Key("log.top", "home,g", "scroll_home", N_("Top"), N_("First line"), False),
    Key("log.page_down", "pagedown,ctrl+d", "page_down", N_("Page down"), N_("One page down"), False),
    Key("log.page_up", "pageup,ctrl+u", "page_up", N_("Page up"), N_("One page up"), False),
    Key("log.right", "right,l", "side(1)", N_("Right"), N_("Further along long lines"), False),
    Key("log.left", "left,h", "side(-1)", N_("Left"), N_("Back along long lines"), False),
    Key("log.follow", "end,G,f", "follow", N_("Follow"), N_("Last line, and follow"), False),
)
HELP: Final = (Key("help.back", "escape,q", "screen.back", N_("Back"), N_("Back to where you were")),)
DIALOG: Final = (
    Key("dialog.yes", "enter", "screen.confirm", N_("Confirm"), N_("Do it")),
    Key("dialog.no", "escape", "screen.back", N_("Back"), N_("Change nothing")),
)
SECTIONS: Final = (
    (N_("Everywhere"), APP),
    (N_("Lists"), LISTS),
    (N_("Versions"), REPOSITORY),
    (N_("Generate"), GENERATE),
    (N_("Jobs"), JOBS),
    (N_("One job"), JOB),
    (N_("Log"), LOG),
)
