"""What every command needs: the settings in force, in the language that they ask for. Knows no command."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from lora_repository.i18n import set_language

SWITCHED: Final = ("latest", "default", "production", "staging")
"""The channels that can be moved, for the parser, which imports nothing of what moves them."""

if TYPE_CHECKING:
    from liveavatar_tui.settings import Settings


def settings_of(given: Namespace, flags: Mapping[str, object] | None = None) -> Settings:
    """The settings in force with `flags` on top; the process speaks their language from here on."""
    from pathlib import Path

    from liveavatar_tui.settings import load_settings

    config = getattr(given, "config", None)
    spoken = {"language": getattr(given, "lang", None)}
    settings = load_settings(Path(config) if config else None, flags={**spoken, **(flags or {})})
    if settings.language != "auto":
        set_language(settings.language)
    return settings
