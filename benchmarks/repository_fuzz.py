"""Coverage-guided fuzzing of everything that reads what strangers wrote: `python benchmarks/repository_fuzz.py`.

    pip install atheris        # 35 MB, so it is in no extra
    python benchmarks/repository_fuzz.py [--seconds 60] [--target header ...]

Each target runs in a process of its own and is held to more than not crashing: what a header or config.json is read as
must be what Python's own json says it is. Prints executions, seconds and found edges a target; exit code 1 when one
fails, with the input that does it kept in the current folder.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "lora_repository")]

import atheris  # noqa: E402

with atheris.instrument_imports(include=["lora_repository"]):
    from lora_repository import header as headers
    from lora_repository.base import BaseTable
    from lora_repository.config import parse_config
    from lora_repository.finding import Problem
    from lora_repository.notes import Remarks  # noqa: F401  # instrumented for the journal
    from lora_repository.proof import prove
    from lora_repository.search import Searchable, parse_query
    from lora_repository.tensor_keys import foreign_format, parse_key
    from lora_repository.version_name import match_version_name, propose_name, slug_of
    from lora_repository.yaml_edit import read_scalar, replace_scalar

from adapter_files import CONFIG, DIT, T5, adapter_shapes, header_of  # noqa: E402

HERE = Path("v1.0_x/file")
SMALL = BaseTable("small", {"a": (2, 2), "b": (2, 2)})


def header(data: bytes) -> None:
    """Two bytes of size, then the JSON: read as json reads it, with and without the metadata taken out first."""
    size, raw = int.from_bytes(data[:2], "little"), data[2:]

    def read() -> Any:
        try:
            return headers.parse_header(raw, 8 + len(raw) + size, HERE)
        except Problem as refusal:
            return refusal.finding.code

    found = read()
    apart, headers._split = headers._split, lambda whole: (None, whole)
    try:
        assert read() == found
    finally:
        headers._split = apart
    if isinstance(found, str):
        return
    document: dict[str, Any] = json.loads(raw)
    assert json.loads(raw, object_pairs_hook=lambda pairs: len({k for k, _v in pairs}) == len(pairs))
    document.pop("__metadata__", None)
    assert document.keys() == found.tensors.keys()
    spans = sorted(entry["data_offsets"] for entry in document.values())
    assert [0, *(end for _start, end in spans)] == [*(start for start, _end in spans), size]


def config(data: bytes) -> None:
    """A config that is accepted says what json says, with every required key once."""
    found, findings = parse_config(data, HERE)
    assert (found is None) == any(finding.severity == "error" for finding in findings)
    if found is not None:
        said = json.loads(data)
        assert (found.r, found.lora_alpha, found.dmd_rank) == (said["r"], said["lora_alpha"], said["dmd_rank"])
        assert list(found.target_modules) == said["target_modules"]


def names(data: bytes) -> None:
    """Names of versions go back and forth, and are folders of their own wherever they are accepted."""
    text = data.decode("utf-8", "surrogateescape")
    name = match_version_name(text)
    if name is not None:
        assert str(name) == text and text.isascii() and "/" not in text
        assert match_version_name(str(propose_name([name], text))) is not None
    assert match_version_name(f"v1.0_{slug_of(text)}") is not None
    parse_key(text)
    foreign_format([text])


def query(data: bytes) -> None:
    """Every text is a query."""
    text = data.decode("utf-8", "replace")
    parse_query(text).matches(Searchable("v1.0_a", "a", ("x",), text))


def settings(data: bytes) -> None:
    """config.yaml is edited so that the new value is there, or refused."""
    text = data.decode("utf-8", "replace")
    try:
        edited = replace_scalar(text, ("lora", "production"), "v1.0_new", HERE)
        assert read_scalar(edited, ("lora", "production"), HERE) == "v1.0_new"
    except Problem:
        return


def folder(data: bytes) -> None:
    """A version whose files are these bytes is proved or refused; only one that is whole is green."""
    at = data.find(b"|||")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        version = Path(place) / "v1.0_x"
        version.mkdir()
        (version / "config.json").write_bytes(data[:at] if at >= 0 else json.dumps(CONFIG).encode())
        (version / "dmd_lora.safetensors").write_bytes(data[at + 3 :] if at >= 0 else data)
        proof = prove(version, DIT, T5)
        assert proof.ok is bool(proof.parts and not proof.errors)


def seeds() -> dict[str, list[bytes]]:
    """What each target starts from."""
    document, size = header_of({"a.lora_A.weight": (1, 2), "a.lora_B.weight": (2, 1)})
    noted = json.dumps({"__metadata__": {"format": "pt"}} | document).encode()
    plain = json.dumps(document).encode()
    whole, data = header_of(adapter_shapes(DIT, 4))
    raw = json.dumps(whole).encode()
    file = len(raw).to_bytes(8, "little") + raw + bytes(data)
    good = json.dumps(CONFIG).encode()
    return {
        "header": [size.to_bytes(2, "little") + one for one in (noted, plain, b"{}")],
        "config": [good, json.dumps(CONFIG | {"base_adapter": "v1.0_x"}, indent=2).encode()],
        "names": [b"v1.0_demo", b"v1.2.3_a-b", b"blocks.0.self_attn.q.lora_A.default.weight"],
        "query": [b'tag:x -finding:error "two words" passed:yes'],
        "settings": [
            b"# c\nlora:\n  production: v1.0_a  # why\n",
            b"lora: {production: a}\n",
            b"a: &x 1\nlora:\n  b: *x\n",
        ],
        "folder": [file, good + b"|||" + file],
    }


TARGETS: dict[str, Callable[[bytes], None]] = {
    "header": header,
    "config": config,
    "names": names,
    "query": query,
    "settings": settings,
    "folder": folder,
}


def fuzz(name: str, corpus: str, seconds: int) -> None:
    """One target, in this process, which ends with it."""
    atheris.Setup(
        [sys.argv[0], corpus, f"-max_total_time={seconds}", "-print_final_stats=1", "-max_len=8192", "-timeout=20"],
        TARGETS[name],
    )
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--target", action="append", choices=TARGETS)
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        fuzz(*given.inside, given.seconds)
    failed = False
    for name in given.target or TARGETS:
        with tempfile.TemporaryDirectory() as corpus:
            for number, seed in enumerate(seeds()[name]):
                (Path(corpus) / str(number)).write_bytes(seed)
            words = [sys.executable, __file__, "--inside", name, corpus, "--seconds", str(given.seconds)]
            ran = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
        executed = re.search(r"number_of_executed_units: (\d+)", ran.stderr)
        edges = re.findall(r"cov: (\d+)", ran.stderr)
        failed = failed or ran.returncode != 0
        print(
            f"{name:9} {int(executed[1]) if executed else 0:>10,} executions in {given.seconds} s,"
            f" {edges[-1] if edges else '?'} edges: {'FAILED' if ran.returncode else 'no failure'}",
            flush=True,
        )
        if ran.returncode:
            print(ran.stderr[-3000:])
    sys.exit(failed)


if __name__ == "__main__":
    main()
