"""Widgets by themselves: frames as cells, hanging text, steps and bars, rows that change, the last filter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.cells import cell_len
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.color import Color
from textual.content import Content
from textual.pilot import Pilot
from textual.widget import Widget
from world import draw_frame, screen_text

from liveavatar_tui.pictures.frames import Frames
from liveavatar_tui.terminal.capabilities import PictureMode, picture_mode
from liveavatar_tui.terminal.line_filter import ControlFilter
from liveavatar_tui.widgets.findings import describe, verdict, worst
from liveavatar_tui.widgets.half_blocks import fit, keep_small_changes_out, load
from liveavatar_tui.widgets.list_table import ListTable, cell
from liveavatar_tui.widgets.meter import Mark, Meter, Step, Stepper
from liveavatar_tui.widgets.paragraphs import Paragraphs, paragraph
from liveavatar_tui.widgets.preview import FramePreview
from liveavatar_tui.widgets.quiet_input import QuietInput
from lora_repository.finding import Finding, Severity


@asynccontextmanager
async def shown(widget: Widget, size: tuple[int, int] = (60, 20)) -> AsyncIterator[Pilot[None]]:
    class Alone(App[None]):
        def compose(self) -> ComposeResult:
            yield widget

        def get_theme_variable_defaults(self) -> dict[str, str]:
            return {"muted": "#888888", "faint": "#666666"}

    async with Alone().run_test(size=size) as pilot:
        await pilot.pause()
        yield pilot


# --- frames


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 200), st.integers(1, 100))
def test_a_picture_fits_its_box_and_keeps_its_shape(width: int, height: int, columns: int, rows: int) -> None:
    across, down = fit(width, height, columns, rows)
    assert 1 <= across <= columns and 1 <= down <= rows
    if across > 1 and down > 1:
        assert abs(across * height - 2 * down * width) <= 1.01 * max(height, 2 * width)


def test_half_blocks_hold_the_colours_of_the_picture(tmp_path: Path) -> None:
    picture = Image.new("RGB", (64, 64), (255, 0, 0))
    picture.paste((0, 0, 255), (0, 32, 64, 64))
    picture.save(tmp_path / "p.png")
    cells = load(tmp_path / "p.png", 16, 8, PictureMode.TRUECOLOR)
    assert (cells.columns, cells.rows) == (16, 8)
    assert np.abs(cells.pixels[0, 0].astype(int) - (255, 0, 0)).max() <= 7
    assert np.abs(cells.pixels[-1, -1].astype(int) - (0, 0, 255)).max() <= 7


def test_the_palette_mode_uses_the_colours_of_the_palette_only(tmp_path: Path) -> None:
    draw_frame(tmp_path / "p.jpg")
    cells = load(tmp_path / "p.jpg", 40, 20, PictureMode.PALETTE)
    assert set(np.unique(cells.pixels)) <= {0, 95, 135, 175, 215, 255}


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"\xff\xd8\xff\xe0" + b"x" * 50, b"\x89PNG\r\n\x1a\n" + b"\0" * 40]
)
def test_what_is_no_picture_is_an_os_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.jpg").write_bytes(content)
    with pytest.raises(OSError):
        load(tmp_path / "p.jpg", 20, 10, PictureMode.TRUECOLOR)


def test_noise_changes_nothing_and_movement_does() -> None:
    before = np.full((4, 4, 3), 100, dtype=np.uint8)
    noisy = before + 8
    assert (keep_small_changes_out(before, noisy, 8) == before).all()
    moved = before.copy()
    moved[1, 2] = 120
    assert (keep_small_changes_out(before, moved, 8) == moved).all()


@pytest.mark.parametrize(
    ("system", "encoding", "no_colour", "mode"),
    [
        ("truecolor", "utf-8", False, PictureMode.TRUECOLOR),
        ("256", "UTF-8", False, PictureMode.PALETTE),
        ("standard", "utf-8", False, PictureMode.ASCII),
        (None, "utf-8", False, PictureMode.ASCII),
        ("truecolor", "ascii", False, PictureMode.ASCII),
        ("truecolor", "utf-8", True, PictureMode.ASCII),
    ],
)
def test_how_frames_are_drawn_follows_the_terminal(
    system: str | None, encoding: str, no_colour: bool, mode: PictureMode
) -> None:
    assert picture_mode(system, encoding, no_colour=no_colour) is mode


async def test_ascii_frames_are_characters_without_colour(tmp_path: Path) -> None:
    draw_frame(tmp_path / "p.jpg")
    preview = FramePreview()
    async with shown(preview, (34, 17)) as pilot:
        frames = Frames(tmp_path / "p.jpg", PictureMode.ASCII)
        while (patch := frames.next((30, 15), 10_000)) is not None:
            preview.show(patch)
        await pilot.pause()
        drawn = screen_text(pilot.app)
        assert set(drawn) <= set(" .:-=+*#%@\n") and len(set(drawn)) > 4


# --- text


async def test_wrapped_text_stays_to_the_right_of_its_lead() -> None:
    text = Paragraphs()
    text.show([paragraph("one two three four five six seven eight nine ten", "  → ")])
    async with shown(text, (24, 10)) as pilot:
        lines = [line.rstrip() for line in screen_text(pilot.app).splitlines() if line.strip()]
        assert lines[0].startswith("  → one two") and len(lines) > 2
        assert all(line.startswith("    ") for line in lines[1:])


@given(st.text(alphabet="ab 语音驱动é", max_size=80), st.text(alphabet="→ 语", max_size=6), st.integers(1, 60))
def test_no_line_is_wider_than_asked(body: str, lead: str, width: int) -> None:
    lines = paragraph(body, lead).lines(max(2, width))
    assert all(cell_len(line.plain.rstrip()) <= max(2, width) for line in lines)


def test_findings_are_ordered_and_nothing_in_them_is_markup() -> None:
    found = [
        Finding("A1", Severity.INFO, "[b]told[/b]"),
        Finding("A2", Severity.ERROR, "[/]bad", "mend [it]"),
        Finding("A3", Severity.WARNING, "odd"),
    ]
    told = [one.lead.plain + one.body.plain for one in describe(found)]
    assert told == ["✗ error A2", "  [/]bad", "  → mend [it]", "! warning A3", "  odd", "· info A1", "  [b]told[/b]"]
    assert worst(found) is Severity.ERROR
    assert verdict(worst([found[0]]))[0] == "ok"


async def test_steps_and_bars() -> None:
    steps, meter = Stepper(), Meter()
    async with shown(steps, (40, 3)):
        steps.show([Step("Load", Mark.DONE), Step("Generate", Mark.NOW), Step("Write", Mark.NEXT)])
        assert steps.render().plain == "✓ Load ── ● Generate ── ○ Write"
    async with shown(meter, (20, 3)):
        meter.show(0.5, "50%")
        assert meter.render().plain == "━━━━━━━╸━━━━━━━  50%"
        meter.show(7, "")
        assert meter.render().plain == "━" * 20


# --- rows


async def test_rows_keep_the_selection_by_name_and_fill_the_width() -> None:
    class Table(ListTable):
        flexible = "name"

    table = Table()
    headings = {"name": cell("Name"), "size": cell("Size")}
    async with shown(table, (40, 10)) as pilot:
        table.focus()
        table.show(headings, [(n, {"name": cell(n), "size": cell(1)}) for n in "abc"])
        await pilot.press("j", "j", "k")
        assert table.selected() == "b"
        table.show(headings, [(n, {"name": cell(n), "size": cell(1)}) for n in "xab"])
        assert (table.selected(), table.cursor_row) == ("b", 2)
        table.show(headings, [(n, {"name": cell(n), "size": cell(1)}) for n in "xa"])
        assert table.selected() == "a"
        table.show(
            headings, [("x", {"name": cell("new"), "size": cell(1)}), ("a", {"name": cell("a"), "size": cell(1)})]
        )
        assert table.get_row("x")[0].plain == "new"
        assert sum(column.get_render_width(table) for column in table.ordered_columns) == 40
        table.show(headings, [])
        assert table.selected() is None


async def test_columns_give_way_before_the_name_is_cut() -> None:
    class Table(ListTable):
        flexible = "name"
        optional = ("date", "size")

    headings = {name: cell(name) for name in ("name", "size", "date")}
    rows = [("a", {"name": cell("a_rather_long_name"), "size": cell("12 kB"), "date": cell("2026-03-14")})]
    for width, kept in ((60, ["name", "size", "date"]), (34, ["name", "size"]), (24, ["name"]), (15, ["name"])):
        table = Table()
        async with shown(table, (width, 10)):
            table.show(headings, rows)
            assert [column.key.value for column in table.ordered_columns] == kept


# --- the last defence


@given(st.text(max_size=60))
def test_no_control_character_leaves_through_the_filter(text: str) -> None:
    (segment,) = ControlFilter().apply([Segment(text)], Color(0, 0, 0))
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in segment.text)
    assert len(segment.text) == len(text)


async def test_a_field_never_blinks() -> None:
    async with shown(Meter()) as pilot:
        field = QuietInput("text")
        await pilot.app.mount(field)
        field.focus()
        await pilot.pause()
        assert field.has_focus and not field.cursor_blink


async def test_content_titles_are_not_markup() -> None:
    table = ListTable()
    async with shown(table):
        table.border_title = Content("a[/foo]b")
        assert "foo" in str(table.border_title)
