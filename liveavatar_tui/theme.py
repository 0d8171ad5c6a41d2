"""The themes of the app: dark, light, high contrast, the terminal's own sixteen colours. Every colour is named here.

Knows no widget: style sheets and component classes refer to these by variable (`$primary`, `$muted`, ...).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="liveavatar-dark",
    dark=True,
    primary="#6fb7c9",
    secondary="#8ea4d2",
    accent="#e3a868",
    success="#83c092",
    warning="#dbbc7f",
    error="#e67e80",
    foreground="#d3d9e0",
    background="#14181d",
    surface="#181d23",
    panel="#222830",
    variables={
        "block-cursor-background": "#2d4a55",
        "block-cursor-foreground": "#f2f6f8",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#262e36",
        "block-cursor-blurred-foreground": "#d3d9e0",
        "border": "#6fb7c9",
        "border-blurred": "#323b45",
        "muted": "#8b95a1",
        "faint": "#6a7581",
        "production": "#14181d",
        "input-selection-background": "#6fb7c9 35%",
        "scrollbar": "#323b45",
        "scrollbar-hover": "#46525e",
        "scrollbar-active": "#6fb7c9",
        "scrollbar-background": "#181d23",
        "scrollbar-background-hover": "#181d23",
        "scrollbar-background-active": "#181d23",
    },
)
LIGHT: Final = Theme(
    name="liveavatar-light",
    dark=False,
    primary="#1f7488",
    secondary="#46609c",
    accent="#a5600f",
    success="#2f7d44",
    warning="#8a6400",
    error="#b3343c",
    foreground="#22282e",
    background="#f6f7f8",
    surface="#fbfbfc",
    panel="#e9ecef",
    variables={
        "block-cursor-background": "#cfe4ea",
        "block-cursor-foreground": "#10161a",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#e6eaed",
        "block-cursor-blurred-foreground": "#22282e",
        "border": "#1f7488",
        "border-blurred": "#c9d0d6",
        "muted": "#5d6872",
        "faint": "#87929c",
        "production": "#ffffff",
        "scrollbar": "#c9d0d6",
        "scrollbar-hover": "#aeb8c1",
        "scrollbar-active": "#1f7488",
        "scrollbar-background": "#fbfbfc",
        "scrollbar-background-hover": "#fbfbfc",
        "scrollbar-background-active": "#fbfbfc",
    },
)
CONTRAST: Final = Theme(
    name="liveavatar-contrast",
    dark=True,
    primary="#4de8ff",
    secondary="#a9c7ff",
    accent="#ffd60a",
    success="#6dff8a",
    warning="#ffd60a",
    error="#ff8f8f",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    variables={
        "block-cursor-background": "#ffd60a",
        "block-cursor-foreground": "#000000",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#3a3a3a",
        "block-cursor-blurred-foreground": "#ffffff",
        "border": "#4de8ff",
        "border-blurred": "#9a9a9a",
        "muted": "#d6d6d6",
        "faint": "#b4b4b4",
        "production": "#000000",
        "input-selection-background": "#4de8ff 45%",
        "scrollbar": "#9a9a9a",
        "scrollbar-hover": "#ffffff",
        "scrollbar-active": "#ffd60a",
        "scrollbar-background": "#1c1c1c",
        "scrollbar-background-hover": "#1c1c1c",
        "scrollbar-background-active": "#1c1c1c",
    },
)
_OWN: Final = "ansi_default"
SIXTEEN: Final = Theme(
    name="liveavatar-16",
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_blue",
    accent="ansi_yellow",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    foreground=_OWN,
    background=_OWN,
    surface=_OWN,
    panel=_OWN,
    boost=_OWN,
    variables={
        # Text and ground are the terminal's own, whatever they are: a row is told from the others by being reversed.
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        "block-cursor-background": _OWN,
        "block-cursor-foreground": _OWN,
        "block-cursor-text-style": "reverse",
        "block-cursor-blurred-background": _OWN,
        "block-cursor-blurred-foreground": _OWN,
        "block-cursor-blurred-text-style": "underline",
        "border": "ansi_cyan",
        "border-blurred": _OWN,
        "muted": _OWN,
        "faint": _OWN,
        "production": "ansi_black",
        "input-cursor-background": _OWN,
        "input-cursor-foreground": _OWN,
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_cyan",
        "input-selection-foreground": "ansi_black",
        "screen-selection-background": "ansi_cyan",
        "screen-selection-foreground": "ansi_black",
        "scrollbar": "ansi_cyan",
        "scrollbar-hover": "ansi_cyan",
        "scrollbar-active": "ansi_cyan",
        "scrollbar-background": _OWN,
        "scrollbar-background-hover": _OWN,
        "scrollbar-background-active": _OWN,
    },
)
THEMES: Final = (DARK, LIGHT, CONTRAST, SIXTEEN)
BY_SETTING: Final = {"dark": DARK, "light": LIGHT, "contrast": CONTRAST, "ansi": SIXTEEN}
"""What the setting `theme` may say besides `auto`."""
_LIGHT_GROUNDS: Final = frozenset({"7", "15"})


def chosen(setting: str, colour_system: str | None, environ: Mapping[str, str] = os.environ) -> Theme:
    """The theme of a setting; `auto` looks at what the terminal says of itself.

    NO_COLOR outranks the setting: then only the terminal's own colours are used, and a filter takes them away.
    `colour_system` is Rich's finding: `truecolor`, `256`, `standard` or None.
    """
    if "NO_COLOR" in environ:
        return SIXTEEN
    if setting in BY_SETTING:
        return BY_SETTING[setting]
    if colour_system not in ("truecolor", "256"):
        return SIXTEEN
    ground = environ.get("COLORFGBG", "").rpartition(";")[2]  # `15;0`: the background's number is the last
    return LIGHT if ground in _LIGHT_GROUNDS else DARK
