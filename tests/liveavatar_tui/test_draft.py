"""What may be typed into the form, and the run that it amounts to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import write_world

from liveavatar_tui import draft as drafts
from liveavatar_tui.draft import BASE_ALONE, Draft
from liveavatar_tui.settings import Settings
from lora_repository.finding import Problem

GOOD = Draft("a person", BASE_ALONE, "", "", "704*384", "", "420", False, False)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return write_world(tmp_path_factory.mktemp("world"))


def test_the_defaults_are_without_fault_and_round_trip(settings: Settings) -> None:
    start = drafts.defaults(settings)
    assert drafts.faults(start) == {}
    spec = drafts.compose(start, settings)
    assert drafts.compose(drafts.repeat(spec, settings), settings) == replace_label(
        spec, drafts.compose(drafts.repeat(spec, settings), settings)
    )


def test_a_repeated_run_keeps_its_whole_stack(settings: Settings) -> None:
    stack = tuple(str(Path(settings.lora.repository) / name) for name in ("v1.0_product_demo", "v2.1_customer_service"))
    spec = msgspec.structs.replace(drafts.compose(GOOD, settings), adapters=stack)
    again = drafts.compose(drafts.repeat(spec, settings), settings)
    assert again.adapters == stack and again.label == "v1.0_product_demo + v2.1_customer_service"


def test_a_repeated_run_keeps_what_the_form_does_not_show(settings: Settings) -> None:
    spec = msgspec.structs.replace(drafts.compose(GOOD, settings), sample_steps=7, threads=3)
    draft = drafts.repeat(spec, settings)
    assert dict(draft.beyond) == {"sample_steps": 7, "threads": 3}
    again = drafts.compose(draft, settings)
    assert (again.sample_steps, again.threads) == (7, 3)


def replace_label(spec, other):  # type: ignore[no-untyped-def]
    return msgspec.structs.replace(spec, label=other.label)


@pytest.mark.parametrize(("size", "read"), [("688*368", "688*368"), (" 688 x 368", "688*368"), ("688×368", "688*368")])
def test_sizes_are_read_as_people_write_them(settings: Settings, size: str, read: str) -> None:
    assert drafts.compose(replace(GOOD, size=size), settings).size == read


def test_paths_become_absolute(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/you")
    spec = drafts.compose(replace(GOOD, image="me.png", audio="~/speech.wav"), settings)
    assert (spec.image, spec.audio) == (str(tmp_path / "me.png"), "/home/you/speech.wav")


def test_auto_clips_are_no_clips(settings: Settings) -> None:
    assert drafts.compose(replace(GOOD, clips=" auto "), settings).num_clip is None
    assert drafts.compose(replace(GOOD, clips="12"), settings).num_clip == 12


def test_a_version_that_is_nowhere_is_a_problem(settings: Settings) -> None:
    with pytest.raises(Problem):
        drafts.compose(replace(GOOD, version="v9.9_nowhere"), settings)


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_what_has_no_fault_can_be_composed(settings: Settings, size: str, clips: str, seed: str) -> None:
    draft = replace(GOOD, size=size, clips=clips, seed=seed)
    if not drafts.faults(draft):
        spec = drafts.compose(draft, settings)
        assert spec.area() > 0 and spec.seed >= 0
