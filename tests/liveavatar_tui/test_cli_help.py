"""What the command line says of itself, in which language, and how little it imports for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import __version__
from engine.spec import RunSpec
from lora_repository.i18n import language, set_language

COMMANDS = (
    *("versions", "history", "resolve", "check", "activate", "rollback", "promote", "publish", "fetch", "convert"),
    *("remove", "restore", "prune", "preflight", "run", "jobs", "config", "serve"),
)


@pytest.fixture(autouse=True)
def speak_english(world: Path) -> Iterator[None]:
    yield
    set_language("en")


def test_version(call) -> None:
    assert call("--version") == (0, f"liveavatar-tui {__version__}\n", "")


def test_help_teaches(call) -> None:
    code, out, _err = call("--help")
    assert code == 0
    assert all(f"\n    {command} " in out for command in COMMANDS)
    assert "liveavatar-tui activate v2.1" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(call, command: str) -> None:
    code, out, _err = call(command, "--help")
    assert code == 0 and f"Usage: liveavatar-tui {command}" in out


def test_every_field_of_a_run_has_a_flag(call) -> None:
    _code, out, _err = call("run", "--help")
    fields = set(RunSpec.__struct_fields__) - {"adapters", "label", "language"}
    assert [field for field in fields if f"--{field.replace('_', '-')} " not in out] == []


HEAVY = {
    "typer",
    "torch",
    "textual",
    "numpy",
    "PIL",
    "av",
    "rich.console",
    "watchdog",
    "httpx",
    "huggingface_hub",
    "pydantic",
}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["--version"],
        ["versions", "--json"],
        ["history"],
        ["resolve", "latest"],
        ["restore"],
        ["jobs", "--json"],
        ["config"],
    ],
)
def test_what_is_quick_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"import sys\nfrom liveavatar_tui.cli import main\nmain({arguments!r})\nprint(*sys.modules, file=sys.stderr)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.intersection(told.stderr.split()) == set()


def test_the_language_of_the_settings_is_spoken(call, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIVEAVATAR_LANG")
    with (world / "config.yaml").open("a") as file:
        file.write("language: zh_CN\n")
    call("jobs")
    assert language() == "zh_CN"
    set_language("en")


def test_a_closed_pipe_is_no_traceback() -> None:
    code = "import sys\nfrom liveavatar_tui.cli import main\nsys.exit(main(['versions']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("arguments", [["--lang", "zh_CN", "jobs", "--help"], ["--lang=zh_CN", "jobs", "--help"]])
def test_a_flag_chooses_the_language_of_help_too(call, arguments: list[str]) -> None:
    code, out, _err = call(*arguments)
    assert code == 0 and "用法" in out
    assert call("--lang", "fr", "jobs")[0] == 2


@pytest.mark.parametrize("line", ["language: zh_CN", "language: 'zh_CN'   # ours", 'lora: [broken\nlanguage: "zh_CN"'])
def test_help_speaks_the_language_of_the_settings_whatever_else_they_say(
    call, world: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.delenv("LIVEAVATAR_LANG")
    (world / "config.yaml").write_text(line + "\n")
    assert "用法" in call("run", "--help")[1]
    monkeypatch.setenv("LIVEAVATAR_LANG", "en")
    assert "Usage" in call("run", "--help")[1]


def test_the_app_in_a_pipe_is_plain_lines(call, world: Path) -> None:
    code, out, err = call()
    assert code == 0 and "TERM001" in err
    assert "Channel production: v1.0_product_demo." in out and "No jobs." in out and "Commands: versions" in out
    code, out, err = call("--plain")
    assert code == 0 and err == "" and "Channel staging" in out


def test_a_channel_that_leads_nowhere_is_told_with_its_code(call, world: Path) -> None:
    config = world / "config.yaml"
    config.write_text(config.read_text().replace("production: v1.0_product_demo", "production: v9.9_gone"))
    _code, out, _err = call("--plain")
    assert "Channel production: leads nowhere" in out and "error LORA040" in out
