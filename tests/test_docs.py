"""The pages keep their promises: every code is explained, every link leads somewhere, every printed command parses."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import engine.compare.__main__
from engine import inference, train_lora
from liveavatar_tui import cli
from liveavatar_tui.settings import keys, variable

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("engine/embedded/**/*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
PARSERS: dict[str, Callable[[], Any]] = {
    "liveavatar-tui": cli._parser,
    "python -m engine.inference": inference._parser,
    "python -m engine.train_lora": train_lora._parser,
    "python -m engine.compare": engine.compare.__main__._parser,
}
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r'"((?:RUN|CFG|JOB|PRE|LORA|AVATAR|TERM|TRAIN|DATA)\d{3})"')


def headings(text: str) -> list[str]:
    return [line.lstrip("#").strip() for line in _FENCE.sub("", text).splitlines() if line.startswith("#")]


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def commands(text: str) -> Iterator[str]:
    """Lines of `sh` and `console` fences that start a command; continued lines joined."""
    for kind, body in _FENCE.findall(text):
        for line in body.replace("\\\n", " ").splitlines():
            if kind == "sh" or (kind == "console" and line.startswith("$ ")):
                yield line.removeprefix("$ ").partition(" #")[0].strip()


def arguments(command: str) -> tuple[str, list[str]] | None:
    """Which of our programs a line starts, and its arguments; None for somebody else's."""
    inner = re.search(r"\$\((.*)\)", command)
    plain = re.sub(r"^(?:[A-Z_]+=\S+ )+", "", inner[1] if inner else command)
    for program in PARSERS:
        if plain == program or plain.startswith(program + " "):
            words = shlex.split(plain.removeprefix(program))
            return program, words[: next((i for i, word in enumerate(words) if word in {"|", "&&", ">"}), None)]
    return None


def test_every_code_of_the_source_has_an_entry() -> None:
    found = {
        code
        for package in ("engine", "liveavatar_tui", "lora_repository")
        for file in (ROOT / package).rglob("*.py")
        for code in _CODE.findall(file.read_text())
    }
    explained = {line.split()[0] for page in (ROOT / "docs/codes").glob("*.md") for line in headings(page.read_text())}
    assert len(found) > 90
    assert found <= explained, found - explained


def test_pages_written_from_the_tables_are_up_to_date() -> None:
    generator = runpy.run_path(str(ROOT / "docs/codes/generate.py"))
    for name in generator["PAGES"]:
        written = (ROOT / "docs/codes" / name).read_text()
        assert written == generator["page"](name), "write them again: python docs/codes/generate.py"


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_leads_somewhere(name: str) -> None:
    page = ROOT / name
    for target in _LINK.findall(_FENCE.sub("", page.read_text())):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _hash, part = target.partition("#")
        place = (page.parent / path) if path else page
        assert place.exists(), target
        assert not part or part in map(anchor, headings(place.read_text())), target


@pytest.mark.parametrize("name", NAMES)
def test_every_printed_command_parses(name: str) -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command in commands((ROOT / name).read_text()):
        if command.startswith("make "):
            assert command.split()[1] in targets, command
        if (ours := arguments(command)) is not None:
            PARSERS[ours[0]]().parse_args(ours[1])


def test_the_readme_prints_commands_at_all() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        lines = list(commands((ROOT / name).read_text()))
        assert {"make run", "make test"} <= set(lines), name
        assert sum(arguments(line) is not None for line in lines) >= 8, name


def test_both_readmes_have_the_same_commands_and_sections() -> None:
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))
    assert list(commands(english)) == list(commands(chinese))
    assert len(headings(english)) == len(headings(chinese))


def test_every_setting_is_described() -> None:
    page = (ROOT / "docs/config.md").read_text()
    for key in keys():
        assert f"`{key}`" in page, key
        assert f"`{variable(key)}`" in page, key
