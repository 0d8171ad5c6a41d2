"""Every kind of damage that we know, done to a good version: no false green, no crash, the code that it deserves."""

import json
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from adapter_files import CONFIG, DIT, T5, adapter_shapes, header_of, write_adapter, write_document, write_version
from misfortune import as_an_ordinary_user

from lora_repository.proof import prove
from lora_repository.proof_memory import ProofMemory
from lora_repository.shallow import shallow

DMD, T5_FILE, JSON = "dmd_lora.safetensors", "t5_lora.safetensors", "config.json"
Damage = Callable[[Path], object]
DAMAGES: list[tuple[str, Damage, str]] = []


def damage(name: str, code: str) -> Callable[[Damage], Damage]:
    def keep(function: Damage) -> Damage:
        DAMAGES.append((name, function, code))
        return function

    return keep


def config(name: str, code: str, **changes: object) -> None:
    DAMAGES.append((name, lambda v: (v / JSON).write_text(json.dumps(CONFIG | changes)), code))


def text(name: str, code: str, content: bytes, file: str = DMD) -> None:
    DAMAGES.append((name, lambda v: (v / file).write_bytes(content), code))


def shapes(name: str, code: str, change: Callable[[dict], object], dtype: str = "BF16") -> None:
    def write(version: Path) -> None:
        tensors = adapter_shapes(DIT, 4)
        change(tensors)
        write_adapter(version / DMD, tensors, dtype)

    DAMAGES.append((name, write, code))


def header(name: str, code: str, change: Callable[[dict], object]) -> None:
    def write(version: Path) -> None:
        document, size = header_of(adapter_shapes(DIT, 4))
        change(document)
        write_document(version / DMD, document, size)

    DAMAGES.append((name, write, code))


def cut(version: Path, to: Callable[[int], int], file: str = DMD) -> None:
    os.truncate(version / file, to((version / file).stat().st_size))


FIRST = "blocks.0.self_attn.q.lora_A.weight"
FIRST_B = "blocks.0.self_attn.q.lora_B.weight"

# --- the files as a whole
DAMAGES += [
    ("cut by one byte", lambda v: cut(v, lambda n: n - 1), "LORA013"),
    ("cut in half", lambda v: cut(v, lambda n: n // 2), "LORA013"),
    ("cut inside the header", lambda v: cut(v, lambda n: 100), "LORA013"),
    ("cut to seven bytes", lambda v: cut(v, lambda n: 7), "LORA013"),
    ("cut to nothing", lambda v: cut(v, lambda n: 0), "LORA011"),
    ("one byte too many", lambda v: cut(v, lambda n: n + 1), "LORA013"),
    ("t5 cut", lambda v: cut(v, lambda n: n - 5, T5_FILE), "LORA013"),
    ("t5 empty", lambda v: cut(v, lambda n: 0, T5_FILE), "LORA011"),
    ("config cut", lambda v: cut(v, lambda n: n - 1, JSON), "LORA002"),
    ("config empty", lambda v: cut(v, lambda n: 0, JSON), "LORA002"),
    ("no config", lambda v: (v / JSON).unlink(), "LORA001"),
    ("no dmd_lora", lambda v: (v / DMD).unlink(), "LORA004"),
    ("empty folder", lambda v: [p.unlink() for p in list(v.iterdir())], "LORA004"),
    ("no folder", shutil.rmtree, "LORA008"),
    ("adapters swapped", lambda v: swap(v / DMD, v / T5_FILE), "LORA015"),
    ("header and data zeroed", lambda v: (v / DMD).write_bytes(bytes(5000)), "LORA012"),
]
text("LFS pointer", "LORA012", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 99\n")
text("LFS pointer for config", "LORA002", b"version https://git-lfs.github.com/spec/v1\n", JSON)
text("web page", "LORA012", b"<!doctype html><title>404</title>")
text("web page for config", "LORA002", b"<!doctype html><title>404</title>", JSON)
text("pickle", "LORA012", b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00}\x94.")
text("torch zip", "LORA012", b"PK\x03\x04" + bytes(60))
text("server's answer", "LORA012", b'{"message":"Not Found"}')
text("gzip", "LORA012", b"\x1f\x8b\x08\x08" + bytes(60))
text("huge header length", "LORA013", struct.pack("<Q", 2**60) + b"{}" + bytes(60))
text("config as YAML", "LORA002", b"r: 8\nlora_alpha: 16\n", JSON)
text("config is a list", "LORA002", b"[8, 16]", JSON)


def swap(one: Path, other: Path) -> None:
    between = one.with_name("between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


# --- names
for found in ("dmd-lora.safetensors", "Dmd_Lora.safetensors", "dmd_lora.safetensors.txt", "dmd_lorа.safetensors"):
    DAMAGES.append((f"named {found!r}", lambda v, found=found: (v / DMD).rename(v / found), "LORA005"))
DAMAGES += [
    ("t5 misnamed", lambda v: (v / T5_FILE).rename(v / "t5-lora.safetensors"), "LORA005"),
    ("config misnamed", lambda v: (v / JSON).rename(v / "Config.json"), "LORA001"),
    ("config.json.txt", lambda v: (v / JSON).rename(v / "config.json.txt"), "LORA001"),
    ("peft's name", lambda v: (v / DMD).rename(v / "adapter_model.safetensors"), "LORA004"),
]

# --- links and kinds
DAMAGES += [
    ("dangling link", lambda v: link(v / DMD, "nowhere"), "LORA009"),
    ("looping link", lambda v: link(v / DMD, DMD), "LORA009"),
    ("config dangling", lambda v: link(v / JSON, "../gone/config.json"), "LORA009"),
    ("a folder for the file", lambda v: (link(v / DMD, "x"), (v / DMD).unlink(), (v / DMD).mkdir()), "LORA010"),
    ("a pipe for the file", lambda v: ((v / DMD).unlink(), os.mkfifo(v / DMD)), "LORA010"),
    ("a pipe for the config", lambda v: ((v / JSON).unlink(), os.mkfifo(v / JSON)), "LORA010"),
    ("a file for the folder", lambda v: (shutil.rmtree(v), v.write_text("")), "LORA011"),
    ("a link to itself for the folder", lambda v: (shutil.rmtree(v), v.symlink_to(v.name)), "LORA009"),
    ("a dangling link for the folder", lambda v: (shutil.rmtree(v), v.symlink_to("v0.9_gone")), "LORA009"),
]


def link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


# --- the configuration
config("dmd_rank too small", "LORA014", dmd_rank=2)
config("dmd_rank too large", "LORA014", dmd_rank=16)
config("ranks swapped", "LORA014", dmd_rank=3, r=4)
config("r wrong", "LORA014", r=8)
config("dmd_rank as text", "LORA003", dmd_rank="4")
config("alpha zero", "LORA003", lora_alpha=0)
config("alpha as text", "LORA003", lora_alpha="16")
config("targets as text", "LORA003", target_modules="attn")
config("no targets", "LORA003", target_modules=[])
config("a target that is nothing", "LORA022", target_modules=["attn", "ffn", "attnn"])
config("targets too few", "LORA023", target_modules=["attn"])

# --- the tensors
shapes("no tensor", "LORA015", lambda t: t.clear())
shapes("a B lost", "LORA016", lambda t: t.pop(FIRST_B))
shapes("an A lost", "LORA016", lambda t: t.pop(FIRST))
shapes("a foreign tensor", "LORA015", lambda t: t.update({"blocks.9.ffn.0.lora_A.weight": (4, 16)}))
shapes("a whole weight", "LORA015", lambda t: t.update({"blocks.0.self_attn.q.weight": (16, 16)}))
shapes("a bias", "LORA015", lambda t: t.update({"blocks.0.self_attn.q.bias": (16,)}))
shapes("A and B transposed", "LORA017", lambda t: t.update({FIRST: (16, 4), FIRST_B: (4, 16)}))
shapes("in features wrong", "LORA017", lambda t: t.update({FIRST: (4, 15)}))
shapes("out features wrong", "LORA017", lambda t: t.update({FIRST_B: (17, 4)}))
shapes("ranks of A and B differ", "LORA017", lambda t: t.update({FIRST: (5, 16)}))
shapes("rank nought", "LORA017", lambda t: t.update({FIRST: (0, 16), FIRST_B: (16, 0)}))
shapes("three dimensions", "LORA017", lambda t: t.update({FIRST: (4, 16, 1)}))
shapes("a scalar", "LORA017", lambda t: t.update({FIRST: ()}))
shapes("mixed ranks", "LORA014", lambda t: t.update({FIRST: (8, 16), FIRST_B: (16, 8)}))
shapes("the same half twice", "LORA025", lambda t: t.update({f"base_model.model.{FIRST}": (4, 16)}))
shapes("DoRA's magnitudes", "LORA015", lambda t: t.update({"blocks.0.ffn.0.lora_magnitude_vector": (32,)}))
shapes("whole numbers", "LORA018", lambda t: None, "I8")
shapes("8-bit floats", "LORA018", lambda t: None, "F8_E4M3")
shapes("another adapter's name", "LORA015", lambda t: rename(t, ".lora_A.", ".lora_A.other."))
shapes("kohya's names", "LORA015", lambda t: rename(t, "blocks.", "lora_unet_blocks_"))
shapes("diffusers' prefix", "LORA015", lambda t: rename(t, "blocks.", "transformer.blocks."))
shapes("down and up", "LORA015", lambda t: (rename(t, "lora_A", "lora_down"), rename(t, "lora_B", "lora_up")))
shapes("a look-alike letter", "LORA015", lambda t: rename(t, "self_attn", "sеlf_attn"))
shapes("a zero-width space", "LORA015", lambda t: rename(t, "blocks.1", "blocks.1\u200b"))
shapes("capitals", "LORA015", lambda t: rename(t, "blocks", "Blocks"))
shapes("trailing newline", "LORA015", lambda t: t.update({FIRST + "\n": t.pop(FIRST)}))
shapes("prefix twice", "LORA015", lambda t: rename(t, "blocks.", "base_model.model.base_model.model.blocks."))
header("overlap", "LORA013", lambda d: d[FIRST].update(data_offsets=d[FIRST_B]["data_offsets"]))
header("unknown type", "LORA013", lambda d: d[FIRST].update(dtype="BF17"))
header("shape without bytes", "LORA013", lambda d: d[FIRST].update(shape=[4, 17]))
header("negative place", "LORA013", lambda d: d[FIRST].update(data_offsets=[-128, 0]))
header("a field too many", "LORA013", lambda d: d[FIRST].update(strides=[1, 4]))


def rename(tensors: dict, old: str, new: str) -> None:
    for key in list(tensors):
        tensors[key.replace(old, new)] = tensors.pop(key)


def test_there_are_enough_kinds():
    assert len(DAMAGES) >= 40
    assert len({name for name, _, _ in DAMAGES}) == len(DAMAGES)


@pytest.mark.parametrize(("change", "code"), [pytest.param(c, code, id=name) for name, c, code in DAMAGES])
def test_damage_is_never_green(tmp_path, change, code):
    version = write_version(tmp_path / "v1.0_demo")
    assert prove(version, DIT, T5).ok
    change(version)
    proof = prove(version, DIT, T5)
    assert not proof.ok
    assert code in {finding.code for finding in proof.errors}, [finding.message for finding in proof.errors]
    assert all(finding.message and finding.fix for finding in proof.errors)


@pytest.mark.parametrize("change", [pytest.param(c, id=name) for name, c, _code in DAMAGES])
def test_no_damage_hides_behind_a_remembered_proof(tmp_path, monkeypatch, change):
    """Also where whoever did the damage set all times back."""
    now = time.time_ns
    monkeypatch.setattr("lora_repository.settled.time.time_ns", lambda: now() + 10**10)
    version = write_version(tmp_path / "lora/v1.0_demo")
    times = {path: path.stat() for path in [version, *version.iterdir()]}
    memory = ProofMemory(version.parent, "small", tmp_path / "cache")
    assert memory.shallow(version, lambda path: prove(path, DIT, T5)).ok
    memory.save([version.name])
    change(version)
    for path, then in times.items():
        if path.exists() and not path.is_symlink():
            os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
    for again in (memory, ProofMemory(version.parent, "small", tmp_path / "cache")):
        found = again.shallow(version, lambda path: prove(path, DIT, T5))
        assert not found.ok
        assert found == shallow(prove(version, DIT, T5))


@pytest.mark.parametrize("at", range(0, 400, 7))
def test_no_flipped_header_byte_is_a_false_green(tmp_path, at):
    """A green answer after a flip must stand for the same tensors: a space, or the order of two equal ones."""
    version = write_version(tmp_path / "v1.0_demo", t5=False)
    before = prove(version, DIT, T5)
    raw = bytearray((version / DMD).read_bytes())
    for bit in range(8):
        raw[at] ^= 1 << bit
        (version / DMD).write_bytes(raw)
        proof = prove(version, DIT, T5)
        assert not proof.ok or proof.parts == before.parts
        raw[at] ^= 1 << bit


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda v: (v / DMD).chmod(0o666), "LORA027"),
        (lambda v: v.chmod(0o777), "LORA027"),
        (lambda v: (v / "old.pt").write_bytes(b""), "LORA028"),
        (lambda v: shutil.copy(v / DMD, v / "backup.safetensors"), "LORA028"),
        (lambda v: ((v / DMD).rename(v.parent / "x"), (v / DMD).symlink_to(v.parent / "x")), "LORA029"),
        (lambda v: ((v / DMD).rename(v.parent / "x"), (v / DMD).symlink_to("../x")), "LORA029"),
    ],
)
def test_doubts_are_told_and_do_not_forbid(tmp_path, change, code):
    version = write_version(tmp_path / "v1.0_demo")
    change(version)
    proof = prove(version, DIT, T5)
    assert proof.ok
    assert [finding.code for finding in proof.findings] == [code]


def test_innocent_company_raises_no_alarm(tmp_path):
    version = write_version(tmp_path / "v1.0_demo")
    (version / "README.md").write_text("notes")
    (version / "samples").mkdir()
    (version / ".gitattributes").write_text("")
    for mode in (0o444, 0o600, 0o640, 0o644):
        (version / DMD).chmod(mode)
        assert not prove(version, DIT, T5).findings


@pytest.mark.parametrize(
    ("closed", "mode", "code", "command"),
    [
        (DMD, 0o000, "LORA006", "chmod 644 "),
        (JSON, 0o000, "LORA006", "chmod 644 "),
        (T5_FILE, 0o200, "LORA006", "chmod 644 "),
        (".", 0o000, "LORA007", "chmod 755 "),
        (".", 0o644, "LORA007", "chmod 755 "),
        ("..", 0o600, "LORA007", "chmod 755 "),
    ],
)
def test_without_the_right_to_read(open_version, closed, mode, code, command):
    def prove_it() -> str:
        return "\n".join(f"{f.code} {f.fix}" for f in prove(open_version, DIT, T5).errors)

    assert as_an_ordinary_user(prove_it) == ""
    (open_version / closed).chmod(mode)
    found = as_an_ordinary_user(prove_it)
    assert found.startswith(f"{code} {command}"), found
    subprocess.run(["sh", "-c", found.splitlines()[0].partition(" ")[2]], check=True)
    assert as_an_ordinary_user(prove_it) == ""


def test_a_single_file_behind_a_closed_folder(open_version):
    open_version.chmod(0o600)
    found = as_an_ordinary_user(lambda: prove(open_version / DMD, DIT, T5).errors[0].code)
    assert found == "LORA007"
