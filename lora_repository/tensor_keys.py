"""The names that adapter tensors carry: `[base_model.model.]<module>.lora_A|lora_B[.default].weight`.

Also tells which other format a foreign name belongs to. Knows no shape and no base model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

Side = Literal["A", "B"]

_KEY: Final = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_([AB])(?:\.default)?\.weight")
_FORMATS: Final = (
    (re.compile(r"lora_(?:unet|te\d?)_"), "kohya / musubi-tuner"),
    (re.compile(r".*\.lora_magnitude_vector"), "DoRA"),
    (re.compile(r".*\.(?:hada_w[12]|lokr_w[12])"), "LyCORIS"),
    (re.compile(r"(?:transformer|unet|text_encoder)\."), "diffusers"),
    (re.compile(r"diffusion_model\."), "ComfyUI"),
    (re.compile(r".*\.(?:lora_down|lora_up)\.weight|.*\.alpha"), "kohya / musubi-tuner"),
)


@lru_cache(maxsize=4096)  # the same names come again in every version
def parse_key(key: str) -> tuple[str, Side] | None:
    """(module, side) of an adapter tensor, or None for a name of another kind."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    return match[1], "A" if match[2] == "A" else "B"


def foreign_format(keys: Sequence[str]) -> str | None:
    """The name of the format that the first telling key belongs to."""
    for key in keys:
        for pattern, name in _FORMATS:
            if pattern.match(key):
                return name
    return None
