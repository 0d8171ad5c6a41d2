"""Where the helpers of the other tests are found, and a small world around the embedded avatar."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "terminal"), str(TESTS / "liveavatar_tui"), str(TESTS / "survival")]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Path]:
    """Settings for the shortest run of the real engine that there is: one clip of the embedded avatar."""
    settings = {
        "lora": {"repository": str(TESTS.parent / "ckpt/lora_repository")},
        "jobs": {"folder": "jobs", "grace_s": 2.0},
        "generate": {"size": "128*128", "num_clip": 1, "sample_steps": 2, "threads": 1},
    }
    from standins import jobs_folder

    (tmp_path / "config.yaml").write_text(json.dumps(settings))
    with jobs_folder(tmp_path / "jobs"):
        yield tmp_path


@pytest.fixture
def jobs_dir(world: Path) -> Path:
    """Where its jobs lie."""
    return world / "jobs"
