"""What went wrong, in words a person can act on: from the exception of a living engine, or from what a dead one left.

Knows exceptions by name where naming them would import torch. Never shows a traceback; that is the log's.
"""

from __future__ import annotations

import errno
import re
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine import codes
from engine.memory.explain import explained
from engine.memory_use import host_available, readable
from engine.protocol import Phase
from lora_repository.finding import Finding, Problem
from lora_repository.i18n import N_, _

_CARD_ASKED: Final = re.compile(r"Tried to allocate ([\d.]+ \w+)")
_CARD_FREE: Final = re.compile(r"of which ([\d.]+ \w+) is free")
_CARD: Final = re.compile(r"GPU (\d+)")
_HOST_ASKED: Final = re.compile(r"you tried to allocate (\d+) bytes|Unable to allocate ([\d.]+ \w+)")
_CRASH: Final = re.compile(
    r"^Fatal Python error: (Segmentation fault|Bus error|Aborted|Illegal instruction)", re.MULTILINE
)
_SIGNALS: Final = {
    "Segmentation fault": "SIGSEGV",
    "Bus error": "SIGBUS",
    "Aborted": "SIGABRT",
    "Illegal instruction": "SIGILL",
}
_NEARLY_ALL: Final = 0.8
"""A process that held this share of the host's memory before it was killed was most likely killed for it."""

# What asks for memory in each phase, and what an engine was doing when it ended, as the middle of a sentence.
_ASKERS: Final = {
    Phase.QUEUED: N_("waiting"),
    Phase.RESOLVING: N_("checking what was asked for"),
    Phase.LOADING: N_("loading the model"),
    Phase.COMPILING: N_("compiling the model"),
    Phase.CONDITIONING: N_("reading portrait, prompt and speech"),
    Phase.GENERATING: N_("generating frames"),
    Phase.DECODING: N_("decoding frames"),
    Phase.MUXING: N_("finishing the video"),
    Phase.TRAINING: N_("training"),
    Phase.COMPARING: N_("comparing"),
}
_ASKER: Final = N_("working")


@dataclass(frozen=True, slots=True)
class Scene:
    """Where it happened: the phase, the folder written to, and the log that holds the details."""

    phase: Phase
    folder: Path
    log: Path

    @property
    def asker(self) -> str:
        """What the engine was doing, in the user's language."""
        return _(_ASKERS.get(self.phase, _ASKER))


def classify(fault: BaseException, scene: Scene) -> Finding:
    """The finding behind an exception; what nobody foresaw is RUN099 and names the log."""
    if isinstance(fault, Problem):
        return fault.finding
    if isinstance(fault, MemoryError) or _is_torch_memory(fault):
        return _out_of_memory(str(fault), scene)
    if isinstance(fault, OSError):
        return _of_the_system(fault, scene)
    if isinstance(fault, ImportError):
        return codes.LIBRARY_MISSING.finding(name=fault.name or str(fault))
    first = str(fault).strip().partition("\n")[0][:200]
    reason = f"{type(fault).__name__}: {first}" if first else type(fault).__name__
    return codes.UNEXPECTED.finding(reason=reason, log=str(scene.log))


def _is_torch_memory(fault: BaseException) -> bool:
    card = type(fault).__name__ == "OutOfMemoryError" and type(fault).__module__.startswith("torch")
    return card or (isinstance(fault, RuntimeError) and "DefaultCPUAllocator" in str(fault))


def _out_of_memory(text: str, scene: Scene) -> Finding:
    unknown = _("an unknown amount")
    if asked := _CARD_ASKED.search(text):
        card, free = _CARD.search(text), _CARD_FREE.search(text)
        device = _("GPU {n}").format(n=card[1]) if card else _("the GPU")
        told = free[1] if free else unknown
        found = codes.OUT_OF_MEMORY.finding(device=device, asker=scene.asker, asked=asked[1], free=told)
        return explained(found, text, scene.folder / "spec.json")
    wanted = _HOST_ASKED.search(text)
    amount = unknown if wanted is None else readable(int(wanted[1])) if wanted[1] else wanted[2]
    free_now = readable(host_available())
    return codes.OUT_OF_MEMORY.finding(device=_("the host"), asker=scene.asker, asked=amount, free=free_now)


def _of_the_system(fault: OSError, scene: Scene) -> Finding:
    path = str(fault.filename or scene.folder)
    if fault.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return codes.DISK_FULL.finding(path=str(scene.folder), free=readable(shutil.disk_usage(scene.folder).free))
    if fault.errno == errno.ENOMEM:
        return _out_of_memory("", scene)
    if fault.errno in (errno.EACCES, errno.EPERM):
        return codes.FILE_FORBIDDEN.finding(path=path)
    return codes.UNEXPECTED.finding(reason=f"{fault.strerror or fault}: {path}", log=str(scene.log))


def post_mortem(
    scene: Scene, *, log_tail: str, used: int, total: int, exit_status: int | None = None, restarted: str = ""
) -> Finding:
    """Why an engine ended without an end event.

    `used` is the last memory that it reported and `total` the host's, in bytes; `exit_status` as `Popen.returncode`,
    None where nobody waited for it; `restarted` names the host if it was booted since.
    """
    if restarted:
        return codes.HOST_RESTARTED.finding(host=restarted)
    if crash := _CRASH.search(log_tail):
        return codes.CRASHED.finding(signal=_SIGNALS[crash[1]], asker=scene.asker, log=str(scene.log))
    if total and used > _NEARLY_ALL * total:
        return codes.KILLED_FOR_MEMORY.finding(asker=scene.asker, used=readable(used))
    if exit_status is not None and exit_status < 0:
        return codes.KILLED.finding(signal=signal.Signals(-exit_status).name, asker=scene.asker)
    return codes.LOST.finding(asker=scene.asker, log=str(scene.log))
