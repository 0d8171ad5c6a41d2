"""Channels in config.yaml: edited byte for byte, recorded as `latest` is, with demands of their own."""

import json
from itertools import pairwise

import pytest
import yaml
from adapter_files import DIT, T5, write_version
from hypothesis import given
from hypothesis import strategies as st
from misfortune import die_at

from lora_repository.channels import resolve_channel
from lora_repository.finding import Problem
from lora_repository.pointers import KeyPointer
from lora_repository.policy import Policy
from lora_repository.proof import prove
from lora_repository.repository import LoraRepository
from lora_repository.yaml_edit import read_scalar, replace_scalar

CONFIG = """\
# The settings.
lora:
  default: "latest"     # what a run uses
  production: 'v1.0_a'  # careful
  staging:

other: {a: 1,   b: [2, 3]}   # odd   spacing stays
"""
NAMES = ("v1.0_a", "v1.1_b", "v1.2_c")


@pytest.fixture
def root(tmp_path):
    for name in NAMES:
        write_version(tmp_path / "repository" / name, t5=False)
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "config.yaml").chmod(0o640)
    return tmp_path


def production(root, policy=Policy(), channel="production"):  # noqa: B008  # frozen
    repository = LoraRepository(root / "repository", lambda path: prove(path, DIT, T5))
    pointer = KeyPointer(root / "config.yaml", channel)
    return repository.channel(pointer, lambda text: resolve_channel("this", {"this": text}, repository, root), policy)


def value(root, channel="production"):
    return yaml.safe_load((root / "config.yaml").read_text())["lora"][channel]


def history(root):
    return LoraRepository(root / "repository").history()


def refused(code, function, *arguments):
    with pytest.raises(Problem) as caught:
        function(*arguments)
    assert caught.value.finding.code == code, caught.value
    return caught.value.finding


def test_a_switch_changes_one_value_and_nothing_else(root):
    made = production(root).move_to("v1.1_b", "warmer")
    assert (made.channel, made.before, made.after, made.number) == ("production", "v1.0_a", "v1.1_b", 1)
    assert (root / "config.yaml").read_text() == CONFIG.replace("'v1.0_a'", "v1.1_b")
    assert (root / "config.yaml").stat().st_mode & 0o777 == 0o640
    assert history(root) == [made]


def test_an_empty_key_a_path_and_a_rollback(root):
    staging = production(root, channel="staging")
    assert staging.move_to("repository/v1.0_a", "").before is None
    staging.move_to(str(root / "repository" / "v1.1_b"), "")
    assert staging.rollback(None, "worse").after == "repository/v1.0_a"
    assert value(root, "staging") == "repository/v1.0_a"
    refused("LORA046", staging.rollback, None, "")


def test_channels_share_one_history_and_keep_apart(root):
    link = LoraRepository(root / "repository", lambda path: prove(path, DIT, T5))
    link.activate("v1.0_a")
    production(root).move_to("v1.1_b", "")
    link.activate("v1.2_c")
    production(root).move_to("v1.2_c", "")
    assert [(g.number, g.channel) for g in history(root)] == [
        (1, "latest"), (2, "production"), (3, "latest"), (4, "production"),
    ]  # fmt: skip
    assert production(root).rollback(None, "").after == "v1.1_b"
    assert link.rollback().after == "v1.0_a"
    refused("LORA047", link.rollback, 2)
    assert value(root) == "v1.1_b"


def test_what_would_not_load_is_refused(root):
    (root / "repository" / "v1.1_b" / "config.json").unlink()
    assert "production is not moved" in refused("LORA044", production(root).move_to, "v1.1_b", "").message
    refused("LORA040", production(root).move_to, "v9.0_x", "")
    assert (root / "config.yaml").read_text() == CONFIG


def test_policies(root):
    strict = Policy(no_warnings=True, published=True)
    refused("LORA064", production(root, strict).move_to, "v1.1_b", "")
    repository = LoraRepository(root / "repository", lambda path: prove(path, DIT, T5))
    repository.publish(root / "repository" / "v1.1_b", "v2.0_b")
    assert production(root, strict).move_to("v2.0_b", "").after == "v2.0_b"
    (root / "repository" / "v2.0_b" / "old.pt").write_bytes(b"")
    production(root).move_to("v1.0_a", "")
    assert "pickled" in refused("LORA064", production(root, strict).move_to, "v2.0_b", "").message


def test_killed_anywhere_the_file_is_whole_and_the_history_agrees(root):
    step = 0
    killed = True
    while killed:
        step += 1
        target = NAMES[step % 2]
        before = value(root)
        killed = die_at(step, lambda target=target: production(root).move_to(target, ""))
        assert value(root) in (before, target)
        production(root).move_to("v1.2_c", "")
        entries = history(root)
        assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
        assert all(one.after == two.before for one, two in pairwise(entries))
        assert (root / "config.yaml").read_text() == CONFIG.replace("'v1.0_a'", "v1.2_c")
    assert step > 20


def test_a_linked_config_stays_linked(root):
    (root / "config.yaml").rename(root / "real.yaml")
    (root / "config.yaml").symlink_to("real.yaml")
    production(root).move_to("v1.1_b", "")
    assert (root / "config.yaml").is_symlink()
    assert value(root) == "v1.1_b"


@pytest.mark.parametrize(
    "text",
    [
        "lora: [1]", "lora: {default: x}", "lora: 3", "- lora", "lora: {",
        "lora: {}\nlora: x", "lora:\n  a: " + "[" * 3000, "lora:\n  a: 2025-13-45",
        "lora:\n\t- x", "lora:\n  production: [a]",
        "lora:\n  production: |\n    a\n", "x: &a v1.0_a\nlora:\n  production: *a\n",
        "lora:\n  production: &a v1\n  staging: *a\n", "lora: &l\n  production: a\nother: *l\n",
    ],
)  # fmt: skip
def test_what_cannot_be_edited_safely_is_refused(root, text):
    (root / "config.yaml").write_text(text)
    refused("LORA063", production(root).move_to, "v1.1_b", "")
    assert (root / "config.yaml").read_text() == text
    assert history(root) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "lora:\n  production: v1.1_b\n"),
        ("a: 1", "a: 1\nlora:\n  production: v1.1_b\n"),
        ("lora:\n    # first\n    default: x\n", "lora:\n    # first\n    production: v1.1_b\n    default: x\n"),
        ("lora:\n  production:\n", "lora:\n  production: v1.1_b\n"),
        ("lora:\n  production: # none\n", "lora:\n  production: v1.1_b # none\n"),
        ("lora:\n  production: null # none\n", "lora:\n  production: v1.1_b # none\n"),
        ("lora: {production: a, staging: b}\n", "lora: {production: v1.1_b, staging: b}\n"),
        ("lora:\r\n  production: a\r\n", "lora:\r\n  production: v1.1_b\r\n"),
        ("é: ü\nlora:\n  production: 'ä'\n", "é: ü\nlora:\n  production: v1.1_b\n"),
    ],
)
def test_every_way_to_write_it(root, text, expected):
    assert replace_scalar(text, ("lora", "production"), "v1.1_b", root) == expected


@given(st.text(min_size=1, max_size=40), st.text(max_size=20))
def test_any_value_is_read_back(new, old):
    text = f"a: 1  # one\nlora:\n  production: {json.dumps(old)}  # two\n  x: 2\n"
    try:
        edited = replace_scalar(text, ("lora", "production"), new, None)
    except Problem:
        assert any(not character.isprintable() or ord(character) > 0xD7FF for character in new + old)
        return
    assert read_scalar(edited, ("lora", "production"), None) == new
    assert edited.startswith("a: 1  # one\nlora:\n  production: ")
    assert edited.endswith("  # two\n  x: 2\n")
