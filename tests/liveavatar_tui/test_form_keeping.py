"""What the form remembers: earlier values, presets, a stack of adapters, paths that go on; the files they lie in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.widgets import Input
from world import screen_text, until, write_world

from liveavatar_tui import draft as drafts
from liveavatar_tui import kept_inputs
from liveavatar_tui.draft import STACKED, Draft
from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.path_completion import complete_path
from liveavatar_tui.screens.dialogs import AskValue, ChooseOne
from liveavatar_tui.screens.generate import GenerateScreen
from liveavatar_tui.screens.keeping import PresetList
from liveavatar_tui.widgets.rows import Rows
from lora_repository.finding import Problem

DRAFT = Draft("a sailor", "latest", "/a.png", "", "704*384", "", "420", False, False)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@asynccontextmanager
async def form(root: Path) -> AsyncIterator[Pilot[int]]:
    app = LiveAvatarApp(write_world(root), host="gpu-07")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, GenerateScreen) and "Ready" in screen_text(app))
        yield pilot


def field(pilot: Pilot[int], name: str) -> Input:
    return pilot.app.screen.query_one(f"#{name}", Input)


# --- files


def test_the_newest_value_stands_first_and_once() -> None:
    for prompt in ("one", "two", "one"):
        kept_inputs.remember(replace(DRAFT, prompt=prompt))
    assert kept_inputs.read_history()["prompt"] == ["one", "two"]
    assert kept_inputs.read_history()["audio"] == []


def test_presets_are_kept_replaced_and_taken_away() -> None:
    kept_inputs.save_preset("b", DRAFT)
    kept_inputs.save_preset("a", replace(DRAFT, beyond=(("sample_steps", 7),)))
    kept_inputs.save_preset("b", replace(DRAFT, seed="1"))
    assert list(kept_inputs.read_presets()) == ["a", "b"]
    assert kept_inputs.read_presets()["a"].beyond == (("sample_steps", 7),)
    assert kept_inputs.remove_preset("b") == replace(DRAFT, seed="1")
    assert list(kept_inputs.read_presets()) == ["a"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"prompt": 3}', b"\xff"])
def test_a_file_that_is_not_ours_is_a_problem_and_stays(content: bytes) -> None:
    path = kept_inputs.history_file()
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(Problem, match="inputs"):
        kept_inputs.remember(DRAFT)
    assert path.read_bytes() == content


# --- paths


def test_a_path_goes_on_with_the_first_name_that_fits(tmp_path: Path) -> None:
    for name in ("portrait.png", "portraits/x", ".hidden", "speech.wav", "bad\x1b[31mname"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert complete_path(f"{tmp_path}/por") == f"{tmp_path}/portrait.png"
    assert complete_path(f"{tmp_path}/portraits") is None, "it is there whole"
    assert complete_path(f"{tmp_path}/s") == f"{tmp_path}/speech.wav"
    assert complete_path(f"{tmp_path}/.h") == f"{tmp_path}/.hidden"
    for nothing in (f"{tmp_path}/bad", f"{tmp_path}/zzz", "/no/such/folder/x", "~nobody-at-all/x", "/\0/x", "", " "):
        assert complete_path(nothing) is None


def test_the_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "speech.wav").write_text("")
    assert complete_path("~/sp") == "~/speech.wav"


@given(st.text(max_size=30))
def test_whatever_is_typed_goes_on_or_does_not(typed: str) -> None:
    found = complete_path(typed)
    assert found is None or found.startswith(typed)


# --- on the screen


async def test_right_takes_a_suggested_path_over(tmp_path: Path) -> None:
    async with form(tmp_path) as pilot:
        image = field(pilot, "image")
        image.focus()
        image.value = ""
        await pilot.press(*f"{tmp_path}/por")
        await until(pilot, lambda: image._suggestion == f"{tmp_path}/portrait.png")
        await pilot.press("right")
        assert image.value == f"{tmp_path}/portrait.png"


async def test_earlier_values_are_offered_for_the_field_with_the_cursor(tmp_path: Path) -> None:
    kept_inputs.remember(replace(DRAFT, prompt="an old [b]sailor[/]"))
    async with form(tmp_path) as pilot:
        await pilot.press("ctrl+y")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChooseOne))
        assert "an old [b]sailor[/]" in screen_text(pilot.app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, GenerateScreen))
        assert field(pilot, "prompt").value == "an old [b]sailor[/]"


async def test_a_form_is_kept_under_a_name_taken_removed_and_brought_back(tmp_path: Path) -> None:
    async with form(tmp_path) as pilot:
        field(pilot, "prompt").value = "a sailor"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskValue))
        await pilot.press("enter")
        await until(pilot, lambda: "needs a name" in screen_text(pilot.app))
        await pilot.press(*"harbour", "enter")
        await until(pilot, lambda: "harbour" in kept_inputs.read_presets())
        await pilot.press("ctrl+o")
        assert field(pilot, "prompt").value != "a sailor"
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(pilot.app.screen, PresetList))
        await pilot.press("x")
        await until(pilot, lambda: not kept_inputs.read_presets())
        await pilot.press("u")
        await until(pilot, lambda: pilot.app.screen.query_one(Rows).selected() == "harbour")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, GenerateScreen))
        assert field(pilot, "prompt").value == "a sailor"


async def test_one_more_adapter_is_put_on_top(tmp_path: Path) -> None:
    async with form(tmp_path) as pilot:
        await pilot.press("ctrl+t")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChooseOne))
        rows = pilot.app.screen.query_one(Rows)
        rows.select("v1.0_product_demo")
        await pilot.press("enter")
        screen = pilot.app.get_screen_stack("generate")[0]
        assert isinstance(screen, GenerateScreen)
        await until(pilot, lambda: screen.draft().version == STACKED.join(("latest", "v1.0_product_demo")))
        await until(pilot, lambda: "latest + v1.0_product_demo" in screen_text(pilot.app))
        spec = drafts.compose(screen.draft(), pilot.app.settings)  # type: ignore[attr-defined]
        assert [Path(one).name for one in spec.adapters] == ["v2.1_customer_service", "v1.0_product_demo"]


async def test_what_was_typed_survives_a_change_of_the_settings(tmp_path: Path) -> None:
    async with form(tmp_path) as pilot:
        field(pilot, "prompt").value = "a sailor"
        await pilot.press("f7")
        await until(pilot, lambda: pilot.app.screen.query("#settings"))
        pilot.app.screen.query_one(Rows).select("policy.reason")
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChooseOne))
        await pilot.press("j", "enter")
        await until(pilot, lambda: "reason: false" in (tmp_path / "config.yaml").read_text())
        await pilot.press("2")
        await until(pilot, lambda: isinstance(pilot.app.screen, GenerateScreen))
        assert field(pilot, "prompt").value == "a sailor"
