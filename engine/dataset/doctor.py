"""Looks at every file of a data set: `images/`, `audios/`, `prompts.txt`, and `videos/` where there are any.

Knows the order of things and no file format. Reads everything, changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from engine.dataset import clips, codes, mesh, pictures, sentences, sounds
from engine.dataset.grades import Graded, Report
from engine.job_folder import reason
from engine.training.codes import FOLDER_UNREADABLE
from engine.training.material import PICTURES, SOUNDS, VIDEOS
from lora_repository.finding import Finding, Severity
from lora_repository.i18n import N_, _

IMAGES, AUDIOS, PROMPTS, CLIPS = "images", "audios", "prompts.txt", "videos"
_COUNTS: Final = {
    IMAGES: (N_("pictures"), 10, 20),
    AUDIOS: (N_("speeches"), 5, 20),
    PROMPTS: (N_("prompts"), 20, 200),
}


def examine(folder: Path, person: str = "") -> Report:
    """Every file with its grade; `person` is a word that prompts may call the person by. Raises Problem TRAIN003."""
    faces = mesh.available()
    files, findings = _pictures(folder, faces=faces)
    files += _sounds(folder)
    prompts = sentences.grade(folder / PROMPTS, PROMPTS, person) if (folder / PROMPTS).exists() else []
    files += prompts
    videos = _listed(folder / CLIPS)
    files += [
        clips.grade(path, _name(folder, path), faces=faces) if path.suffix.lower() in VIDEOS else _strange(folder, path)
        for path in videos
    ]
    if not faces:
        findings.append(codes.warning(codes.FACES_UNSEEN))
    if not videos:
        counts = {kind: sum(file.name.startswith(kind) for file in files) for kind in _COUNTS}
        findings += [found for kind, count in counts.items() for found in _count(kind, count)]
    return Report(tuple(files), tuple(findings))


def _pictures(folder: Path, *, faces: bool) -> tuple[list[Graded], list[Finding]]:
    paths = _listed(folder / IMAGES)
    looked = [
        pictures.look(path, _name(folder, path), faces=faces) for path in paths if path.suffix.lower() in PICTURES
    ]
    graded, findings = pictures.together(looked)
    return [*graded, *(_strange(folder, path) for path in paths if path.suffix.lower() not in PICTURES)], findings


def _sounds(folder: Path) -> list[Graded]:
    return [
        sounds.grade(path, _name(folder, path)) if path.suffix.lower() in SOUNDS else _strange(folder, path)
        for path in _listed(folder / AUDIOS)
    ]


def _count(kind: str, count: int) -> list[Finding]:
    what, least, most = _COUNTS[kind]
    code = codes.COUNT_HIGH if count > most else codes.COUNT_LOW
    if least <= count <= most:
        return []
    found = codes.warning(code, found=count, what=_(what), least=least, most=most)
    return [found if count else replace(found, severity=Severity.ERROR)]


def _strange(folder: Path, path: Path) -> Graded:
    return Graded(_name(folder, path), (codes.warning(codes.FILE_STRANGE),))


def _listed(folder: Path) -> list[Path]:
    """Every file, by name; a folder that is not there holds none."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as fault:
        raise FOLDER_UNREADABLE.problem(path=str(folder), reason=reason(fault)) from fault


def _name(folder: Path, path: Path) -> str:
    return str(path.relative_to(folder))
