"""Changes under a folder and of one file beside it: told by the kernel, or seen where other hosts write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from liveavatar_tui import folder_watch
from liveavatar_tui.folder_watch import FolderWatch

Watch = Callable[[], threading.Event]


@pytest.fixture(params=["told", "seen"])
def watch(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Starts to watch; the event is set by the next change."""
    if request.param == "seen":
        # No network drive can be mounted here: the kind of the file system is made up, the looking is real.
        monkeypatch.setattr(folder_watch, "kind_of", lambda _path: "nfs4")
        monkeypatch.setattr(folder_watch, "_LOOK_S", 0.05)
    (tmp_path / "lora/.liveavatar").mkdir(parents=True)
    (tmp_path / "lora/v1.0_x").mkdir()
    (tmp_path / "config.yaml").write_text("lora: {}\n")
    watches = []

    def start() -> threading.Event:
        changed = threading.Event()
        watches.append(FolderWatch(tmp_path / "lora", changed.set, tmp_path / "config.yaml"))
        time.sleep(0.2)  # the first look is taken
        return changed

    yield start
    for one in watches:
        one.stop()


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "lora/v2.0_y").mkdir(),
        lambda root: (root / "lora/v1.0_x/config.json").write_text("{}"),
        lambda root: (root / "lora/.liveavatar/generations.jsonl").write_text("{}\n"),
        lambda root: (root / "lora/latest").symlink_to("v1.0_x"),
        lambda root: (root / "config.yaml").write_text("lora: {default: latest}\n"),
    ],
    ids=["version", "file", "history", "link", "settings"],
)
def test_a_change_is_told(tmp_path: Path, watch: Watch, change: Callable[[Path], object]) -> None:
    changed = watch()
    change(tmp_path)
    assert changed.wait(20)


def test_what_lies_beside_the_settings_is_nobodys_business(tmp_path: Path, watch: Watch) -> None:
    changed = watch()
    (tmp_path / "engine.log").write_text("line\n")
    (tmp_path / "lora/v1.0_x").iterdir()
    assert not changed.wait(0.8)


def test_nothing_is_told_after_the_end(tmp_path: Path) -> None:
    changed = threading.Event()
    (tmp_path / "lora").mkdir()
    watch = FolderWatch(tmp_path / "lora", changed.set)
    watch.stop()
    (tmp_path / "lora/v2.0_y").mkdir()
    assert not changed.wait(0.6)


def test_a_folder_that_is_not_there_yet_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_watch, "_LOOK_S", 0.05)
    changed = threading.Event()
    watch = FolderWatch(tmp_path / "lora", changed.set)
    time.sleep(0.2)
    (tmp_path / "lora/v1.0_x").mkdir(parents=True)
    assert changed.wait(20)
    watch.stop()
