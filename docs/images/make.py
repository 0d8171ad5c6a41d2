"""Takes the pictures of the pages from the real app on the embedded avatar: `python docs/images/make.py [LANGUAGE]`.

A job is really run, so the pictures show what a user sees; they differ a little from one time to the next.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from textual.pilot import Pilot

from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.screens.generate import GenerateScreen
from liveavatar_tui.screens.job import JobScreen
from liveavatar_tui.settings import load_settings
from lora_repository.i18n import _, set_language

HERE: Final = Path(__file__).parent
SIZE: Final = (110, 34)
_PATIENCE_S: Final = 120


async def take(language: str) -> None:
    """Walk through the app once: `versions`, `generate`, `running`, `home`; with a suffix for other languages."""
    set_language(language)
    app = LiveAvatarApp(load_settings(HERE.parent.parent / "config.yaml"), host="gpu-07")
    suffix = "" if language == "en" else f".{language}"

    def picture(name: str) -> None:
        (HERE / f"{name}{suffix}.svg").write_text(app.export_screenshot(title="liveavatar-tui"), encoding="utf-8")

    def text() -> str:
        return "\n".join(strip.text for strip in app.screen._compositor.render_strips())

    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("1")
        await _until(pilot, lambda: text().count("✓") >= 2)
        picture("versions")
        await pilot.press("2")
        await _until(pilot, lambda: isinstance(app.screen, GenerateScreen) and "✓" in text())
        await pilot.pause(1)
        picture("generate")
        await pilot.press("ctrl+r")
        await _until(pilot, lambda: isinstance(app.screen, JobScreen) and text().count("▀") > 500)
        await pilot.pause(2)
        picture("running")
        await _until(pilot, lambda: "output.mp4" in text())
        await pilot.press("0")
        await pilot.pause(2)
        picture("home")


async def _until(pilot: Pilot[int], condition: Callable[[], bool]) -> None:
    for _tenth in range(10 * _PATIENCE_S):
        if condition():
            return
        await pilot.pause(0.1)
    raise TimeoutError(_("The app did not come to it."))


if __name__ == "__main__":
    for wanted in sys.argv[1:] or ("en", "zh_CN"):
        asyncio.run(take(wanted))
