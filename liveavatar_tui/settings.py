"""The settings of the product: what `config.yaml` may say, what is in force, and where each value came from.

Order, strongest first: flag, environment, file, default. Knows no screen; opens no file but the settings file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_type_hints

import msgspec
from msgspec import Meta

from engine.spec import EMBEDDED, Precision, Pristine
from liveavatar_tui import codes
from liveavatar_tui.config_file import ConfigFile, read_config
from liveavatar_tui.paths import config_file
from lora_repository.i18n import N_, _, normalise

CHANNELS: Final = ("default", "production", "staging")
_WHERE: Final = N_("A version name, `latest`, a folder, a `.safetensors` file, an https URL of one, or a hub id.")


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class LoraSettings(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Channels, and where the versions are."""

    default: Annotated[str, Meta(description=" ".join((N_("What a run uses when it names no LoRA."), _WHERE)))] = (
        "latest"
    )
    production: Annotated[str | None, Meta(description=" ".join((N_("What production uses."), _WHERE)))] = None
    staging: Annotated[str | None, Meta(description=" ".join((N_("What staging uses."), _WHERE)))] = None
    repository: Annotated[str, Meta(description=N_("Folder of the LoRA versions."))] = "ckpt/lora_repository"


class PolicySettings(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `production` demands of a version beyond that it loads."""

    published: Annotated[bool, Meta(description=N_("Published versions only: a byte that changes later shows."))] = (
        False
    )
    no_warnings: Annotated[bool, Meta(description=N_("No warning in its proof."))] = False
    compared: Annotated[bool, Meta(description=N_("Its last comparison passed."))] = False
    reason: Annotated[bool, Meta(description=N_("Whoever switches it says why."))] = True


class GenerateSettings(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a run starts from."""

    prompt: Annotated[str, Meta(description=N_("What the video shows."))] = "a person talking to the camera, smiling"
    image: Annotated[str | None, Meta(description=N_("Portrait; null = the sample that ships with the product."))] = (
        None
    )
    audio: Annotated[str | None, Meta(description=N_("Speech; null = the sample that ships with the product."))] = None
    size: Annotated[
        str,
        Meta(
            description=N_("WIDTH*HEIGHT: bounds the area; the sides follow the portrait."),
            pattern=r"^\d+\s*[*x]\s*\d+$",
        ),
    ] = "704*384"
    num_clip: Annotated[
        int | None, Meta(description=N_("Clips of 48 frames (1.92 s); null = as long as the speech."))
    ] = None
    seed: Annotated[int, Meta(description=N_("Same seed, same machine: same video."), ge=0)] = 420
    sample_steps: Annotated[int, Meta(description=N_("Denoising steps a block."), ge=1)] = 4
    offload_model: Annotated[bool, Meta(description=N_("Keep the model in host memory between uses."))] = False
    precision: Annotated[Precision, Meta(description=N_("Of the large matrices on a card: bf16, fp8."))] = (
        Precision.BF16
    )
    cache_precision: Annotated[Precision, Meta(description=N_("Of keys and values on a card: bf16, fp8."))] = (
        Precision.BF16
    )
    skip_last_step: Annotated[bool, Meta(description=N_("Leave the last denoising pass out: a quarter faster."))] = (
        False
    )
    pristine: Annotated[
        Pristine, Meta(description=N_("Where the base model is kept without adapters: none, host, card."))
    ] = Pristine.NONE
    avatarise: Annotated[bool, Meta(description=N_("Turn a photograph into the nearest avatar, not refuse it."))] = (
        False
    )
    threads: Annotated[int | None, Meta(description=N_("CPU threads; null = as many as there are cores."))] = None


class JobsSettings(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where jobs lie and how they end."""

    folder: Annotated[str | None, Meta(description=N_("Where jobs lie; null = the user's state folder."))] = None
    grace_s: Annotated[float, Meta(description=N_("Seconds between asking a job to end and killing it."), gt=0)] = 15.0


class DockerSettings(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The container that runs are started in by hand; preflight holds every path against its mounts."""

    image: Annotated[str | None, Meta(description=N_("Image of the container; null = none."))] = None
    mounts: Annotated[
        tuple[str, ...], Meta(description=N_("As `docker run -v` takes them: /host/folder:/folder/inside:ro."))
    ] = ()


class Config(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that `config.yaml` may say."""

    lora: LoraSettings = msgspec.field(default_factory=LoraSettings)
    policy: PolicySettings = msgspec.field(default_factory=PolicySettings)
    ckpt_dir: Annotated[
        str, Meta(description=N_("Folder of the base model; `embedded` = the one that ships with the product."))
    ] = EMBEDDED
    generate: GenerateSettings = msgspec.field(default_factory=GenerateSettings)
    jobs: JobsSettings = msgspec.field(default_factory=JobsSettings)
    docker: DockerSettings = msgspec.field(default_factory=DockerSettings)
    language: Annotated[
        Literal["auto", "en", "zh_CN"], Meta(description=N_("Of the screen; auto = as the locale says."))
    ] = "auto"
    theme: Annotated[
        Literal["auto", "dark", "light", "contrast", "ansi"],
        Meta(description=N_("Of the app; ansi = the terminal's own 16 colours, auto = as the terminal says.")),
    ] = "auto"


class Source(StrEnum):
    """Kinds of places that a value can come from, strongest first."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one value came from: `name` is the file, the variable or the flag; `line` counts from 1."""

    source: Source
    name: str = ""
    line: int | None = None

    def __str__(self) -> str:
        if self.source is Source.FILE:
            return f"{self.name}:{self.line}"
        return self.name or _("default")


class Settings(Config, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is in force: every path absolute, and `origins` for each dotted key."""

    origins: dict[str, Origin]
    file: Path | None

    def channels(self) -> dict[str, str]:
        """The channels that are set, by name."""
        return {name: target for name in CHANNELS if (target := getattr(self.lora, name)) is not None}

    def jobs_folder(self) -> Path:
        """Where job folders lie."""
        from engine.job_folder import jobs_root

        return Path(self.jobs.folder) if self.jobs.folder else jobs_root()

    def value(self, key: str) -> Any:
        """The value of a dotted key."""
        return reduce(getattr, key.split("."), self)


_PATHS: Final = frozenset({"lora.repository", "ckpt_dir", "generate.image", "generate.audio", "jobs.folder"})
_TARGETS: Final = frozenset(f"lora.{name}" for name in CHANNELS)
_LISTS: Final = frozenset({"docker.mounts"})
_UNSET: Final = object()


def keys() -> tuple[str, ...]:
    """Every dotted key, in the order of the file."""
    return tuple(kinds())


def kinds() -> dict[str, Any]:
    """Dotted key -> annotated type, in the order of the file."""
    return _kinds(Config)


def variable(key: str) -> str:
    """The environment variable that sets a dotted key: `lora.production` -> `LIVEAVATAR_LORA_PRODUCTION`."""
    return "LIVEAVATAR_LANG" if key == "language" else "LIVEAVATAR_" + key.replace(".", "_").upper()


def schema() -> dict[str, Any]:
    """JSON schema of `config.yaml`, for editors and for `docs/config.schema.json`."""
    plain = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(Config)))  # a default may be a tuple
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **plain}


def load_settings(
    config: Path | None = None,
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """What is in force. `config` or `LIVEAVATAR_CONFIG` names the file; else the first of `config_candidates`.

    `flags` by dotted key; a flag that is None was not given. Raises `Problem` (CFG001 to CFG005, exit code 2).
    """
    file = config_file(config, environ)
    kinds = _kinds(Config)
    read = read_config(file, frozenset(kinds)) if file is not None else None
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    home = file.parent if file is not None else Path.cwd()
    for key, kind in kinds.items():
        value, origin, base = _given(key, flags or {}, environ, read) or (_UNSET, Origin(Source.DEFAULT), home)
        origins[key] = origin
        if value is not _UNSET:
            values[key] = _absolute(key, checked(key, value, kind, origin), base)
        elif key == "lora.repository":
            values[key] = str(home / LoraSettings().repository)
    return _assemble(values, origins, file)


def reload_settings(settings: Settings, environ: Mapping[str, str] = os.environ) -> Settings:
    """The same settings as their file says by now; flags given at the start stay. Raises as `load_settings`."""
    flags = {key: settings.value(key) for key, origin in settings.origins.items() if origin.source is Source.FLAG}
    return load_settings(settings.file, flags=flags, environ=environ)


def _kinds(section: type[msgspec.Struct], prefix: str = "") -> dict[str, Any]:
    """Dotted key -> annotated type, for every leaf of a struct."""
    kinds: dict[str, Any] = {}
    for name, kind in get_type_hints(section, include_extras=True).items():
        key = f"{prefix}{name}"
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            kinds |= _kinds(kind, f"{key}.")
        else:
            kinds[key] = kind
    return kinds


def _given(
    key: str, flags: Mapping[str, object], environ: Mapping[str, str], read: ConfigFile | None
) -> tuple[object, Origin, Path] | None:
    """The strongest value given for `key`, its origin, and the folder that its relative paths start from."""
    if flags.get(key) is not None:
        return flags[key], Origin(Source.FLAG, "--" + key.rpartition(".")[2].replace("_", "-")), Path.cwd()
    if text := environ.get(variable(key)):
        value = from_text(key, text)
        return value, Origin(Source.ENVIRONMENT, variable(key)), Path.cwd()
    if read is not None and key in read.values:
        return read.values[key], Origin(Source.FILE, str(read.path), read.lines[key]), read.path.parent
    return None


def from_text(key: str, text: str) -> object:
    """What a variable says: locales in any spelling, lists with commas between."""
    if key in _LISTS:
        return [part.strip() for part in text.split(",") if part.strip()]
    return normalise(text) if key == "language" else text


def checked(key: str, value: object, kind: Any, origin: Origin) -> Any:
    """The value as its type; raises `Problem` CFG005, naming where it came from."""
    try:
        return msgspec.convert(value, kind, strict=origin.source is Source.FILE)
    except msgspec.ValidationError as fault:
        raise codes.SETTING_WRONG.problem(
            origin=origin, key=key, value=repr(value), reason=str(fault).lower(), exit_code=2
        ) from None


def _absolute(key: str, value: Any, base: Path) -> Any:
    """A relative path starts from the file's folder, or from here for a flag or variable; other words stay."""
    if not isinstance(value, str) or value == EMBEDDED:
        return value
    if key in _PATHS:
        return str(base / Path(value).expanduser())
    if key in _TARGETS and _reads_as_path(value, base):
        return str(base / Path(value).expanduser())
    return value


def _reads_as_path(target: str, base: Path) -> bool:
    """Told from a version name, a URL and a hub id (`owner/name`), which a folder of the same name outranks."""
    if target.startswith(("./", "../", "~")):
        return True
    return "/" in target and "://" not in target and (base / target).exists()


def _assemble(values: Mapping[str, Any], origins: dict[str, Origin], file: Path | None) -> Settings:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        section, _dot, leaf = key.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[leaf] = value
    config = msgspec.convert(nested, Config)
    return Settings(**msgspec.structs.asdict(config), origins=origins, file=file)
