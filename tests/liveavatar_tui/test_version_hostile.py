"""Text from outside on every screen and dialog of versions: history, notes, scores, channels, sources are only text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.style import Style
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input
from version_walks import opened, screen_of
from world import screen_text, until, write_world

from liveavatar_tui.screens.switch_text import shorten
from liveavatar_tui.widgets.row_list import Column, fit
from lora_repository.hashes import sha256_of

TYPED = "a[/foo]b [@click=app.quit]q [bold $primary 名前"
HOSTILE = TYPED + " x\x1b[31mRED\x1b]0;pwned\x07 \u202egnp \x9b31m [b]c[/b]\u200b é\u0301"
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u200b]")
CALM = "v2.2_customer_service_calm"
NOW = "2026-03-14T09:26:00+00:00"


def write_hostile(root: Path) -> None:
    """Records as somebody with an editor could leave them."""
    write_world(root)
    state = root / "lora/.liveavatar"
    for folder in ("published", f"scores/{CALM}", f"trash/20260312T101500.abcdef/{HOSTILE.replace('/', '')}"):
        (state / folder).mkdir(parents=True)
    who = {"user": HOSTILE, "host": HOSTILE}
    hashes = {file.name: sha256_of(file) for file in (root / "lora" / CALM).iterdir()}
    line = {"number": 1, "time": NOW, **who, "channel": "latest", "from": HOSTILE, "to": "v2.1_customer_service"}
    other = line | {"number": 2, "channel": HOSTILE, "to": CALM}
    lines = [json.dumps(one | {"hashes": {HOSTILE: HOSTILE}, "reason": HOSTILE}) for one in (line, other)]
    (state / "generations.jsonl").write_text("\n".join(lines) + "\n")
    record = {"version": CALM, "time": NOW, **who, "source": HOSTILE, "files": hashes}
    (state / f"published/{CALM}.json").write_text(json.dumps(record))
    note = {"version": CALM, "time": NOW, **who, "tags": [HOSTILE], "note": HOSTILE + "\n" + HOSTILE}
    (state / "notes.jsonl").write_text(json.dumps(note) + "\n")
    score = {"name": HOSTILE, "value": 1.0, "unit": HOSTILE}
    sample = {"file": HOSTILE + ".mp4", "title": HOSTILE}
    compared = {"version": CALM, "hashes": hashes, "time": NOW, **who, "protocol": HOSTILE, "passed": True}
    compared |= {"verdict": "better", "against": HOSTILE, "reasons": [HOSTILE], "scores": [score], "samples": [sample]}
    (state / f"scores/{CALM}/20260314T092600.abcdef.json").write_text(json.dumps(compared))
    config = (root / "config.yaml").read_text()
    target = json.dumps(HOSTILE.replace("/", ""))
    (root / "config.yaml").write_text(config.replace("production: v1.0_product_demo", f"production: {target}"))


async def shown(pilot: Pilot[Any], sign: str, *keys: str) -> None:
    await pilot.press(*keys)
    await until(pilot, lambda: sign in screen_text(pilot.app))
    assert not UNSAFE.search(screen_text(pilot.app))


async def test_nothing_of_it_is_obeyed(tmp_path: Path) -> None:
    write_hostile(tmp_path)
    async with opened(tmp_path, (160, 60)) as pilot:

        async def back() -> None:
            await pilot.press("escape")
            await until(pilot, lambda: pilot.app.screen is screen_of(pilot))

        await shown(pilot, "[@click=app.quit]q")
        await shown(pilot, "PRODUCTION", "a")
        await shown(pilot, "PRODUCTION", "down", "down")
        await back()
        await shown(pilot, "[bold", "b")
        await back()
        await shown(pilot, "[@click=app.quit]q", "h")
        await shown(pilot, "[@click=app.quit]q", "j", "c", "c")
        await back()
        await shown(pilot, "a[foo]b", "t")
        await back()
        await shown(pilot, "Switches", "d")
        await shown(pilot, "Tags, separated", "e")
        await pilot.press("escape")
        await back()
        await pilot.press("f")
        await until(pilot, lambda: pilot.app.screen.query("#reference"))
        pilot.app.screen.query_one(Input).value = TYPED
        await shown(pilot, "LORA0")
        await back()
        await pilot.press("n")
        await until(pilot, lambda: pilot.app.screen.query("#source"))
        pilot.app.screen.query_one("#source", Input).value = TYPED
        await shown(pilot, "LORA0", "enter")
        await back()
        await pilot.press("slash", *"[/foo]")
        await until(pilot, lambda: "1 of 4" in screen_text(pilot.app))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), st.integers(1, 30), st.booleans())
def test_a_cell_is_exactly_as_wide_as_its_column(text: str, width: int, right: bool) -> None:
    strip = Strip(fit([(text, Style()), (text, Style())], Column("x", "x", width, right)))
    assert strip.cell_length == width + 2
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]", strip.text)


@given(st.text(max_size=80), st.integers(3, 40))
def test_a_name_is_shortened_in_its_middle(text: str, width: int) -> None:
    assert len(shorten(text, width)) <= width
