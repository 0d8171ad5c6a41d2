"""What the product says goes through the catalogue, and the Chinese one is whole and can be formatted.

After new or changed words: `make messages`, translate what is empty in the `.po`, and `make messages` again.
"""

from __future__ import annotations

import ast
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from gettext import GNUTranslations
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from liveavatar_tui import keymap
from lora_repository import i18n

ROOT = Path(__file__).parents[1]
PACKAGES = ("lora_repository", "engine", "liveavatar_tui")
LOCALE = ROOT / "lora_repository" / "locale"
CHINESE = LOCALE / "zh_CN" / "LC_MESSAGES" / "liveavatar.po"
HAN = re.compile(r"[\u4e00-\u9fff]")
MARKERS = ("_", "N_", "ngettext")
THE_SAME = re.compile(
    r"[,;] $|v<major>|(chmod|pip install|mkdir -p|unset|ulimit|liveavatar-tui serve) |--(sample-steps|size|precision) |"
    r"\{\w+\}(\.? \{\w+\})?$|(LoRA|VAE|NCCL|Alpha|config\.json: \{reason\}\.)$|PCIe \{|systemd scope |"
    r"approved calm-voice$"
)
"""Messages without a word to translate: a command, a flag, a value, a term, a comma."""
TOOLS = re.compile(r"(engine/embedded/(corpus|metrics|train|portrait_reader)|engine/bench)")
"""What makes the embedded model, and what measures the engine: run by developers, in English."""
SINKS = frozenset(
    {"say", "complain", "notify", "tell", "Content", "styled", "Static", "paragraph", "Question"}
    | {"Finding", "problem", "add_command", "Field", "Choice", "Tick", "Button"}
)
SHOWN = frozenset({"help", "placeholder", "reason", "differences", "border_title", "border_subtitle"})
WORDS = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def called(node: ast.AST) -> str:
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "id", getattr(function, "attr", ""))


def ids(message: Message) -> tuple[str, ...]:
    return message.id if isinstance(message.id, tuple) else (message.id,)


def strings(message: Message) -> tuple[str, ...]:
    return tuple(message.string) if isinstance(message.string, tuple | list) else (str(message.string),)


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


def said(catalogue: Catalog) -> set[tuple[str, ...]]:
    return {ids(message) for message in catalogue if message.id}


def extracted() -> set[tuple[str, ...]]:
    found = (entry for package in PACKAGES for entry in extract_from_dir(ROOT / package))
    return {message if isinstance(message, tuple) else (message,) for _file, _line, message, *_rest in found}


def fields(text: str) -> set[str]:
    """`{n}`, `{share:.0%}` and `%(value)r` as sets; text that only looks like a template has none."""
    percent = set(re.findall(r"%(?:\(\w+\))?[srd]", text))
    try:
        return percent | {f"{name}:{spec}" for _text, name, spec, _conversion in Formatter().parse(text) if name}
    except ValueError:
        return percent


CATALOGUE = [message for message in read(CHINESE) if message.id]


def test_everything_that_is_said_is_in_the_catalogue() -> None:
    assert said(read(CHINESE)) == extracted()
    assert said(read(LOCALE / "liveavatar.pot")) == extracted()


def test_the_catalogue_is_whole() -> None:
    assert not [message.id for message in CATALOGUE if not all(strings(message))]
    assert not [message.id for message in CATALOGUE if message.fuzzy]
    assert not read(CHINESE).obsolete


def test_every_translation_is_chinese() -> None:
    english = [ids(one)[0] for one in CATALOGUE if not HAN.search(strings(one)[0])]
    assert not [message for message in english if not THE_SAME.match(message)]


def test_translations_have_the_same_fields() -> None:
    for message in CATALOGUE:
        for translation in strings(message):
            assert fields(translation) == fields(ids(message)[-1]), message.id
            assert translation.endswith("\n") == ids(message)[-1].endswith("\n"), message.id


def test_the_compiled_catalogue_is_that_of_the_text() -> None:
    compiled = io.BytesIO()
    write_mo(compiled, read(CHINESE))
    compiled.seek(0)
    with CHINESE.with_suffix(".mo").open("rb") as file:
        shipped = GNUTranslations(file)
    expected = GNUTranslations(compiled)
    assert {key: text for key, text in vars(shipped)["_catalog"].items() if key} == {
        key: text for key, text in vars(expected)["_catalog"].items() if key
    }


def test_marked_strings_are_found_by_the_extractor() -> None:
    """It sees neither a marker inside a marker nor an f-string; what is not constant has to be marked elsewhere."""
    found = {text for message in extracted() for text in message}
    for path, tree in sources():
        for node in ast.walk(tree):
            if called(node) not in MARKERS or not isinstance(node, ast.Call):
                continue
            place = f"{path}:{node.lineno}"
            assert not [one for one in node.args if isinstance(one, ast.JoinedStr)], place
            marked = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant)]
            assert {text for text in marked if isinstance(text, str)} <= found, place


def test_nothing_is_translated_before_the_language_is_chosen() -> None:
    """Modules, classes and defaults are read at import: there `N_` marks, and `_` translates where it is shown."""

    def translated(node: ast.AST) -> Iterator[int]:
        inner: list[ast.AST] = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inner = [*node.args.defaults, *(one for one in node.args.kw_defaults if one is not None)]
        if isinstance(node, ast.Call) and called(node) in ("_", "ngettext"):
            yield node.lineno
        for one in inner:
            yield from translated(one)

    assert not [f"{path}:{line}" for path, tree in sources() for line in translated(tree)]


def test_what_is_shown_is_marked() -> None:
    """English sentences handed straight to what shows them."""
    bare = []
    for path, tree in sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or TOOLS.match(path):
                continue
            shown = [word.value for word in node.keywords if word.arg in SHOWN]
            shown += node.args if called(node) in SINKS else []
            bare += [f"{path}:{node.lineno}" for one in shown if WORDS.search(_text(one))]
    assert not bare


def _text(node: ast.expr) -> str:
    """The constant text of a string or an f-string."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "\0".join(str(part.value) for part in parts if isinstance(part, ast.Constant))


def test_every_key_has_its_words_in_the_language_in_force() -> None:
    groups = [keys for _name, keys in keymap.SECTIONS] + [keymap.LISTS, keymap.HELP, keymap.DIALOG]
    words = {word for keys in groups for key in keys for word in (key.label, key.tip)}
    i18n.set_language("zh_CN")
    try:
        assert not [word for word in words if not HAN.search(i18n._(word))]
    finally:
        i18n.set_language("en")


@pytest.mark.parametrize(
    ("arguments", "english", "chinese"),
    [
        (["--help"], "Show this text.", "显示此帮助。"),
        (["versions", "--help"], "List the LoRA versions", "列出 LoRA 版本"),
        (["check", "{folder}"], "config.json is missing in {folder}.", "{folder} 中缺少 config.json。"),
        (["check"], "the following arguments are required: LORA", "缺少必需的参数：LORA"),
        (["versions"], "v1.0_product_demo", "v1.0_product_demo"),
    ],
    ids=["help", "help-of-a-command", "findings", "misuse", "names"],
)
def test_the_command_line_speaks_both_languages(
    tmp_path: Path, arguments: list[str], english: str, chinese: str
) -> None:
    for language, words, others in (("en", english, chinese), ("zh_CN", chinese, english)):
        told = speak(language, *(argument.format(folder=tmp_path) for argument in arguments))
        assert words.format(folder=tmp_path) in told
        assert words == others or others.format(folder=tmp_path) not in told
        assert bool(HAN.search(told)) == (language == "zh_CN") or words == others


def speak(language: str, *arguments: str) -> str:
    """Everything that a command says, on both streams."""
    environment = os.environ | {"LIVEAVATAR_LANG": language, "LIVEAVATAR_CONFIG": str(ROOT / "config.yaml")}
    command = [sys.executable, "-m", "liveavatar_tui.cli", *arguments]
    told = subprocess.run(
        command, env=environment | {"PYTHONUTF8": "1"}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout + told.stderr
