"""Tags and notes: beside the versions, never in them; whatever happens, what was said before is still there."""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from adapter_files import write_version
from hypothesis import given
from hypothesis import strategies as st
from misfortune import as_an_ordinary_user, die_at

from lora_repository.finding import Problem
from lora_repository.notes import LONGEST_NOTE, MOST_TAGS
from lora_repository.proof import Proof
from lora_repository.repository import LoraRepository
from lora_repository.search import Searchable, parse_query
from lora_repository.shallow import ShallowFinding, ShallowProof

NAME = "v1.0_a"


def repository(root: Path) -> LoraRepository:
    return LoraRepository(root, lambda path: Proof(path, "any", (), ()))


@pytest.fixture
def held(tmp_path):
    write_version(tmp_path / NAME, t5=False)
    write_version(tmp_path / "v1.1_b", t5=False)
    return repository(tmp_path)


def code_of(act):
    with pytest.raises(Problem) as caught:
        act()
    return caught.value.finding.code


def test_tags_and_a_note_come_and_go(held):
    before = {path: path.read_bytes() for path in (held.root / NAME).iterdir()}
    held.annotate("v1.0", add=["approved", "calm-2.1"], note="  for the winter\n\n")
    held.annotate(NAME, add=["calm-2.1", "third"], remove=["approved"])
    said = repository(held.root).remarks()[NAME]
    assert (said.tags, said.note, bool(said.user)) == (("calm-2.1", "third"), "for the winter", True)
    assert held.annotate(NAME, note="").note == ""
    assert {path: path.read_bytes() for path in (held.root / NAME).iterdir()} == before
    assert not held.findings()


def test_what_changes_nothing_is_not_written(held):
    held.annotate(NAME, add=["x"], note="y")
    size = (held.state / "notes.jsonl").stat().st_size
    assert held.annotate(NAME, add=["x"], note="y").note == "y"
    assert (held.state / "notes.jsonl").stat().st_size == size


@pytest.mark.parametrize("tag", ["", "Approved", "a b", "-x", "é", "a" * 41, "x\n", "../x"])
def test_what_is_no_tag(held, tag):
    assert code_of(lambda: held.annotate(NAME, add=[tag])) == "LORA071"


def test_limits(held):
    held.annotate(NAME, add=[f"t{n}" for n in range(MOST_TAGS)], note="n" * LONGEST_NOTE)
    assert code_of(lambda: held.annotate(NAME, add=["more"])) == "LORA071"
    assert code_of(lambda: held.annotate(NAME, note="n" * (LONGEST_NOTE + 1))) == "LORA071"
    assert code_of(lambda: held.annotate(NAME, note="\x1b[2J")) == "LORA071"
    assert code_of(lambda: held.annotate("v9.9_no", add=["x"])) == "LORA040"
    assert len(held.remarks()[NAME].tags) == MOST_TAGS


def test_a_spoilt_line_is_told_and_the_others_count(held):
    held.annotate(NAME, add=["one"])
    with (held.state / "notes.jsonl").open("ab") as file:
        file.write(b'{"version": "v1.1_b", "tags"')
    held.annotate("v1.1_b", add=["two"])
    assert {name: said.tags for name, said in held.remarks().items()} == {NAME: ("one",), "v1.1_b": ("two",)}
    (finding,) = held.findings()
    assert (finding.code, finding.severity) == ("LORA072", "warning")


def test_what_is_gone_for_good_is_forgotten(held):
    held.annotate(NAME, add=["one"], note="old")
    held.remove(NAME)
    held.restore(NAME)
    assert held.remarks()[NAME].tags == ("one",)
    held.remove(NAME)
    held.empty_trash(-1)
    write_version(held.root / NAME, t5=False)
    assert (held.remarks()[NAME].tags, held.remarks()[NAME].note) == ((), "")


def test_killed_anywhere_nothing_that_was_said_is_lost(tmp_path):
    step, killed = 0, True
    while killed:
        step += 1
        root = tmp_path / str(step)
        write_version(root / NAME, t5=False)
        repository(root).annotate(NAME, add=["one"], note="first")
        killed = die_at(step, lambda root=root: repository(root).annotate(NAME, add=["two"], note="second"))
        said = repository(root).remarks()[NAME]
        assert (said.tags, said.note) in ((("one",), "first"), (("one", "two"), "second"))
        repository(root).annotate(NAME, add=["three"])
        assert "three" in repository(root).remarks()[NAME].tags
        assert not repository(root).findings()
    assert step > 3


def add_tags(root: str, first: int) -> None:
    for number in range(first, first + 9):
        repository(Path(root)).annotate(NAME, add=[f"t{number}"])


def test_two_who_say_something_at_once_both_keep_it(held):
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(add_tags, [str(held.root)] * 2, [0, 9]))
    assert set(held.remarks()[NAME].tags) == {f"t{n}" for n in range(18)}


def test_without_the_right_to_write(open_version):
    held = repository(open_version.parent)
    answer = as_an_ordinary_user(lambda: code_of(lambda: held.annotate("v1.0_demo", add=["x"])))
    assert answer == "LORA049"


# --- search

PROOF = ShallowProof(
    "small-dit", (), (ShallowFinding("LORA024", "info"), ShallowFinding("LORA028", "warning")), "v0.9_base"
)
ONE = Searchable("v2.1_calm", "calm", ("approved", "winter"), "For the Shop", ("production",), "v0.9_base", PROOF, True)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("CALM", True),
        ("v2.1 shop", True),
        ("v2.1 loud", False),
        ('"the shop"', True),
        ('"shop the"', False),
        ("win", True),
        ("tag:winter", True),
        ("tag:win", False),
        ("-tag:draft", True),
        ("-calm", False),
        ("channel:production", True),
        ("base:v0.9", True),
        ("base:small", True),
        ("finding:lora024", True),
        ("finding:warning -finding:error", True),
        ("finding:error", False),
        ("passed:yes", True),
        ("passed:none", False),
        ("passed:perhaps", False),
        ("http://x", False),
        ("tag:", False),
        ("-", False),
        ('"', True),
    ],
)
def test_search(text, matches):
    assert parse_query(text).matches(ONE) is matches


def test_a_query_says_whether_it_needs_proofs():
    assert parse_query("calm finding:error").asks_for_proofs
    assert not parse_query("calm tag:x passed:yes").asks_for_proofs


@given(st.text(max_size=60))
def test_every_text_is_a_query(text):
    query = parse_query(text)
    assert query.matches(ONE) in (True, False)
    assert query.matches(Searchable("v1.0_a")) in (True, False)
