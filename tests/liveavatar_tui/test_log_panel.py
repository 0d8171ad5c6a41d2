"""The log on the screen: seeking as one types, levels, wrapping, copying, and nothing in it but text."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from textual import events
from textual.app import App, ComposeResult
from textual.filter import LineFilter
from textual.pilot import Pilot
from world import screen_text, until

from liveavatar_tui.logs.feed import LogFeed
from liveavatar_tui.terminal.line_filter import ControlFilter
from liveavatar_tui.theme import DARK
from liveavatar_tui.widgets.log_panel import LogPanel
from liveavatar_tui.widgets.quiet_input import QuietInput

HOSTILE = [
    *("a[/foo]b", "[@click=app.quit]q[/]", "x\x1b[31mRED\x1b]0;pwned\x07", "\u202egnp", "\x9b31m\ufffd", "[bold"),
    *(
        "\x1bP+q\x1b\\dcs",
        "tab\tbed",
        "语音驱动" * 30,
        "e\u0301" * 50,
        "👩‍👩‍👧" * 20,
        "\x00nul",
        "(",
        "[z-a]",
        "\\",
        "%s %n",
    ),
]
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


class Alone(App[None]):
    """One log, polled by a timer."""

    CSS = ".panel { border: round $border; }"

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.feed = LogFeed(log)
        self.register_theme(DARK)
        self.theme = DARK.name

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), ControlFilter()]

    def compose(self) -> ComposeResult:
        yield LogPanel(self.feed)

    def on_mount(self) -> None:
        self.query_one(LogPanel).view.focus()
        self.set_interval(0.02, self.look)

    def look(self) -> None:
        if self.feed.poll():
            self.query_one(LogPanel).catch_up()

    def on_unmount(self) -> None:
        self.feed.close()


@asynccontextmanager
async def opened(log: Path, size: tuple[int, int] = (60, 16)) -> AsyncIterator[Pilot[None]]:
    app = Alone(log)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield pilot


async def shows(pilot: Pilot[None], *words: str) -> None:
    await until(pilot, lambda: all(word in screen_text(pilot.app) for word in words))


def numbered(tmp_path: Path) -> Path:
    log = tmp_path / "engine.log"
    log.write_text("".join(f"{'[ERROR]' if n == 40 else '[INFO]'} line {n}\n" for n in range(500)))
    return log


async def test_seeking_as_one_types(tmp_path: Path) -> None:
    async with opened(numbered(tmp_path)) as pilot:
        await shows(pilot, "line 499", "500 lines")
        await pilot.press("slash", *"line 12")
        await shows(pilot, "11 of 11", "line 129", "from line")
        await pilot.press("enter", "n")
        await shows(pilot, "1 of 11", "line 12")
        await pilot.press("N")
        await shows(pilot, "11 of 11", "line 129")
        await pilot.press("slash", "3")
        await shows(pilot, "1 of 1", "line 123")
        await pilot.press("escape")
        assert not pilot.app.query_one("#search").display
        assert pilot.app.query_one(LogPanel).view.has_focus
        await shows(pilot, "line 123")


async def test_an_expression_and_its_mistakes(tmp_path: Path) -> None:
    async with opened(numbered(tmp_path)) as pilot:
        await pilot.press("slash", "ctrl+r", *"line 1[45]$")
        await shows(pilot, "expression /", "2 of 2", "line 15")
        await pilot.press("(")
        await shows(pilot, "missing )")
        await pilot.press("backspace", "backspace", "ctrl+r")
        await shows(pilot, "nowhere")


async def test_levels_and_the_error(tmp_path: Path) -> None:
    async with opened(numbered(tmp_path)) as pilot:
        await shows(pilot, "500 lines")
        await pilot.press("E")
        await shows(pilot, "[ERROR] line 40", "line 42")
        await pilot.press("v")
        await shows(pilot, "warnings and errors only (1 line)")
        assert "line 42" not in screen_text(pilot.app)
        await pilot.press("v", "v")
        await shows(pilot, "[ERROR] line 40", "line 42")
        assert "only" not in screen_text(pilot.app)


async def test_long_lines_are_wrapped_or_moved_along(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_text("begin " + "x" * 100 + " end\nnext\n")
    async with opened(log) as pilot:
        await shows(pilot, "begin", "next")
        assert " end" not in screen_text(pilot.app)
        await pilot.press("w")
        await shows(pilot, "begin", " end", "wrapped")
        await pilot.press("w", *["l"] * 9)
        await shows(pilot, " end")
        assert "begin" not in screen_text(pilot.app)


async def test_copying_what_is_seen_or_the_marked_line(tmp_path: Path) -> None:
    async with opened(numbered(tmp_path)) as pilot:
        await shows(pilot, "line 499")
        await pilot.press("y")
        assert pilot.app.clipboard.splitlines()[-1] == "[INFO] line 499"
        await pilot.press("E")
        await shows(pilot, "[ERROR] line 40")
        await pilot.press("y")
        assert pilot.app.clipboard == "[ERROR] line 40"
        await shows(pilot, "Copied 1 line")
        view = pilot.app.query_one(LogPanel).view
        await pilot.click(view, offset=(5, 2))
        await pilot.press("y")
        assert pilot.app.clipboard.startswith("[INFO] line 3")


async def test_the_wheel_and_the_bar(tmp_path: Path) -> None:
    async with opened(numbered(tmp_path)) as pilot:
        await shows(pilot, "line 499")
        view = pilot.app.query_one(LogPanel).view
        await pilot._post_mouse_events([events.MouseScrollUp], view, button=0)
        await shows(pilot, "line 496", "paused")
        assert "line 499" not in screen_text(pilot.app)
        await pilot.mouse_down(view, offset=(view.size.width, 1))
        await pilot.mouse_up(view, offset=(view.size.width, 1))
        await shows(pilot, "line 0")


async def test_hostile_text_is_only_text_in_the_log_and_in_the_field(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes("\n".join(HOSTILE).encode() + b"\n\xff\xfe\x80raw\n")
    async with opened(log, (90, 40)) as pilot:
        await shows(pilot, "a[/foo]b", "[@click=app.quit]q[/]", "xRED", "[bold", "raw")
        assert not UNSAFE.search(screen_text(pilot.app))
        await pilot.press("w", "slash")
        for expression in (False, True):
            for text in HOSTILE:
                pilot.app.query_one(QuietInput).value = text
                await pilot.pause()
                assert not UNSAFE.search(screen_text(pilot.app))
            if not expression:
                await pilot.press("ctrl+r")


async def test_a_log_that_is_rotated_under_the_view(tmp_path: Path) -> None:
    log = numbered(tmp_path)
    async with opened(log) as pilot:
        await shows(pilot, "line 499")
        await pilot.press("k", "slash", *"line", "enter")
        log.rename(tmp_path / "engine.log.1")
        log.write_text("fresh line\n")
        await shows(pilot, "fresh line", "1 line")
        log.write_text("")
        await until(pilot, lambda: "fresh" not in screen_text(pilot.app))
