"""The files of a training: which pictures, speeches, prompts and videos there are. Opens none but the list of prompts.

Knows no torch: what is missing is told before anything heavy is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.job_folder import reason
from engine.training import codes
from engine.training.spec import TrainSpec
from lora_repository.i18n import _

PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
SOUNDS: Final = frozenset({".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".aac"})
VIDEOS: Final = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi"})
UNSAID: Final = "a person talking"
"""The prompt where no list is given."""


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that is learned from, in the order of names."""

    pictures: tuple[Path, ...]
    speeches: tuple[Path, ...]
    prompts: tuple[str, ...]
    videos: tuple[Path, ...]


def find_material(spec: TrainSpec) -> Material:
    """What the folders hold; raises Problem TRAIN002 where that is not enough, TRAIN003 for what cannot be read."""
    found = Material(
        pictures=listed(spec.train_images, PICTURES),
        speeches=listed(spec.train_audios, SOUNDS),
        prompts=read_prompts(Path(spec.prompt_list)) if spec.prompt_list else (UNSAID,),
        videos=listed(spec.train_videos, VIDEOS),
    )
    if not found.videos and not (found.pictures and found.speeches):
        lacking = _("there are no pictures") if not found.pictures else _("there are no speeches")
        raise codes.NOTHING_TO_LEARN.problem(exit_code=2, reason=lacking)
    if not found.prompts:
        raise codes.NOTHING_TO_LEARN.problem(exit_code=2, reason=_("the list of prompts is empty"))
    return found


def listed(folder: str, kinds: frozenset[str]) -> tuple[Path, ...]:
    """The files of these kinds in a folder, by name; nothing for no folder. Raises Problem TRAIN003."""
    if not folder:
        return ()
    try:
        entries = sorted(Path(folder).iterdir())
    except OSError as fault:
        raise codes.FOLDER_UNREADABLE.problem(path=folder, reason=reason(fault)) from fault
    return tuple(path for path in entries if path.suffix.lower() in kinds and not path.name.startswith("."))


def read_prompts(path: Path) -> tuple[str, ...]:
    """The lines of a list that say something; raises Problem TRAIN003."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as fault:
        raise codes.FOLDER_UNREADABLE.problem(path=str(path), reason=reason(fault)) from fault
    except UnicodeDecodeError as fault:
        lacking = _("byte {n} is not UTF-8").format(n=fault.start + 1)
        raise codes.FOLDER_UNREADABLE.problem(path=str(path), reason=lacking) from fault
    return tuple(line.strip() for line in lines if line.strip())
