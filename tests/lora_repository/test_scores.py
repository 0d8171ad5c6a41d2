"""Comparisons kept beside the versions, and the gate before production that asks for one."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from adapter_files import write_version
from misfortune import die_at

from lora_repository.channels import resolve_channel
from lora_repository.finding import Problem
from lora_repository.pointers import KeyPointer
from lora_repository.policy import Policy
from lora_repository.proof import Proof
from lora_repository.published import hashes_of
from lora_repository.repository import LoraRepository
from lora_repository.scores import Comparison, Sample, Score

NAME = "v1.1_b"
NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)


def repository(root: Path) -> LoraRepository:
    return LoraRepository(root, lambda path: Proof(path, "any", (), ()))


@pytest.fixture
def held(tmp_path):
    held = repository(tmp_path / "lora")
    write_version(tmp_path / "training", t5=False)
    held.root.mkdir()
    for name in ("v1.0_a", NAME):
        held.publish(tmp_path / "training", name)
    (tmp_path / "config.yaml").write_text("lora:\n  production: v1.0_a\n")
    return held


def compared(held, passed=True, later=0, **changes):
    made = Comparison(
        version=NAME,
        hashes=hashes_of(held.root / NAME),
        time=NOW + timedelta(minutes=later),
        user="li",
        host="gpu-07",
        protocol="standard-1",
        passed=passed,
        verdict="better" if passed else "worse",
        against="v1.0_a",
        reasons=("lips follow the sound less well",),
        scores=(Score(name="lip_sync", value=0.8, low=0.7, high=0.9, reference=0.75, passed=passed),),
    )
    return msgspec.structs.replace(made, **changes)


def touch(path):
    """A byte more, whoever owns the file."""
    path.chmod(0o644)
    path.write_text(path.read_text() + " ")


def switch(held):
    channels = {"production": "v1.0_a"}
    pointer = KeyPointer(held.root.parent / "config.yaml", "production")
    return held.channel(pointer, lambda target: resolve_channel(target, channels, held), Policy(compared=True))


def refusal(act):
    with pytest.raises(Problem) as caught:
        act()
    return caught.value.finding


def test_a_comparison_is_kept_and_found(held):
    place = held.add_comparison(compared(held))
    held.add_comparison(compared(held, passed=False, later=1))
    found = held.comparisons("v1.1")
    assert [one.passed for one in found] == [False, True]
    assert found[1].scores[0].low == 0.7
    assert json.loads(place.read_text())["version"] == NAME
    assert held.passed(held.version(NAME)) is False
    assert held.passed(held.version("v1.0_a")) is None


def test_a_comparison_of_other_bytes_is_not_kept(held):
    made = compared(held)
    assert refusal(lambda: held.add_comparison(msgspec.structs.replace(made, hashes={}))).code == "LORA073"
    assert refusal(lambda: held.add_comparison(msgspec.structs.replace(made, version="v7.7_x"))).code == "LORA040"
    naive = msgspec.structs.replace(made, time=datetime(2026, 3, 14))
    assert refusal(lambda: held.add_comparison(naive)).code == "LORA073"
    assert not held.comparisons(NAME)


def test_a_comparison_counts_for_the_bytes_that_it_was_made_of(held):
    held.add_comparison(compared(held))
    assert held.passed(held.version(NAME)) is True
    touch(held.root / NAME / "config.json")
    assert held.passed(held.version(NAME)) is None


def test_production_takes_what_passed(held):
    moved = switch(held)
    assert refusal(lambda: moved.move_to(NAME, "")).code == "LORA064"
    held.add_comparison(compared(held, passed=False))
    told = refusal(lambda: moved.move_to(NAME, ""))
    assert told.code == "LORA064"
    assert "lips follow the sound less well" in told.message
    assert moved.objection(NAME).code == "LORA064"
    held.add_comparison(compared(held, later=1))
    assert moved.objection(NAME) is None
    assert moved.move_to(NAME, "").after == NAME
    held.add_comparison(compared(held, passed=False, later=2))
    assert refusal(lambda: moved.move_to(NAME, "again")).code == "LORA064"


def test_other_bytes_have_passed_nothing(held):
    """A version put there by hand may change; what was compared is then no longer there."""
    version = write_version(held.root / "v2.0_by_hand", t5=False)
    held.add_comparison(compared(held, version=version.name, hashes=hashes_of(version)))
    assert switch(held).move_to(version.name, "").after == version.name
    switch(held).move_to("v2.0_by_hand", "the same")
    switch(held).rollback(None, "")
    touch(version / "config.json")
    assert refusal(lambda: switch(held).move_to(version.name, "")).code == "LORA064"


def test_a_way_back_is_not_refused(held):
    held.add_comparison(compared(held))
    moved = switch(held)
    moved.move_to(NAME, "")
    assert moved.rollback(None, "in a hurry").after == "v1.0_a"


def test_what_lies_outside_the_repository_was_compared_with_nothing(held, tmp_path):
    (tmp_path / "lora/.liveavatar/scores").mkdir()
    assert refusal(lambda: switch(held).move_to(str(tmp_path / "training"), "")).code == "LORA064"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"v": 2}', b"\xff\xfe", b"9" * (5 << 20)])
def test_what_is_no_comparison_counts_for_nothing(held, content):
    place = held.add_comparison(compared(held, passed=False))
    (place.parent / "20990101T000000.zzzzzz.json").write_bytes(content)
    assert [one.passed for one in held.comparisons(NAME)] == [False]
    (finding,) = [one for one in held.findings() if one.code == "LORA074"]
    assert finding.severity == "warning"


def test_the_comparison_of_another_version_in_this_ones_folder(held):
    place = held.add_comparison(compared(held))
    other = held.state / "scores/v1.0_a"
    other.mkdir()
    (other / place.name).write_bytes(place.read_bytes())
    assert not held.comparisons("v1.0_a")
    assert {one.code for one in held.findings()} == {"LORA074"}


def test_samples_are_found_and_stay_inside(held, tmp_path):
    (held.root / NAME / "samples").mkdir()
    (held.root / NAME / "samples/a.mp4").touch()
    (held.root / NAME / "portrait.png").touch()
    (tmp_path / "secret.png").touch()
    scores = held.state / "scores" / NAME
    (scores / "x").mkdir(parents=True)
    (scores / "x/b.mp4").touch()
    names = ("x/b.mp4", "x/gone.mp4", "../../../../secret.png", str(tmp_path / "secret.png"), "x/\0.png")
    held.add_comparison(compared(held, samples=tuple(Sample(file=name) for name in names)))
    assert [path.name for path in held.samples(NAME)] == ["portrait.png", "a.mp4", "b.mp4"]


def test_scores_go_with_what_is_gone_for_good(held):
    held.add_comparison(compared(held))
    held.remove(NAME)
    held.restore(NAME)
    assert held.comparisons(NAME)
    held.remove(NAME)
    held.empty_trash(-1)
    write_version(held.root / NAME, t5=False)
    assert not held.comparisons(NAME)


def test_killed_anywhere_there_is_a_whole_comparison_or_none(held):
    made = compared(held)
    step, killed = 0, True
    while killed:
        step += 1
        before = len(held.comparisons(NAME))
        killed = die_at(step, lambda: held.add_comparison(made))
        assert len(held.comparisons(NAME)) - before in (0, 1)
        assert not held.findings()
    assert step > 2
