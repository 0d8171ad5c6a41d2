"""What a key is: one action, the keys for it, and how people write them. Knows no screen and no table of keys."""

from __future__ import annotations

from typing import Final

import msgspec
from textual.binding import Binding, BindingType


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
