"""From a name to the folder that a run uses: what config.yaml says starts from where config.yaml lies."""

from __future__ import annotations

from pathlib import Path

import pytest
from world import write_version, write_world

from liveavatar_tui.launch import compose_spec, resolve
from liveavatar_tui.settings import load_settings
from lora_repository.finding import Problem


@pytest.mark.parametrize("written", ["nightly", "./nightly", "shared/nightly", "shared/../nightly/"])
def test_a_relative_channel_starts_from_the_settings_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    write_world(tmp_path)
    expected = write_version(tmp_path / written).resolve()
    text = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text.replace("production: v1.0_product_demo", f"production: {written}"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = load_settings(tmp_path / "config.yaml", environ={})
    assert resolve(settings, "production") == expected
    assert compose_spec(settings, ["production"]).adapters == (str(expected),)


def test_what_is_typed_starts_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = write_world(tmp_path)
    write_version(tmp_path / "nightly")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with pytest.raises(Problem) as caught:
        resolve(settings, "nightly")
    assert caught.value.finding.code == "LORA061"
    assert resolve(settings, "../nightly") == tmp_path / "nightly"
