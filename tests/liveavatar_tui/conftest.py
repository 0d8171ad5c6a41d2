"""A repository with channels in a commented config.yaml, and the command line in this process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command_lines import Call
from world import write_world

from liveavatar_tui.cli import main


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the small world, whose settings are in force; nothing of the user's is."""
    write_world(tmp_path)
    config = tmp_path / "config.yaml"
    text = config.read_text().replace("v1.0_product_demo", "v1.0_product_demo   # slow")
    config.write_text("# what production uses: ask Li\n" + text)
    monkeypatch.setenv("LIVEAVATAR_CONFIG", str(config))
    monkeypatch.setenv("LIVEAVATAR_LANG", "en")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs a command; exit code, stdout and stderr."""

    def _call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(one) for one in arguments])
        sys.stdout.flush()
        out, err = capfd.readouterr()
        return code, out, err

    return _call
