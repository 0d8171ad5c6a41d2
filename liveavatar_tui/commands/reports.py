"""What `--json` of the repository's commands prints, as types: docs/schemas is written from them, and tests hold the
commands to them. Nothing is computed here, and no command imports this.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from lora_repository.history import Generation
from lora_repository.scores import Comparison

Severity = Literal["error", "warning", "info"]
Target = Literal["dit", "t5"]


class _Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class FindingReport(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One result of a check."""

    code: Annotated[str, Meta(description="Stable, such as LORA004.", pattern=r"^[A-Z]+\d{3}$")]
    severity: Severity
    message: Annotated[str, Meta(description="In the language in force.")]
    fix: Annotated[str, Meta(description="What mends it, often a command; may be empty.")]
    path: str | None


class Refusal(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of every command that could not do what was asked; its exit code is 1, or 2 for misuse."""

    ok: Literal[False]
    findings: tuple[FindingReport, ...]


class ShallowPartReport(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One adapter file that loads as a whole."""

    target: Target
    rank: int
    alpha: float
    strength: Annotated[float, Meta(description="alpha / rank")]
    matched: Annotated[int, Meta(description="Tensors that match the base model.")]
    total: int


class ShallowFindingReport(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A finding without its wording."""

    code: str
    severity: Severity


class ShallowProofReport(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether a version would load."""

    ok: bool
    base: str
    parts: tuple[ShallowPartReport, ...]
    findings: tuple[ShallowFindingReport, ...]
    base_adapter: str | None


class VersionReport(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One version."""

    name: str
    path: str
    channels: tuple[str, ...]
    files: Annotated[dict[str, int], Meta(description="Bytes of each file of the contract.")]
    changed: datetime | None
    tags: tuple[str, ...]
    note: str
    compared: Annotated[bool | None, Meta(description="Whether its last comparison was passed; null: none.")]
    proof: Annotated[ShallowProofReport | msgspec.UnsetType, Meta(description="With --check.")] = msgspec.UNSET


class Versions(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """versions: newest first."""

    repository: str
    latest: str | None
    versions: tuple[VersionReport, ...]
    findings: tuple[FindingReport, ...]


class History(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """history: newest first."""

    repository: str
    generations: tuple[Generation, ...]
    findings: tuple[FindingReport, ...]


class Resolved(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """resolve."""

    channel: str
    path: Annotated[str, Meta(description="Absolute.")]


class Fetched(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """fetch."""

    reference: Annotated[str, Meta(description="Without the secrets that a URL may hold.")]
    path: Annotated[str, Meta(description="Absolute.")]


class PartReport(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One adapter file that loads as a whole."""

    file: str
    target: Target
    rank: int
    alpha: float
    strength: float
    matched: int
    total: int


class Checked(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """check: exit code 1 when `ok` is false."""

    path: str
    base: str
    ok: bool
    parts: tuple[PartReport, ...]
    findings: tuple[FindingReport, ...]
    mended: Annotated[tuple[str, ...], Meta(description="What --fix did.")]
    mendable: Annotated[tuple[str, ...], Meta(description="What --fix would do.")]


class PublishedReport(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """publish."""

    version: str
    time: datetime
    user: str
    host: str
    source: str
    files: Annotated[dict[str, str], Meta(description="SHA-256 of each file.")]
    path: str
    findings: tuple[FindingReport, ...]


class Converted(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """convert: exit code 1 when `ok` is false."""

    path: str
    base: str
    ok: bool
    config: Annotated[dict[str, Any], Meta(description="What config.json says; version-config.schema.json.")]
    findings: tuple[FindingReport, ...]


class Trashed(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """remove: one version in the trash."""

    name: str
    time: datetime
    place: str


class Restored(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """restore VERSION."""

    name: str
    path: str


class Trash(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """restore without VERSION."""

    trash: tuple[Trashed, ...]


class Pruned(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """prune."""

    removed: Annotated[tuple[Trashed, ...], Meta(description="Moved to the trash.")]
    deleted: Annotated[tuple[str, ...], Meta(description="Gone for good.")]


class Tagged(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """tag."""

    version: str
    tags: tuple[str, ...]
    note: str
    time: datetime | None
    user: str | None
    host: str | None


class Scored(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """scores: exit code 1 when `passed` is false."""

    version: str
    passed: Annotated[bool | None, Meta(description="The last comparison of the present files; null: none.")]
    comparisons: Annotated[tuple[Comparison, ...], Meta(description="Newest first.")]
    samples: tuple[str, ...]


class SideReport(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of two LoRAs."""

    name: str
    path: str
    ok: bool
    findings: tuple[FindingReport, ...]


class ConfigChangeReport(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key of config.json that differs: JSON of its values, empty where it is absent."""

    key: str
    a: str
    b: str


class CoverageReport(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many linears of a target each side adapts; null where it does not name the target."""

    target: str
    a: int | None
    b: int | None
    total: int


class ModuleReport(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One linear, or the whole part: Frobenius norms of both updates and of the weight."""

    module: Annotated[str, Meta(description="Empty for the whole part.")]
    a: float | None
    b: float | None
    base: Annotated[float | None, Meta(description="Norm of the weight; null where it is not known.")]
    relative_a: float | None
    relative_b: float | None
    cosine: float | None
    distance: Annotated[float, Meta(description="Norm of the difference of both updates.")]


class PartDifferenceReport(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The video model or the text encoder; pairs are [a, b]."""

    target: Target
    rank: tuple[int | None, int | None]
    strength: tuple[float | None, float | None]
    coverage: tuple[CoverageReport, ...]
    total: ModuleReport
    modules: tuple[ModuleReport, ...]


class Differing(_Report, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """diff: exit code 1 when one of them would not load."""

    a: SideReport
    b: SideReport
    base: str
    relative: Annotated[bool, Meta(description="Whether the norms of all weights are known.")]
    config: tuple[ConfigChangeReport, ...]
    parts: tuple[PartDifferenceReport, ...]


REPORTS: Final[dict[str, Any]] = {
    "refusal": Refusal,
    "versions": Versions,
    "history": History,
    "resolve": Resolved,
    "fetch": Fetched,
    "check": Checked,
    "publish": PublishedReport,
    "convert": Converted,
    "remove": Trashed,
    "restore": Restored,
    "trash": Trash,
    "prune": Pruned,
    "activate": Generation,
    "rollback": Generation,
    "promote": Generation,
    "tag": Tagged,
    "scores": Scored,
    "diff": Differing,
}
"""By command; `trash` is `restore` without a version, `refusal` what every command says that could not do its work."""
