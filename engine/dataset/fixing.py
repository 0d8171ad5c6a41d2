"""A mended copy of a data set: sounds at 16 kHz, in mono, of 30 seconds at most; pictures upright and cut to the face.

What cannot be mended is left out, and so are files that are graded unfit for it. Nothing of the original is changed.
"""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from engine.dataset import codes, mesh
from engine.dataset.doctor import AUDIOS, CLIPS, IMAGES, PROMPTS
from engine.dataset.grades import Grade, Graded, Report
from engine.dataset.pictures import LEAST_SIDE
from engine.dataset.sounds import LONGEST_S
from engine.speech import RATE, read_mono
from engine.training.codes import OUTPUT_TAKEN

_ROOM: Final = 2.4
"""Side of a picture in widths of its face."""
_PIECE: Final = 4096


def fix(folder: Path, out: Path, report: Report) -> tuple[Path, ...]:
    """Write the copy into the new folder `out`; what was written. Raises Problem TRAIN004 where there is something."""
    if out.exists() and any(out.iterdir()):
        raise OUTPUT_TAKEN.problem(exit_code=2, path=str(out))
    made = []
    for file in report.files:
        source = folder / file.name
        if file.grade is Grade.UNFIT or not source.is_file():
            continue
        kind = file.name.split("/")[0]
        target = out / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if kind == AUDIOS and _readable(file):
            made.append(write_speech(source, target.with_suffix(".wav")))
        elif kind == IMAGES and _readable(file):
            made.append(write_picture(source, target.with_suffix(".png")))
        elif kind == CLIPS and _readable(file):
            made.append(Path(shutil.copyfile(source, target)))
    prompts = _prompts(folder, report)
    if prompts:
        (out / PROMPTS).write_text("\n".join(prompts) + "\n", encoding="utf-8")
        made.append(out / PROMPTS)
    return tuple(made)


def write_speech(source: Path, target: Path) -> Path:
    """The first 30 seconds at 16 kHz, in mono, 16 bits; raises Problem RUN026."""
    samples = np.concatenate([*read_mono(source), np.zeros(0, np.float32)])[: round(LONGEST_S * RATE)]
    pixels: NDArray[np.int16] = (samples * 32767).clip(-32768, 32767).astype(np.int16)
    with av.open(str(target.absolute()), "w", format="wav") as file:
        stream = file.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for start in range(0, len(pixels), _PIECE):
            frame = av.AudioFrame.from_ndarray(pixels[None, start : start + _PIECE], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return target


def write_picture(source: Path, target: Path) -> Path:
    """Upright and square around the face, never smaller than a picture must be; as it is where no face is found."""
    with Image.open(source) as file:
        picture = ImageOps.exif_transpose(file).convert("RGB")
    box = _face_box(picture)
    (picture if box is None else picture.crop(box)).save(target)
    return target


def _face_box(picture: Image.Image) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of a square around the face; None without one, or where the picture is one already."""
    if not mesh.available():
        return None
    seen = mesh.read(np.asarray(picture, np.uint8)[None])
    if seen.most == 0:
        return None
    side = round(min(*picture.size, max(LEAST_SIDE, _ROOM * float(seen.width[0]))))
    x, y = (float(value) for value in seen.points[0].mean(axis=0))
    left = round(min(max(0.0, x - side / 2), picture.width - side))
    top = round(min(max(0.0, y - side / 2), picture.height - side))
    return left, top, left + side, top + side


def _readable(file: Graded) -> bool:
    return all(finding.code != codes.FILE_STRANGE.code for finding in file.findings)


def _prompts(folder: Path, report: Report) -> list[str]:
    """The lines that are not unfit and not said before."""
    lines = (folder / PROMPTS).read_bytes().decode("utf-8-sig", "replace").splitlines() if _has_prompts(folder) else []
    numbers = [
        int(file.name.rpartition(":")[2])
        for file in report.files
        if file.name.startswith(f"{PROMPTS}:")
        and file.grade is not Grade.UNFIT
        and all(finding.code != codes.PROMPT_TWICE.code for finding in file.findings)
    ]
    return [lines[number - 1].strip() for number in numbers]


def _has_prompts(folder: Path) -> bool:
    return (folder / PROMPTS).is_file()
