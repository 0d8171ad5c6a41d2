"""The flags of the command line: what they become, and what is misuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.inference import main, parse
from engine.spec import RunSpec, encode
from lora_repository.finding import Problem

NEEDED = ["--prompt", "p", "--image", "i.png", "--audio", "a.wav"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LIVEAVATAR_LANG", "en")


def test_the_command_line_of_the_article(tmp_path: Path) -> None:
    article = (
        "--lora_path_dmd|/path/to/my_lora/|--prompt|...|--image|examples/presenter.jpg|--audio|examples/explaining.wav"
    )
    request = parse([*article.split("|"), "--size", "688*368", "--num_clip", "100"])
    assert request.spec == RunSpec(
        prompt="...",
        image=str(tmp_path / "examples/presenter.jpg"),
        audio=str(tmp_path / "examples/explaining.wav"),
        adapters=("/path/to/my_lora",),
        size="688*368",
        num_clip=100,
    )
    assert request.folder.root.parent == tmp_path / "state/liveavatar-tui/jobs"


def test_defaults_are_those_of_the_spec(tmp_path: Path) -> None:
    request = parse(NEEDED)
    assert request.spec == RunSpec(prompt="p", image=str(tmp_path / "i.png"), audio=str(tmp_path / "a.wav"))


@pytest.mark.parametrize(
    ("given", "stack"),
    [
        (["--lora_path_dmd", "none"], ()),
        (["--lora_path_dmd", ""], ()),
        (["--lora_path_dmd", "/a/,/b.safetensors"], ("/a", "/b.safetensors")),
        (["--lora_path_dmd", "/a", "--lora_path_dmd", "/b , /c"], ("/a", "/b", "/c")),
    ],
)
def test_a_stack_is_given_by_commas_or_by_repeating(given: list[str], stack: tuple[str, ...]) -> None:
    spec = parse([*NEEDED, *given]).spec
    assert spec is not None and spec.adapters == stack


@pytest.mark.parametrize(("text", "value"), [("True", True), ("False", False), ("true", True)])
def test_offload_takes_a_truth_value(text: str, value: bool) -> None:
    spec = parse([*NEEDED, "--offload_model", text]).spec
    assert spec is not None and spec.offload_model is value


def test_switches_and_numbers() -> None:
    spec = parse([*NEEDED, "--parity", "--avatarise", "--seed", "-7", "--threads", "3", "--sample_steps", "3"]).spec
    assert spec is not None
    assert (spec.parity, spec.avatarise, spec.seed, spec.threads, spec.sample_steps) == (True, True, -7, 3, 3)


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ([], "--prompt, --image, --audio"),
        (["--prompt", "p"], "--image, --audio"),
        ([*NEEDED, "--offload_model", "maybe"], "'maybe'"),
        ([*NEEDED, "--num_clip", "many"], "many"),
        ([*NEEDED, "--colour", "red"], "--colour"),
        ([*NEEDED, "--pro", "p"], "--pro"),
        (["--spec", "s.json", "--seed", "1"], "--spec"),
    ],
)
def test_misuse_is_one_sentence_and_exit_code_2(
    flags: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(flags)
    err = capsys.readouterr().err
    assert caught.value.code == 2 and word in err and err.count("\n") == 1 and "--help" in err


@pytest.mark.parametrize(
    "flags", [["--size", "big"], ["--num_clip", "0"], ["--sample_steps", "99"], ["--threads", "0"]]
)
def test_a_value_that_cannot_be_is_misuse_and_makes_no_folder(
    flags: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([*NEEDED, *flags]) == 2
    assert capsys.readouterr().err.startswith(f"RUN002: {flags[0]} ")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert main([*NEEDED, "--output", "file/job"]) == 1
    assert "RUN004" in capsys.readouterr().err


def test_a_spec_in_its_job_folder_runs_there_and_any_other_gets_a_folder(tmp_path: Path) -> None:
    spec = RunSpec(prompt="p", image="/i", audio="/a")
    for name in ("spec.json", "mine.json"):
        (tmp_path / name).write_bytes(encode(spec))
    there = parse(["--spec", "spec.json"])
    assert (there.folder.root, there.spec) == (tmp_path, None)
    elsewhere = parse(["--spec", "mine.json"])
    assert elsewhere.folder.root.parent == tmp_path / "state/liveavatar-tui/jobs" and elsewhere.spec == spec


def test_a_spec_that_is_not_there() -> None:
    with pytest.raises(Problem, match="RUN001"):
        parse(["--spec", "gone/spec.json"])


def test_help_and_version_need_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--help", "--version"):
        with pytest.raises(SystemExit) as caught:
            main([flag])
        assert caught.value.code == 0
    assert "--lora_path_dmd" in capsys.readouterr().out
