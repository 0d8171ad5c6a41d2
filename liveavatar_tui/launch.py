"""From settings and a choice to the run that they mean: every path absolute, every LoRA one folder or file here.

The one door of command line and app; starts nothing and checks nothing but that a LoRA's name leads somewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.spec import RunSpec
from liveavatar_tui.paths import sample_audio, sample_image
from liveavatar_tui.settings import Settings
from lora_repository.channels import resolve_channel
from lora_repository.i18n import language
from lora_repository.repository import LoraRepository


def compose_spec(settings: Settings, loras: Sequence[str], *, parity: bool = False) -> RunSpec:
    """The run that `settings.generate` describes with `loras` applied in order (names, channels or paths).

    Raises `Problem` (LORA0xx) for a LoRA that leads nowhere.
    """
    wanted = settings.generate
    folders = tuple(resolve(settings, lora) for lora in loras)
    return RunSpec(
        prompt=wanted.prompt,
        image=wanted.image or str(sample_image()),
        audio=wanted.audio or str(sample_audio()),
        adapters=tuple(str(folder) for folder in folders),
        ckpt_dir=settings.ckpt_dir,
        size=wanted.size,
        num_clip=wanted.num_clip,
        seed=wanted.seed,
        sample_steps=wanted.sample_steps,
        offload_model=wanted.offload_model,
        precision=wanted.precision,
        cache_precision=wanted.cache_precision,
        skip_last_step=wanted.skip_last_step,
        pristine=wanted.pristine,
        avatarise=wanted.avatarise,
        parity=parity,
        threads=wanted.threads,
        language=language(),
        label=" + ".join(_label(lora, folder) for lora, folder in zip(loras, folders, strict=True)),
    )


def resolve(settings: Settings, reference: str) -> Path:
    """The folder or file on this host that a version, channel or path stands for; raises `Problem` (LORA0xx).

    What a channel says starts from the settings file's folder, what is typed from the working directory.
    """
    folder = settings.file.parent if settings.file is not None else None
    return resolve_channel(reference, settings.channels(), LoraRepository(Path(settings.lora.repository)), folder)


def _label(reference: str, folder: Path) -> str:
    """`v2.1_customer_service (production)`: what it is, and by which name it was chosen."""
    return folder.name if reference.rstrip("/") in (folder.name, str(folder)) else f"{folder.name} ({reference})"
