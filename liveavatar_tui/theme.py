"""The two themes of the app, one for dark and one for light backgrounds. All colours of the product are named here.

Knows no widget: style sheets and component classes refer to these by variable (`$primary`, `$text-muted`, ...).
"""

from __future__ import annotations

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
        "faint": "#56606b",
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
        "faint": "#a3adb6",
        "scrollbar": "#c9d0d6",
        "scrollbar-hover": "#aeb8c1",
        "scrollbar-active": "#1f7488",
        "scrollbar-background": "#fbfbfc",
        "scrollbar-background-hover": "#fbfbfc",
        "scrollbar-background-active": "#fbfbfc",
    },
)
THEMES: Final = (DARK, LIGHT)
