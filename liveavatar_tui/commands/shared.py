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


def written_language(config: str | None) -> str | None:
    """The language that the settings file names, for help, which is shown whatever else is wrong with the file.

    None for `auto`, and where nothing is said. One line is looked for: YAML takes longer than all of `--help`.
    """
    import re

    from liveavatar_tui.paths import config_file

    file = config_file(config)
    try:
        text = file.read_text(encoding="utf-8", errors="replace") if file is not None else ""
    except OSError:
        return None
    found = re.search(r"^language:\s*[\"']?(\w+)", text, re.MULTILINE)
    return found[1] if found is not None and found[1] != "auto" else None
