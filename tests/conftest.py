"""A second try for tests on the clock, and a state folder of their own: runs note there what they took."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # no timed assertions: a busy machine pauses any example
settings.load_profile("untimed")

ON_THE_CLOCK = frozenset({"liveavatar_tui", "survival", "terminal", "web"})
"""Tests that wait for other processes and for a screen: on a busy machine one in a thousand comes late."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A second try for those; what fails twice fails."""
    for item in items:
        if ON_THE_CLOCK & set(item.path.parts):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(autouse=True, scope="session")
def state_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before
