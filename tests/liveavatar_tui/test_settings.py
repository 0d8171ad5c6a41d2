"""Settings: what is in force, where it came from, and what happens to a line that is wrong."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from liveavatar_tui.config_file import read_config
from liveavatar_tui.settings import Settings, Source, keys, load_settings, schema, variable
from lora_repository.finding import Problem

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str) -> Path:
        file = tmp_path / "config.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return _write


def load(file: Path | None, **rest: object) -> Settings:
    return load_settings(file, environ={}, **rest)


def refused(file: Path, **rest: object) -> Problem:
    with pytest.raises(Problem) as caught:
        load(file, **rest)
    assert caught.value.exit_code == 2
    return caught.value


def test_the_file_that_ships_says_what_the_seed_promises() -> None:
    settings = load(ROOT / "config.yaml")
    assert set(settings.channels()) == {"default", "production", "staging"}
    assert settings.lora.repository == str(ROOT / "ckpt/lora_repository")
    assert settings.ckpt_dir == "embedded"
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert raw["lora"]["production"] == settings.lora.production


def test_the_file_that_ships_shows_every_setting() -> None:
    shown = read_config(ROOT / "config.yaml", frozenset(keys()))
    assert set(shown.values) == set(keys())


def test_the_file_that_ships_repeats_the_defaults() -> None:
    shipped = load(ROOT / "config.yaml")
    defaults = load_settings(None, environ={"LIVEAVATAR_CONFIG": "/dev/null"})
    for key in keys():
        if not key.startswith("lora."):
            assert shipped.value(key) == defaults.value(key), key


def test_the_shell_reads_the_same_key() -> None:
    told = subprocess.run(["yq", ".lora.production", ROOT / "config.yaml"], capture_output=True, text=True, check=False)
    if told.returncode:
        told = subprocess.run(["yq", "e", ".lora.production", ROOT / "config.yaml"], capture_output=True, text=True)
    assert told.stdout.strip().strip('"') == load(ROOT / "config.yaml").lora.production


def test_origin_of_each_value(write) -> None:
    file = write("lora:\n  production: v1.0_a\n\ngenerate:\n  seed: 7\n  size: 512*512\n")
    settings = load_settings(file, flags={"generate.seed": 9}, environ={"LIVEAVATAR_GENERATE_SIZE": "320*320"})
    origin = settings.origins
    assert (settings.generate.seed, str(origin["generate.seed"])) == (9, "--seed")
    assert (settings.generate.size, str(origin["generate.size"])) == ("320*320", "LIVEAVATAR_GENERATE_SIZE")
    assert (settings.lora.production, str(origin["lora.production"])) == ("v1.0_a", f"{file}:2")
    assert origin["ckpt_dir"].source is Source.DEFAULT
    assert set(origin) == set(keys())


@pytest.mark.parametrize(
    ("text", "line", "key", "near"),
    [
        ("lora:\n  default: latest\n  prodcution: x\n", 3, "lora.prodcution", "lora.production"),
        ("seed: 3\n", 1, "seed", "generate.seed"),
        ("lorra:\n  default: x\n", 1, "lorra", "lora."),
        ("generate:\n\n  sample-steps: 4\n", 3, "generate.sample-steps", "generate.sample_steps"),
    ],
)
def test_unknown_key_names_line_and_nearest(write, text: str, line: int, key: str, near: str) -> None:
    found = refused(write(text)).finding
    assert found.code == "CFG003"
    assert f"line {line}" in found.message
    assert key in found.message
    assert near in found.fix


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("lora: [1\n", "CFG002", "line 2"),
        ("- a\n- b\n", "CFG002", "line 1"),
        ("lora: latest\n", "CFG002", "line 1"),
        ("generate:\n\tseed: 3\n", "CFG002", "line 2"),
        ("language: en\nlanguage: zh_CN\n", "CFG004", "lines 1 and 2"),
        ("generate:\n  seed: many\n", "CFG005", "generate.seed"),
        ("generate:\n  seed: -1\n", "CFG005", ">= 0"),
        ("generate:\n  seed: '7'\n", "CFG005", "config.yaml:2"),
        ("generate:\n  size: big\n", "CFG005", "generate.size"),
        ("language: fr\n", "CFG005", "language"),
        ("generate:\n  prompt: 2025-13-45\n", "CFG002", "month"),
        ("jobs:\n  grace_s: 0\n", "CFG005", "jobs.grace_s"),
        ("lora:\n  default: null\n", "CFG005", "lora.default"),
    ],
)
def test_a_wrong_line_is_refused_with_its_place(write, text: str, code: str, told: str) -> None:
    found = refused(write(text)).finding
    assert found.code == code
    assert told in found.message


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "absent.yaml").finding.code == "CFG001"


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"language: \xff\xfe\n")
    assert refused(tmp_path / "c.yaml").finding.code == "CFG001"


@pytest.mark.parametrize("text", ["", "# nothing\n", "lora:\n", "lora: {}\n"])
def test_an_empty_file_means_defaults(write, text: str) -> None:
    assert load(write(text)).generate.seed == 420


def test_relative_paths_start_from_the_file(write, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "stage").mkdir()
    file = write("lora:\n  repository: versions\n  staging: ./stage\n  production: owner/name\nckpt_dir: big\n")
    monkeypatch.chdir("/")
    settings = load_settings(file, environ={"LIVEAVATAR_GENERATE_IMAGE": "here.png"})
    assert settings.lora.repository == str(tmp_path / "versions")
    assert settings.lora.staging == str(tmp_path / "stage")
    assert settings.lora.production == "owner/name"
    assert settings.ckpt_dir == str(tmp_path / "big")
    assert settings.generate.image == "/here.png"


def test_a_folder_outranks_a_hub_id_of_the_same_name(write, tmp_path: Path) -> None:
    (tmp_path / "owner/name").mkdir(parents=True)
    assert load(write("lora:\n  production: owner/name\n")).lora.production == str(tmp_path / "owner/name")


def test_file_is_found_here_then_with_the_user(tmp_path: Path, monkeypatch) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    (home / "liveavatar-tui").mkdir(parents=True)
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    (home / "liveavatar-tui/config.yaml").write_text("generate: {seed: 2}")
    assert load(None).generate.seed == 2
    (here / "config.yaml").write_text("generate: {seed: 1}")
    assert load(None).generate.seed == 1
    assert (
        load_settings(None, environ={"LIVEAVATAR_CONFIG": str(home / "liveavatar-tui/config.yaml")}).generate.seed == 2
    )


def test_language_takes_any_locale_name(write) -> None:
    assert load_settings(write(""), environ={"LIVEAVATAR_LANG": "zh-CN.UTF-8"}).language == "zh_CN"


def test_jobs_folder_follows_xdg(write, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert load(write("")).jobs_folder() == tmp_path / "state/liveavatar-tui/jobs"
    assert load(write("jobs:\n  folder: j\n")).jobs_folder() == tmp_path / "j"


def test_the_schema_in_docs_is_the_schema_in_force() -> None:
    written = json.loads((ROOT / "docs/config.schema.json").read_text())
    assert written == schema(), "write it again: liveavatar-tui config --schema > docs/config.schema.json"


def test_each_setting_has_its_own_variable() -> None:
    names = [variable(key) for key in keys()]
    assert len(set(names)) == len(names)


YAMLISH = st.text(alphabet=st.sampled_from("lora:\n  default-'\"[]{}#&*!|>%@`,?1\t\x00é"), max_size=60)


@given(YAMLISH)
def test_any_text_is_settings_or_a_finding(tmp_path_factory, text: str) -> None:
    file = tmp_path_factory.mktemp("any") / "config.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        load(file)
    except Problem as refusal:
        assert refusal.finding.code.startswith("CFG")
