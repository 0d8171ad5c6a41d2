"""The full-screen app for one browser window: started by the server, which carries its screen. Knows no terminal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.settings import load_settings
from lora_repository.i18n import set_language


def main() -> int:
    """Run the app with the settings file that the server was given; Textual's driver is named in the environment."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config")
    given = parser.parse_args()
    settings = load_settings(Path(given.config) if given.config else None)
    set_language(None if settings.language == "auto" else settings.language)
    app = LiveAvatarApp(settings)
    app.run()
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
