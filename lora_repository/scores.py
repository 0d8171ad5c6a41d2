"""How versions did in comparisons: a JSON file for each, beside the versions, tied to the bytes that were compared.

`.liveavatar/scores/<version>/<stamp>.json`; whoever compares writes it, docs/schemas/comparison.schema.json says how.
Judges nothing: the verdict is the comparer's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from lora_repository.codes import COMPARISON_DAMAGED, COMPARISON_WRONG
from lora_repository.files import sync_folder, write_whole, writing
from lora_repository.finding import Finding, Severity, problem
from lora_repository.i18n import _
from lora_repository.place import is_file, is_folder
from lora_repository.version_name import match_version_name
from lora_repository.wording import command, shown, some_of

SCORES: Final = "scores"
SAMPLES: Final = "samples"
MEDIA: Final = (".mp4", ".webm", ".mkv", ".gif", ".png", ".jpg", ".jpeg", ".webp", ".wav", ".flac", ".mp3")
_LARGEST: Final = 4 << 20


class Score(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One measure; `low` and `high` bound it with 95 % confidence, `reference` is that of the version compared with."""

    name: Annotated[str, Meta(description="Of the measure, such as `lip_sync`.")]
    value: Annotated[float | None, Meta(description="null where it could not be measured.")]
    low: Annotated[float | None, Meta(description="Lower end of the 95 % interval.")] = None
    high: Annotated[float | None, Meta(description="Upper end of the 95 % interval.")] = None
    reference: Annotated[float | None, Meta(description="The same of the version compared with.")] = None
    unit: Annotated[str, Meta(description="Of the value, such as `%`; empty for a plain number.")] = ""
    better: Annotated[Literal["higher", "lower"], Meta(description="Which direction is good.")] = "higher"
    passed: Annotated[bool | None, Meta(description="Whether it is good enough; null where nothing is asked.")] = None


class Sample(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file that was made for a comparison."""

    file: Annotated[str, Meta(description="Path, relative to the folder of the comparison's file.")]
    title: Annotated[str, Meta(description="What it shows.")] = ""
    kind: Annotated[Literal["video", "picture", "sound"], Meta(description="What it is.")] = "video"


class Comparison(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One comparison of the version `version`, whose files had `hashes`. `passed` is what a policy may ask for."""

    v: Annotated[Literal[1], Meta(description="Version of this format.")] = 1
    version: Annotated[str, Meta(description="Name of the version that was judged.")]
    hashes: Annotated[dict[str, str], Meta(description="SHA-256 (hex) of each of its files at that moment.")]
    time: Annotated[datetime, Meta(description="When, with its zone.")]
    user: Annotated[str, Meta(description="Who compared.")]
    host: Annotated[str, Meta(description="On which host.")]
    protocol: Annotated[str, Meta(description="Name and edition of the tests.")]
    passed: Annotated[bool, Meta(description="Whether the version is fit to replace the other.")]
    verdict: Annotated[Literal["better", "equal", "worse", "abstained"], Meta(description="Against the other.")]
    base: Annotated[str, Meta(description="The base model that both ran on.")] = ""
    against: Annotated[str | None, Meta(description="Name of the version compared with.")] = None
    reasons: Annotated[tuple[str, ...], Meta(description="Why, one sentence each.")] = ()
    scores: Annotated[tuple[Score, ...], Meta(description="Every measure.")] = ()
    samples: Annotated[tuple[Sample, ...], Meta(description="What was made for it.")] = ()
    report: Annotated[str | None, Meta(description="Path of a report, as `file` of a sample.")] = None


_decoder: Final = msgspec.json.Decoder(Comparison)


def read_comparisons(state: Path, version: str) -> list[Comparison]:
    """Every readable comparison of the version, the newest first."""
    found = [one for path in _files(state, version) if (one := _read(path, version)) is not None]
    return sorted(found, key=lambda one: one.time, reverse=True)


def last_comparison(state: Path, version: str, hashes: Mapping[str, str]) -> Comparison | None:
    """The newest comparison of exactly these bytes; of others there may be newer ones."""
    return next((one for one in read_comparisons(state, version) if one.hashes == hashes), None)


def compared_versions(state: Path) -> list[str]:
    """The versions that have any."""
    try:
        return sorted(path.name for path in (state / SCORES).iterdir() if match_version_name(path.name))
    except OSError:
        return []


def write_comparison(state: Path, made: Comparison, hashes: Mapping[str, str]) -> Path:
    """Keep `made`; `hashes` are those of the version as it is. Where samples go: `<stamp>/` beside the file.

    Raises Problem LORA073 for a comparison of other bytes or without a zone, LORA049.
    """
    if made.hashes != hashes or made.time.tzinfo is None:
        raise problem(
            COMPARISON_WRONG,
            _("The comparison is not of {name} as it is.").format(name=shown(made.version)),
            _("Compare again, once nobody changes the version."),
        )
    import secrets  # late, as whoever changes nothing pays for nothing

    folder = state / SCORES / made.version
    stamp = f"{made.time.astimezone(UTC):%Y%m%dT%H%M%S}.{secrets.token_hex(3)}"
    with writing(state):
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
        write_whole(folder / f"{stamp}.json", msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")
    return folder / f"{stamp}.json"


def damaged_comparisons(state: Path) -> list[Finding]:
    """LORA074 for files that are no comparison of the version in whose folder they lie."""
    spoilt = [
        path for version in compared_versions(state) for path in _files(state, version) if _read(path, version) is None
    ]
    if not spoilt:
        return []
    names = [f"{path.parent.name}/{path.name}" for path in spoilt]
    message = _("{n} files of scores cannot be read: {names}.").format(n=len(spoilt), names=some_of(names))
    fix = _("Look at the first, or compare again: {command}").format(command=command("cat", spoilt[0]))
    return [Finding(COMPARISON_DAMAGED, Severity.WARNING, message, fix, shown(spoilt[0]))]


def find_samples(state: Path, version: Path) -> list[Path]:
    """Pictures, videos and sounds: in the version's folder, in its `samples/`, and those of its comparisons."""
    lying = [path for folder in (version, version / SAMPLES) for path in _listed(folder) if _is_medium(path)]
    scores = state / SCORES / version.name
    named = [scores / sample.file for one in read_comparisons(state, version.name) for sample in one.samples]
    # A comparison that names files elsewhere on the host does not get to show them.
    root = scores.resolve()
    return [*lying, *(path for path in named if _is_medium(path) and path.resolve().is_relative_to(root))]


def forget_scores(state: Path, versions: Collection[str]) -> None:
    """Take away what is known of versions that are gone for good."""
    import shutil

    for version in versions:
        if match_version_name(version) is not None:
            shutil.rmtree(state / SCORES / version, ignore_errors=True)


def _is_medium(path: Path) -> bool:
    return path.suffix.lower() in MEDIA and is_file(path)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _files(state: Path, version: str) -> Iterator[Path]:
    folder = state / SCORES / version
    if match_version_name(version) is None or not is_folder(folder):
        return iter(())
    return (path for path in _listed(folder) if path.suffix == ".json" and not path.name.startswith("."))


def _read(path: Path, version: str) -> Comparison | None:
    try:
        if path.stat().st_size > _LARGEST:
            return None
        found = _decoder.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if found.version == version and found.time.tzinfo is not None else None
