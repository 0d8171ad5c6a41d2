"""Every command that a message, a fix, an example or a page names exists, and takes what it is given there."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from liveavatar_tui.cli import _parser
from liveavatar_tui.deployment import SWITCHED
from lora_repository.wording import switch_command

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for name in ("engine", "lora_repository", "liveavatar_tui") for path in (ROOT / name).rglob("*.py")
)
PAGES = sorted([ROOT / "README.md", ROOT / "config.yaml", *(ROOT / "docs").rglob("*.md")])
OURS = "liveavatar-tui"
# A command ends with its line, at a comment, a pipe, a closing quotation, or where prose goes on behind two blanks.
_NAMED = re.compile(r"(?<![\w./-])liveavatar-tui(?P<rest>(?: (?! |#|\||&|>|<|`)[^\n`|;&)]+)?)")


def in_strings(path: Path) -> set[str]:
    """Commands written out in the string constants of a module, docstrings apart; facts in braces become words."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            found |= set(named_in(node.value))
    return found


def named_in(text: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", "", text).replace("COMMAND", "jobs")  # any command
    return [
        OURS + re.sub(r"\{\w+\}", "x", match["rest"].partition("  ")[0].rstrip(" .:,"))
        for match in _NAMED.finditer(joined)
    ]


def in_calls(path: Path) -> set[str]:
    """Commands put together by `command("liveavatar-tui", "publish", version)`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "command" or not node.args:
            continue
        words = [
            word.value if isinstance(word, ast.Constant) else "x"
            for word in node.args
            if not isinstance(word, ast.Starred)
        ]
        if words[0] == OURS:
            found.add(shlex.join(str(word) for word in words))
    return found


NAMED = {line: path.relative_to(ROOT) for path in SOURCES for line in in_strings(path) | in_calls(path)}
NAMED |= {line: path.relative_to(ROOT) for path in PAGES for line in named_in(path.read_text(encoding="utf-8"))}


def test_there_are_enough_of_them_to_trust_the_search() -> None:
    assert len(NAMED) > 40
    assert {f"{OURS} history", f"{OURS} restore", f"{OURS} publish x", f"{OURS} jobs cancel x"} <= NAMED.keys()


@pytest.mark.parametrize("channel", SWITCHED)
def test_the_command_that_moves_a_channel(channel: str) -> None:
    given = _parser().parse_args(shlex.split(switch_command(channel, "v2.1"))[1:])
    assert (given.version, getattr(given, "channel", "latest")) == ("v2.1", channel)


@pytest.mark.parametrize("line", sorted(NAMED))
def test_a_named_command_parses(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(line.replace("...", "x"))[1:]
    if len(words) == 1 and NAMED[line].suffix == ".md":
        words.append("--help")  # a page speaks of the command as such
    if words[-1:] == ["--help"]:
        with pytest.raises(SystemExit) as leaving:
            _parser().parse_args(words)
        assert leaving.value.code == 0
        return
    try:
        _parser().parse_args(words)
    except SystemExit:
        pytest.fail(f"{NAMED[line]} names: {line}\n{capsys.readouterr().err}")
