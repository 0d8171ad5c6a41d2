"""The app in Chinese: what Textual would say in English is said in the language in force."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.widgets import Input
from world import screen_text, until, write_world

from liveavatar_tui.full_screen import LiveAvatarApp, QuietPalette
from lora_repository.i18n import set_language


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    set_language("zh_CN")
    yield
    set_language("en")


async def test_the_palette_speaks_chinese(tmp_path: Path) -> None:
    app = LiveAvatarApp(write_world(tmp_path), host="gpu-07")
    async with app.run_test(size=(100, 40)) as pilot:
        await until(pilot, lambda: "✓ 通过" in screen_text(app))
        await pilot.press("ctrl+p", *"没有这个")
        await until(pilot, lambda: "没有匹配的名称" in screen_text(app))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: not isinstance(app.screen, QuietPalette))
        await app.run_action("app.change_theme")
        await until(pilot, lambda: isinstance(app.screen, QuietPalette))
        assert app.screen.query_one(Input).placeholder == "查找主题…"
        assert not app.screen.query_one(Input).cursor_blink


async def test_the_keys_below_are_named_in_chinese(tmp_path: Path) -> None:
    app = LiveAvatarApp(write_world(tmp_path), host="gpu-07")
    async with app.run_test(size=(100, 40)) as pilot:
        await until(pilot, lambda: "✓ 通过" in screen_text(app))
        footer = screen_text(app).rstrip().splitlines()[-1]
        assert footer.split()[:2] == ["enter", "打开"]
        assert footer.split()[-4:] == ["?", "帮助", "q", "退出"]
