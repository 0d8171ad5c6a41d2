"""What the keys of the versions do, judged by the file system: mend, check, remove, prune, publish, remarks."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import msgspec
import pytest
from textual.widgets import Input
from version_walks import cells_of, opened, screen_of, table_of, told
from world import (
    DIT,
    SPEC,
    half_way,
    screen_text,
    until,
    write_job,
    write_world,
)

from liveavatar_tui.screens.compare import CompareScreen
from liveavatar_tui.screens.dialogs import Question
from liveavatar_tui.screens.history import HistoryScreen
from liveavatar_tui.screens.progress import ProgressDialog
from liveavatar_tui.screens.prune import EmptyDialog, NumberDialog, PruneDialog
from liveavatar_tui.screens.remarks import RemarksDialog
from liveavatar_tui.screens.repository import RepositoryScreen
from liveavatar_tui.screens.switch import SwitchDialog
from liveavatar_tui.screens.trash import TrashScreen
from liveavatar_tui.screens.version import VersionScreen
from lora_repository.repository import LoraRepository

WINTER = "v2.0_winter_campaign"


def details(pilot) -> str:  # type: ignore[no-untyped-def]
    """All of the panel beside the list."""
    return str(screen_of(pilot).query_one("#details").text)


async def test_mending_is_shown_first_and_done_on_yes(tmp_path: Path) -> None:
    config = tmp_path / "lora" / WINTER / "config.json"
    async with opened(tmp_path) as pilot:
        await pilot.press("j", "j")
        await until(pilot, lambda: "m mends this" in screen_text(pilot.app))
        await pilot.press("m")
        await until(pilot, lambda: isinstance(pilot.app.screen, Question))
        assert "dmd_rank = 4" in screen_text(pilot.app)
        assert json.loads(config.read_text())["dmd_rank"] == 8, "nothing is done before yes"
        await pilot.press("enter")
        await until(pilot, lambda: json.loads(config.read_text())["dmd_rank"] == 4)
        await until(pilot, lambda: "✓ ok" in cells_of(pilot, WINTER))


async def test_nothing_to_mend_is_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("m")
        await until(pilot, lambda: "can be mended without a doubt" in told(pilot))


async def test_a_full_check_finds_nan_and_hashes(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        file = tmp_path / "lora/v2.2_customer_service_calm/dmd_lora.safetensors"
        data = bytearray(file.read_bytes())
        data[-2:] = b"\xc0\x7f"  # NaN in BF16
        before = screen_of(pilot)._rows["v2.2_customer_service_calm"].stamp
        file.write_bytes(data)
        await until(pilot, lambda: screen_of(pilot)._rows["v2.2_customer_service_calm"].stamp != before)
        await pilot.press("c")
        await until(pilot, lambda: "LORA031" in details(pilot) and "sha256" in details(pilot))


async def test_what_goes_on_for_long_can_be_stopped(tmp_path: Path) -> None:
    going, answers = threading.Event(), []

    def deed(tell):  # type: ignore[no-untyped-def]
        while True:
            tell(1, 10)
            going.set()

    async with opened(tmp_path) as pilot:
        pilot.app.push_screen(ProgressDialog("long", "", deed), answers.append)
        await until(pilot, going.is_set)
        await pilot.press("escape")
        await until(pilot, lambda: answers == [None])


async def test_remove_goes_to_the_trash_and_u_brings_it_back(tmp_path: Path) -> None:
    folder = tmp_path / "lora" / WINTER
    async with opened(tmp_path) as pilot:
        await pilot.press("j", "j", "x")
        await until(pilot, lambda: not folder.exists() and WINTER not in table_of(pilot).keys)
        assert [one.name for one in LoraRepository(tmp_path / "lora").removed()] == [WINTER]
        await pilot.press("u")
        await until(pilot, lambda: folder.exists() and WINTER in table_of(pilot).keys)


async def test_what_is_in_use_is_not_removed(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("x")
        await until(pilot, lambda: "LORA054" in told(pilot) and "staging" in told(pilot))
        assert (tmp_path / "lora/v2.2_customer_service_calm").is_dir()


async def test_the_trash_restores_prunes_and_empties(tmp_path: Path) -> None:
    repository = LoraRepository(tmp_path / "lora")
    async with opened(tmp_path) as pilot:
        await pilot.press("t", "p")
        await until(pilot, lambda: isinstance(pilot.app.screen, PruneDialog))
        await pilot.press("backspace", "backspace", "1")
        await until(pilot, lambda: WINTER in screen_text(pilot.app))
        assert "v1.0_product_demo" not in screen_text(pilot.app), "production needs it"
        await pilot.press("enter")
        await until(pilot, lambda: [one.name for one in repository.removed()] == [WINTER])
        await until(pilot, lambda: isinstance(pilot.app.screen, TrashScreen) and WINTER in screen_text(pilot.app))
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "lora" / WINTER).is_dir())
        repository.remove(WINTER)
        await until(pilot, lambda: pilot.app.screen._kept)  # type: ignore[attr-defined]
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, EmptyDialog))
        await until(pilot, lambda: "Nothing goes" in screen_text(pilot.app))
        await pilot.press("backspace", "backspace", "0")
        await until(pilot, lambda: "gone for good" in screen_text(pilot.app))
        await pilot.press("enter")
        await until(pilot, lambda: not repository.removed())


async def test_tags_and_notes_are_kept_beside_the_version(tmp_path: Path) -> None:
    async with opened(tmp_path, (160, 40)) as pilot:
        await pilot.press("d")
        await until(
            pilot, lambda: isinstance(pilot.app.screen, VersionScreen) and "In use by" in screen_text(pilot.app)
        )
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, RemarksDialog))
        await pilot.press(*"calm best", "tab", *"as Li wants it", "ctrl+s")
        repository = LoraRepository(tmp_path / "lora")
        await until(pilot, lambda: repository.remarks())
        said = repository.remarks()["v2.2_customer_service_calm"]
        assert (said.tags, said.note) == (("calm", "best"), "as Li wants it")
        await until(pilot, lambda: "#calm #best" in screen_text(pilot.app))
        await pilot.press("escape")
        await until(pilot, lambda: "calm best" in cells_of(pilot, "v2.2_customer_service_calm"))


async def test_a_wrong_tag_is_explained(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("d", "e")
        await until(pilot, lambda: isinstance(pilot.app.screen, RemarksDialog))
        await pilot.press(*"No!", "ctrl+s")
        await until(pilot, lambda: "LORA071" in told(pilot))
        assert not LoraRepository(tmp_path / "lora").remarks()


async def test_two_marked_versions_are_compared(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("space")
        await until(pilot, lambda: "◆" in cells_of(pilot, "v2.2_customer_service_calm"))
        await pilot.press("j", "space")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await until(pilot, lambda: "How far apart" in screen_text(pilot.app))
        text = screen_text(pilot.app)
        assert "8  →  4" in text and "self_attn" in text
        await pilot.press("m")
        await until(pilot, lambda: "Cosine of both" in screen_text(pilot.app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RepositoryScreen))
        assert "◆" not in cells_of(pilot, "v2.2_customer_service_calm")


async def test_any_generation_can_be_gone_back_to(tmp_path: Path) -> None:
    link, repository = tmp_path / "lora/latest", LoraRepository(tmp_path / "lora")
    async with opened(tmp_path) as pilot:
        desk = screen_of(pilot).desk
        for name in ("v1.0_product_demo", "v2.2_customer_service_calm", "v2.1_customer_service"):
            desk.deployment().activate("latest", name, f"to {name[:4]}")
        await pilot.press("h")
        await until(pilot, lambda: isinstance(pilot.app.screen, HistoryScreen) and "to v1.0" in screen_text(pilot.app))
        assert "dmd_lora.safetensors" in screen_text(pilot.app), "hashes are shown"
        await pilot.press("G", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, SwitchDialog) and pilot.app.screen._plans)
        assert "As after generation 1" in screen_text(pilot.app)
        await pilot.press("enter")
        await until(pilot, lambda: link.readlink() == Path("v1.0_product_demo"))
        assert repository.history()[-1].back_to == 1
        await until(pilot, lambda: "back to 1" in screen_text(pilot.app))


async def test_filter_and_order(tmp_path: Path) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("slash", *"customer")
        await until(pilot, lambda: len(table_of(pilot).keys) == 2)
        assert "2 of 4" in screen_text(pilot.app)
        await pilot.press("enter", "escape")
        await until(pilot, lambda: len(table_of(pilot).keys) == 4)
        await pilot.press("slash", *"finding:error", "enter")
        await until(pilot, lambda: list(table_of(pilot).keys) == [WINTER])
        await pilot.press("escape", "s", "s", "s")
        await until(pilot, lambda: "Rank ▾" in screen_text(pilot.app))
        assert table_of(pilot).keys[0] == "v2.2_customer_service_calm"
        await pilot.press("S")
        await until(pilot, lambda: table_of(pilot).keys[-1] == "v2.2_customer_service_calm")


@pytest.mark.parametrize("typed", ["", "0", "-1", "x", "9999999"])
async def test_a_number_that_is_none_changes_nothing(tmp_path: Path, typed: str) -> None:
    async with opened(tmp_path) as pilot:
        await pilot.press("t", "p")
        await until(pilot, lambda: isinstance(pilot.app.screen, NumberDialog))
        pilot.app.screen.query_one(Input).value = typed
        await until(pilot, lambda: "whole number" in screen_text(pilot.app))
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, NumberDialog)
        assert len(DIT) and not LoraRepository(tmp_path / "lora").removed()


async def test_a_running_job_keeps_its_version(tmp_path: Path) -> None:
    world = write_world(tmp_path)
    version = tmp_path / "lora" / WINTER
    spec = msgspec.structs.replace(SPEC, adapters=(str(version),))
    job = write_job(world.jobs_folder(), "20260314-092600-aaaaaa", spec, half_way())
    async with opened(tmp_path) as pilot:
        await pilot.press("j", "j", "x")
        await until(pilot, lambda: "LORA054" in told(pilot) and job.root.name in told(pilot))
        assert version.is_dir()
        config = tmp_path / "config.yaml"
        config.write_text(config.read_text().replace("production: v1.0_product_demo", f"production: {WINTER}"))
        await pilot.press("k", "a")
        await until(pilot, lambda: isinstance(pilot.app.screen, SwitchDialog) and pilot.app.screen._plans)
        await pilot.press("down")
        await until(pilot, lambda: f"1 running job keeps {WINTER}" in screen_text(pilot.app))
