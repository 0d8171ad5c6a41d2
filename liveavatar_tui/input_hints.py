"""What the fields of the form mean, in a few words: the size of the video, the length of the speech, the clips.

Reads portrait and speech, so it is called from a worker. Knows no widget; what is wrong is told by preflight.
"""

from __future__ import annotations

from pathlib import Path

from engine.media import blocks_for
from engine.resolving import video_size
from engine.sources import read_portrait, read_speech
from engine.spec import BLOCKS_PER_CLIP, FPS, FRAMES_PER_BLOCK, RunSpec
from liveavatar_tui.quantities import span_text
from lora_repository.finding import Problem
from lora_repository.i18n import _, ngettext


def hints_for(spec: RunSpec) -> dict[str, str]:
    """Field name to hint, for the fields whose files can be read."""
    return _portrait(spec) | _speech(spec)


def _portrait(spec: RunSpec) -> dict[str, str]:
    try:
        portrait = read_portrait(Path(spec.image))
        height, width = video_size(spec, portrait)
    except (Problem, ValueError):
        return {}
    video = _("video {width}×{height}").format(width=width, height=height)
    return {"image": _("{width}×{height} pixels").format(width=portrait.width, height=portrait.height), "size": video}


def _speech(spec: RunSpec) -> dict[str, str]:
    try:
        speech = read_speech(Path(spec.audio))
    except Problem:
        return {}
    blocks = blocks_for(speech.seconds, spec.num_clip)
    clips = -(-blocks // BLOCKS_PER_CLIP)
    lasts = span_text(blocks * FRAMES_PER_BLOCK / FPS)
    told = ngettext("{n} clip, {time}", "{n} clips, {time}", clips).format(n=clips, time=lasts)
    return {"audio": span_text(speech.seconds), "clips": told}
