"""The form's text fields as a run: what each must read like, and the settings that they amount to.

Pure: knows no widget, opens no file. An empty portrait or speech stands for the sample that ships with the product.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from engine.spec import EMBEDDED, RunSpec
from liveavatar_tui.launch import compose_spec
from liveavatar_tui.settings import GenerateSettings, Settings
from lora_repository.i18n import _

BASE_ALONE: Final = ""
"""The choice of no LoRA at all."""
STACKED: Final = "\n"
"""Between the references of a stack, base first: a line break stands in none of them."""
_SIZE: Final = re.compile(r"\s*(\d{2,5})\s*[*xX×]\s*(\d{2,5})\s*")
_LARGEST_SEED: Final = 2**63 - 1
_SHOWN: Final = frozenset({"prompt", "image", "audio", "size", "num_clip", "seed", "offload_model", "avatarise"})
"""The settings of a run that are fields of the form."""
_AUTO: Final = frozenset({"", "auto"})


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields as typed.

    `version` is a reference (`v2.1_x`, `latest`, `production`, a path), several of them `STACKED`, or `BASE_ALONE`.
    """

    prompt: str
    version: str
    image: str
    audio: str
    size: str
    clips: str
    seed: str
    offload: bool
    avatarise: bool
    beyond: tuple[tuple[str, int | bool | str | None], ...] = ()
    """What the form does not show and an earlier run had otherwise than the settings, by the setting's name."""


def defaults(settings: Settings) -> Draft:
    """What the form starts with."""
    wanted = settings.generate
    return Draft(
        prompt=wanted.prompt,
        version=settings.lora.default,
        image=wanted.image or "",
        audio=wanted.audio or "",
        size=wanted.size,
        clips="" if wanted.num_clip is None else str(wanted.num_clip),
        seed=str(wanted.seed),
        offload=wanted.offload_model,
        avatarise=wanted.avatarise,
    )


def repeat(spec: RunSpec, settings: Settings) -> Draft:
    """The fields of an earlier run, and whatever else of it these settings would change."""
    beyond = [name for name in GenerateSettings.__struct_fields__ if name not in _SHOWN]
    other = [name for name in beyond if getattr(spec, name) != getattr(settings.generate, name)]
    return Draft(
        prompt=spec.prompt,
        version=STACKED.join(spec.adapters) if spec.adapters else BASE_ALONE,
        image=spec.image,
        audio=spec.audio,
        size=spec.size,
        clips="" if spec.num_clip is None else str(spec.num_clip),
        seed=str(spec.seed),
        offload=spec.offload_model,
        avatarise=spec.avatarise,
        beyond=tuple((name, getattr(spec, name)) for name in other),
    )


def faults(draft: Draft) -> dict[str, str]:
    """For each field that cannot be read: what is expected. Empty when all can."""
    found: dict[str, str] = {}
    if not draft.prompt.strip():
        found["prompt"] = _("say what the video shows")
    if not _SIZE.fullmatch(draft.size):
        found["size"] = _("expected WIDTH*HEIGHT, such as 704*384")
    if draft.clips.strip() not in _AUTO and not _whole(draft.clips, 1, 1_000_000):
        found["clips"] = _("expected a whole number, or nothing")
    if not _whole(draft.seed, 0, _LARGEST_SEED):
        found["seed"] = _("expected a whole number from 0")
    return found


def _whole(text: str, least: int, most: int) -> bool:
    stripped = text.strip()
    return stripped.isascii() and stripped.isdigit() and len(stripped) <= 20 and least <= int(stripped) <= most


def compose(draft: Draft, settings: Settings) -> RunSpec:
    """The run that the form describes; only for one without `faults`. Raises `Problem` for a LoRA that is nowhere."""
    wanted = msgspec.structs.replace(
        settings.generate,
        **dict(draft.beyond),
        prompt=draft.prompt.strip(),
        image=_absolute(draft.image),
        audio=_absolute(draft.audio),
        size="*".join(_SIZE.fullmatch(draft.size).groups()),  # type: ignore[union-attr]
        num_clip=None if draft.clips.strip() in _AUTO else int(draft.clips),
        seed=int(draft.seed),
        offload_model=draft.offload,
        avatarise=draft.avatarise,
    )
    loras = () if draft.version == BASE_ALONE else draft.version.split(STACKED)
    return compose_spec(msgspec.structs.replace(settings, generate=wanted), loras)


def _absolute(text: str) -> str | None:
    return str(Path(text.strip()).expanduser().absolute()) if text.strip() else None


def base_name(settings: Settings) -> str:
    """The base model in words."""
    return _("the embedded avatar") if settings.ckpt_dir == EMBEDDED else Path(settings.ckpt_dir).name
