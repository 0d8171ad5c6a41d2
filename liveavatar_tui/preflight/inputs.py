"""Portrait and speech: can they be read, what will be seen of the one, and how much of the other will be heard."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log10
from pathlib import Path
from typing import Final

from engine.media import SIDE_STEP, blocks_for, upstream_clips
from engine.resolving import video_size
from engine.sources import Portrait, Speech, read_portrait, read_speech
from engine.spec import BLOCKS_PER_CLIP, FPS, FRAMES_PER_BLOCK, FRAMES_PER_CLIP, RunSpec
from liveavatar_tui import codes
from liveavatar_tui.preflight import codes as own
from liveavatar_tui.preflight.report import Examined, examined
from liveavatar_tui.quantities import span_text
from lora_repository.finding import Finding, Problem
from lora_repository.i18n import _

CROPPED_MUCH: Final = 0.2
"""A portrait of which more than this share is cut off is worth a word: a face near the edge would be cut."""
WANTED_RATE: Final = 16_000
CLIPPED: Final = 0.002
"""Share of clipped samples that is heard as a crackle."""
QUIET: Final = 10 ** (-45 / 20)
"""Loudness is evened out before the speech is heard; below -45 dB of full scale eight bits of sixteen are left."""
SILENT: Final = 0.5
"""Share of pauses above which it is no speech."""
_VECTORS_PER_S: Final = 30
"""Upstream's rate of audio vectors (SPEC section 1)."""


@dataclass(frozen=True, slots=True)
class Video:
    """What comes out: sides in pixels, length in blocks of 12 frames."""

    width: int
    height: int
    blocks: int

    @property
    def frames(self) -> int:
        """Length in frames."""
        return self.blocks * FRAMES_PER_BLOCK

    @property
    def seconds(self) -> float:
        """Length at 25 frames a second."""
        return self.frames / FPS


def check_portrait(spec: RunSpec, area: int | None) -> tuple[Examined, tuple[int, int] | None]:
    """Is it a picture, and what of it is seen; height and width of the video where both are known."""
    title, path = _("portrait"), Path(spec.image)
    try:
        portrait = read_portrait(path)
    except Problem as refusal:
        return examined("portrait", title, path.name, findings=[refusal.finding]), None
    pixels = f"{portrait.width}x{portrait.height}"
    if area is None:
        return examined("portrait", title, path.name, pixels), None
    height, width = video_size(spec, portrait)
    cut_x, cut_y = cropped(portrait, height, width)
    detail = _("{pixels}, scaled to {video}").format(pixels=pixels, video=f"{width}x{height}")
    if max(cut_x, cut_y) >= 0.005:
        sides = _("left and right") if cut_x > cut_y else _("top and bottom")
        detail += _("; {share:.0%} is cut off, {sides}").format(share=max(cut_x, cut_y), sides=sides)
    findings = [_cut_much(path, max(cut_x, cut_y))] if max(cut_x, cut_y) > CROPPED_MUCH else []
    return examined("portrait", title, path.name, detail, findings), (height, width)


def cropped(portrait: Portrait, height: int, width: int) -> tuple[float, float]:
    """Shares of the picture's width and height that are cut off when it fills `height` x `width`."""
    scale = max(height / portrait.height, width / portrait.width)
    return 1 - width / scale / portrait.width, 1 - height / scale / portrait.height


def _cut_much(path: Path, share: float) -> Finding:
    return codes.warning(codes.CROPPED, path=str(path), share=f"{share:.0%}", step=SIDE_STEP)


def check_speech(spec: RunSpec, *, judged: bool) -> tuple[Examined, int | None]:
    """Can it be heard, and is any of it cut off; the length in blocks, None when the numbers were not `judged`."""
    title, path = _("speech"), Path(spec.audio)
    try:
        speech = _read_speech(path)
    except Problem as refusal:
        return examined("speech", title, path.name, findings=[refusal.finding]), None
    if not judged:
        return examined("speech", title, path.name, span_text(speech.seconds)), None
    wanted, blocks = blocks_for(speech.seconds), _blocks(spec, speech.seconds)
    detail = _("{spoken}, {clips} clips of 1.92 s; the video lasts {lasts}").format(
        spoken=span_text(speech.seconds),
        clips=ceil(blocks / BLOCKS_PER_CLIP),
        lasts=span_text(blocks * FRAMES_PER_BLOCK / FPS),
    )
    findings = _heard(speech)
    if blocks < wanted:
        findings.append(
            codes.warning(
                codes.SPEECH_CUT,
                path=str(path),
                clips=spec.num_clip,
                heard=f"{blocks * FRAMES_PER_BLOCK / FPS:.1f}",
                seconds=f"{speech.seconds:.1f}",
                needed=ceil(speech.seconds * FPS / FRAMES_PER_CLIP),
            )
        )
    return examined("speech", title, path.name, detail, findings), blocks


def _heard(speech: Speech) -> list[Finding]:
    """What its sound lacks."""
    path, found = str(speech.path), []
    if speech.rate < WANTED_RATE:
        facts = {"rate": speech.rate, "wanted": WANTED_RATE, "half": speech.rate // 2}
        found.append(codes.warning(own.SPEECH_DULL, path=path, **facts))
    if speech.clipped > CLIPPED:
        found.append(codes.warning(own.SPEECH_CLIPPED, path=path, share=f"{speech.clipped:.1%}"))
    if speech.peak < QUIET:
        found.append(codes.warning(own.SPEECH_QUIET, path=path, level=round(20 * log10(speech.peak))))
    elif speech.silent > SILENT:
        found.append(codes.warning(own.SPEECH_SILENT, path=path, share=f"{speech.silent:.0%}"))
    return found


def _blocks(spec: RunSpec, seconds: float) -> int:
    """Blocks of the video; upstream makes whole clips, one more than fit."""
    if not spec.parity:
        return blocks_for(seconds, spec.num_clip)
    clips = upstream_clips(int(seconds * _VECTORS_PER_S))
    return BLOCKS_PER_CLIP * (clips if spec.num_clip is None else min(clips, spec.num_clip))


def _read_speech(path: Path) -> Speech:
    """As `read_speech`, once for a file that stays as it is: an hour takes seconds to decode."""
    try:
        status = path.stat()
    except OSError:
        return read_speech(path)
    return _measured(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)
def _measured(path: Path, _changed_ns: int, _size: int) -> Speech:
    return read_speech(path)
