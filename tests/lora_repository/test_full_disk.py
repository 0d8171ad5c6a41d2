"""A disk that is full at every step: nothing is lost, it is said, and with room again the same deed succeeds.

On a real tmpfs, with 0, 1, 2, ... pages or inodes left until there is enough. A skip means that nobody may mount here.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count, pairwise
from pathlib import Path

import pytest
from adapter_files import DIT, T5, adapter_shapes, write_adapter, write_version
from small_disk import SmallDisk, small_disk
from unreliable_server import Here, Server

from lora_repository.channels import resolve_channel
from lora_repository.convert import Ingredient, convert
from lora_repository.fetch_url import fetch_url
from lora_repository.finding import Problem
from lora_repository.pointers import KeyPointer
from lora_repository.proof import prove
from lora_repository.proof_memory import ProofMemory
from lora_repository.published import hashes_of
from lora_repository.remote_copies import url_place
from lora_repository.repair import apply_repairs, propose_repairs
from lora_repository.repository import LoraRepository
from lora_repository.scores import Comparison

NAMES = ("v1.0_a", "v1.1_b", "v1.2_c")
URL = "https://oss.example.com/lora/v2.1.safetensors"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as made:
        yield made


@pytest.fixture(autouse=True)
def no_spare_room(monkeypatch):
    """The look at the free space beforehand would refuse at once; room can vanish after it, and does here."""
    monkeypatch.setattr("lora_repository.publish._SPARE", -(1 << 30))
    monkeypatch.setattr("lora_repository.fetch_url._SPARE", -(1 << 30))


def held(root: Path) -> LoraRepository:
    return LoraRepository(root, lambda path: prove(path, DIT, T5))


def fresh(disk: SmallDisk, number: int) -> LoraRepository:
    """A repository of three versions, of which one was published and `latest` has moved once."""
    root = disk.place / f"lora{number}"
    for name in NAMES[:2]:
        write_version(root / name, t5=False)
    held(root).publish(root / NAMES[0], NAMES[2])
    held(root).activate(NAMES[0])
    held(root).activate(NAMES[1])
    (disk.place / "config.yaml").write_text("# mine\nlora:\n  production: v1.0_a  # why\n")
    return held(root)


def at_every_step(
    disk: SmallDisk, act: Callable[[LoraRepository], object], check: Callable[[LoraRepository, bool], None]
) -> int:
    """Run `act` with ever more room; `check` is told whether it was done. Returns how often the disk was full."""
    numbers, failures = count(), 0
    for kind in ("pages", "inodes"):
        for room in count():
            repository = fresh(disk, next(numbers))
            disk.fill(**{kind: room})
            done = attempt(act, repository)
            failures += not done
            check(held(repository.root), done)
            disk.empty()
            if done:
                break
            act(held(repository.root))
            check(held(repository.root), True)
            shutil.rmtree(repository.root)
    return failures


def attempt(act: Callable[[LoraRepository], object], repository: LoraRepository) -> bool:
    """Whether it was done; where it was not, the disk is named as the reason."""
    try:
        act(repository)
    except Problem as error:
        assert error.finding.code in ("LORA049", "LORA053"), error.finding
        assert "No space left" in error.finding.message or error.finding.code == "LORA053", error.finding
        return False
    return True


def sound(repository: LoraRepository) -> None:
    """Every version whole, `latest` there, the history without a gap and without a damaged line."""
    assert repository.latest() is not None
    assert not [finding for finding in repository.findings() if finding.severity != "info"]
    for version in repository.versions():
        assert prove(version.path, DIT, T5).ok
        assert repository.changed(version) is None
    past = repository.history()
    assert [made.number for made in past] == list(range(1, len(past) + 1))
    moves = [made for made in past if made.channel == "latest"]
    assert all(one.after == two.before for one, two in pairwise(moves))


def names(repository: LoraRepository) -> list[str]:
    return [str(version.name) for version in repository.versions()]


def test_switch(disk):
    """With a reason longer than a page, so that note and history need room of their own."""

    def check(repository: LoraRepository, done: bool) -> None:
        sound(repository)
        latest = str(repository.latest().name)
        assert latest == NAMES[0] if done else latest in NAMES[:2]

    assert at_every_step(disk, lambda repository: repository.activate(NAMES[0], "r" * 5000), check) > 3


def test_a_switch_that_could_not_be_recorded_says_that_it_happened(disk):
    """Afterwards the next operator writes the line that was missing."""
    told = 0
    for room in range(12):
        repository = fresh(disk, room)
        disk.fill(pages=room)
        try:
            repository.activate(NAMES[0], "r" * 5000)
        except Problem as error:
            moved = str(repository.latest().name) == NAMES[0]
            assert ("latest points at v1.0_a" in error.finding.message) is moved
            told += moved
        disk.empty()
        repository.activate(NAMES[2])
        assert repository.history()[-1].before == str(repository.history()[-2].after)
        shutil.rmtree(repository.root)
    assert told


def test_rollback(disk):
    def check(repository: LoraRepository, done: bool) -> None:
        sound(repository)
        assert str(repository.latest().name) in NAMES[: 1 if done else 2]

    assert at_every_step(disk, lambda repository: repository.rollback(1), check) > 1


def test_switch_of_a_key_in_config_yaml(disk):
    file = disk.place / "config.yaml"

    def act(repository: LoraRepository) -> None:
        pointer = KeyPointer(file, "production")
        repository.channel(pointer, lambda target: resolve_channel(target, {}, repository)).move_to(NAMES[1], "")

    def check(repository: LoraRepository, done: bool) -> None:
        sound(repository)
        whole = [f"# mine\nlora:\n  production: {name}  # why\n" for name in NAMES[:2]]
        assert file.read_text() in (whole[1:] if done else whole)

    assert at_every_step(disk, act, check) > 1


def test_publish(disk, tmp_path):
    write_version(tmp_path / "training")

    def check(repository: LoraRepository, done: bool) -> None:
        sound(repository)
        assert names(repository) == [*NAMES, *(["v2.0_x"] if done else [])]
        assert not any((repository.state / "incoming").iterdir())

    assert at_every_step(disk, lambda repository: repository.publish(tmp_path / "training", "v2.0_x"), check) > 4


def test_remove_and_restore(disk):
    def act(repository: LoraRepository) -> None:
        if NAMES[2] in names(repository):
            repository.remove(NAMES[2])
        repository.restore(NAMES[2])

    def check(repository: LoraRepository, done: bool) -> None:
        sound(repository)
        trash = [entry.name for entry in repository.removed()]
        assert sorted([*names(repository), *trash]) == sorted(NAMES)
        assert NAMES[2] in names(repository) or not done

    assert at_every_step(disk, act, check) > 0


def test_notes(disk):
    def act(repository: LoraRepository) -> None:
        repository.annotate(NAMES[0], add=["one"], note="first")
        repository.annotate(NAMES[0], add=["two"], note="n" * 2000)
        repository.annotate(NAMES[1], note="m" * 2000)
        repository.annotate(NAMES[0], note="o" * 2000)

    def check(repository: LoraRepository, done: bool) -> None:
        sound(repository)
        said = repository.remarks().get(NAMES[0])
        if done:
            assert (said.tags, said.note) == (("one", "two"), "o" * 2000)
        elif said is not None:
            assert (said.tags, said.note[:1]) in ((("one",), "f"), (("one", "two"), "n"), (("one", "two"), "o"))

    assert at_every_step(disk, act, check) > 1


def test_scores(disk):
    def act(repository: LoraRepository) -> None:
        made = Comparison(
            version=NAMES[2],
            hashes=hashes_of(repository.root / NAMES[2]),
            time=datetime(2026, 3, 14, tzinfo=UTC),
            user="li",
            host="gpu-07",
            protocol="standard-1",
            passed=True,
            verdict="better",
            reasons=("r" * 6000,),
        )
        repository.add_comparison(made)

    def check(repository: LoraRepository, done: bool) -> None:
        sound(repository)
        assert [one.passed for one in repository.comparisons(NAMES[2])] == ([True] if done else [])

    assert at_every_step(disk, act, check) > 1


def test_fetch(disk, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(disk.place / "cache"))
    content = write_adapter(tmp_path / "x", adapter_shapes(DIT, 4), "F32").read_bytes()
    server = Server(content)
    url = f"{URL}#sha256={hashlib.sha256(content).hexdigest()}"

    def act(_repository: LoraRepository) -> None:
        fetch_url(url, None, Here(server), lambda _seconds: None)

    def check(_repository: LoraRepository, done: bool) -> None:
        place = url_place(url)
        assert place.is_file() is done
        assert not done or place.read_bytes() == content
        if done:
            place.unlink()

    try:
        assert at_every_step(disk, act, check) > 4
    finally:
        server.close()


def test_convert(disk, tmp_path):
    source = write_adapter(tmp_path / "x.safetensors", adapter_shapes(DIT, 4))

    def act(repository: LoraRepository) -> None:
        convert([Ingredient(source, 1.0, 8.0)], DIT, repository.root / "out")

    def check(repository: LoraRepository, done: bool) -> None:
        out = repository.root / "out"
        assert out.exists() is done
        assert not done or prove(out, DIT, T5).ok

    assert at_every_step(disk, act, check) > 4


def test_repair(disk):
    def act(repository: LoraRepository) -> None:
        version = repository.root / NAMES[1]
        config = version / "config.json"
        if '"dmd_rank": 4' in config.read_text():
            config.write_text(config.read_text().replace('"dmd_rank": 4', '"dmd_rank": 7'))
        apply_repairs(propose_repairs(version))

    def check(repository: LoraRepository, done: bool) -> None:
        assert prove(repository.root / NAMES[1], DIT, T5).ok is done

    assert at_every_step(disk, act, check) > 0


def test_what_is_remembered_is_forgotten_in_silence(disk, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(disk.place / "cache"))
    monkeypatch.setattr("lora_repository.settled._LOCAL_NS", 0)

    def act(repository: LoraRepository) -> None:
        memory = ProofMemory(repository.root, "small")
        for version in repository.versions():
            assert memory.shallow(version.path, lambda path: prove(path, DIT, T5)).ok
        memory.save(names(repository))
        hashes_of(repository.root / NAMES[0])

    def check(repository: LoraRepository, _done: bool) -> None:
        sound(repository)

    assert at_every_step(disk, act, check) == 0
    fresh(disk, 99)
    disk.fill(pages=0)
    act(held(disk.place / "lora99"))
