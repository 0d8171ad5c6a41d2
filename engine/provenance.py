"""Where a video comes from: `output.json` beside it names spec, versions, times, and what went in, by hash.

Two runs with the same `frames_sha256` showed the same pixels; `latents_sha256` is of what those were decoded from.
Knows no model; reads what it is told about.
"""

from __future__ import annotations

import hashlib
import platform
import socket
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine import __version__
from engine.checkpoint_layout import CheckpointLayout
from engine.protocol import Finished
from engine.spec import RunSpec
from lora_repository.proof import PartProof

LIBRARIES: Final = ("torch", "numpy", "av", "safetensors", "tokenizers")


class Provenance:
    """Mutable: collects what is learnt along the run, and writes it down at its end."""

    def __init__(self, spec: RunSpec, layout: CheckpointLayout) -> None:
        self._spec = spec
        self._layout = layout
        self._pixels = hashlib.sha256()
        self._latents = hashlib.sha256()
        self._adapters: list[dict[str, object]] = []
        self._swaps: list[dict[str, object]] = []

    def adapters(self, parts: Iterable[PartProof]) -> None:
        """Hash the adapters that are about to be merged, in order."""
        self._adapters = _told(parts)

    def swapped(self, block: int, parts: Iterable[PartProof], *, restart: bool) -> None:
        """Other adapters from block `block` on."""
        self._swaps.append({"block": block, "restart": restart, "adapters": _told(parts)})

    def saw(self, frames: NDArray[np.uint8], latents: NDArray[np.float32] | None = None) -> None:
        """Frames [T, H, W, 3] that went into the video, in order, and the latents that they were decoded from."""
        self._pixels.update(np.ascontiguousarray(frames).data)
        if latents is not None:
            self._latents.update(np.ascontiguousarray(latents).data)

    def document(self, finished: Finished, seconds: Mapping[str, float], device: str, threads: int) -> bytes:
        """The JSON of `output.json`."""
        inputs = {name: str(getattr(self._spec, name)) for name in ("image", "audio")}
        told = {
            "engine": __version__,
            "spec": self._spec,
            "frames_sha256": self._pixels.hexdigest(),
            "latents_sha256": self._latents.hexdigest(),
            "inputs": {name: {"file": file, "sha256": sha256(Path(file))} for name, file in inputs.items()},
            "adapters": self._adapters,
            "swaps": self._swaps,
            "base_model": {
                "folder": str(self._layout.root),
                "files": {
                    str(file.relative_to(self._layout.root)): file.stat().st_size for file in self._layout.files()
                },
            },
            "video": {"frames": finished.frames, "fps_made": finished.fps, "first_frame_s": finished.first_frame_s},
            "seconds": dict(seconds),
            "machine": {
                "host": socket.gethostname(),
                "system": platform.platform(),
                "device": device,
                "threads": threads,
            },
            "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        }
        return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def _told(parts: Iterable[PartProof]) -> list[dict[str, object]]:
    return [
        {
            "file": str(part.file),
            "sha256": sha256(part.file),
            "target": part.target,
            "rank": part.rank,
            "alpha": part.alpha,
            "strength": part.strength,
        }
        for part in parts
    ]


def sha256(path: Path) -> str:
    """Hash of a file's content; 1.35 GB take about a second."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
