"""The app on its versions screen over the small world, and what stands there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from world import until, write_world

from liveavatar_tui.full_screen import LiveAvatarApp
from liveavatar_tui.screens.repository import RepositoryScreen
from liveavatar_tui.settings import load_settings
from liveavatar_tui.widgets.version_table import VersionTable


@asynccontextmanager
async def opened(root: Path, size: tuple[int, int] = (120, 40), *, wait: bool = True) -> AsyncIterator[Pilot[int]]:
    """The versions of the world at `root`, made if it is not there; `wait`: everything proved."""
    if not (root / "config.yaml").exists():
        write_world(root)
    app = LiveAvatarApp(load_settings(root / "config.yaml", environ={}), host="gpu-07")
    async with app.run_test(size=size, notifications=True) as pilot:
        await app.action_go("versions")
        if wait:
            await until(pilot, lambda: proved(pilot))
        yield pilot


def screen_of(pilot: Pilot[Any]) -> RepositoryScreen:
    """The versions screen, whatever lies over it."""
    screen = pilot.app.get_screen_stack("versions")[0]
    assert isinstance(screen, RepositoryScreen)
    return screen


def proved(pilot: Pilot[Any]) -> bool:
    """Whether every version is listed and proved."""
    screen = screen_of(pilot)
    return bool(screen._listing.rows) and len(screen._proofs) == len(screen._listing.rows)


def table_of(pilot: Pilot[Any]) -> VersionTable:
    """The list."""
    return screen_of(pilot).query_one(VersionTable)


def cells_of(pilot: Pilot[Any], name: str) -> str:
    """One row as it is drawn."""
    return " | ".join("".join(text for text, _style in cell) for cell in table_of(pilot).cells(name))


def told(pilot: Pilot[Any]) -> str:
    """All notifications that are up, with their codes."""
    return "\n".join(f"{one.title} {one.message}" for one in pilot.app._notifications)
