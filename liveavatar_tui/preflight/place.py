"""Where the job will be written: may we, and is there room for the video and its log."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from engine.job_folder import reason
from liveavatar_tui import codes
from liveavatar_tui.preflight.inputs import Video
from liveavatar_tui.preflight.report import Examined, examined
from liveavatar_tui.quantities import bytes_text
from lora_repository.finding import Finding
from lora_repository.i18n import _

BITS_PER_PIXEL: Final = 0.25
BYTES_PER_FRAME: Final = 4096
"""Both generous for h264 of a talking head at 25 fps; small pictures take more a pixel than large ones."""
SPARE: Final = 32 << 20
"""Log, events, preview and sound."""


def check_place(jobs_dir: Path, video: Video | None) -> Examined:
    """Can a job folder be made here, and does what it will hold fit."""
    title = _("place")
    need = SPARE + (0 if video is None else _video_bytes(video))
    if (refused := refusal_of(jobs_dir)) is not None:
        finding = codes.PLACE_UNWRITABLE.finding(path=str(jobs_dir), reason=refused)
        return examined("place", title, str(jobs_dir), findings=[finding])
    free = shutil.disk_usage(_nearest(jobs_dir)).free
    detail = _("{free} free, some {need} needed").format(free=bytes_text(free), need=bytes_text(need))
    findings: list[Finding] = []
    if free < need:
        findings.append(codes.PLACE_FULL.finding(path=str(jobs_dir), free=bytes_text(free), need=bytes_text(need)))
    return examined("place", title, str(jobs_dir), detail, findings)


def _video_bytes(video: Video) -> int:
    return video.frames * round(BYTES_PER_FRAME + video.width * video.height * BITS_PER_PIXEL / 8)


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(one for one in (folder, *folder.parents) if os.path.lexists(one))


def refusal_of(folder: Path) -> str | None:
    """Why nothing can be made in a folder, which need not exist, in the system's words; None when it can.

    Leaves nothing behind.
    """
    probe = _nearest(folder) / f".preflight-{os.getpid()}"
    try:
        probe.mkdir()
    except OSError as fault:
        return reason(fault)
    probe.rmdir()
    return None
