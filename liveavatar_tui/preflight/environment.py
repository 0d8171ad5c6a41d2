"""The installed packages: all there, recent enough, going together, and fit for the driver. Imports none of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

from engine import codes as engine_codes
from engine.probe import Machine, Source
from liveavatar_tui.codes import warning
from liveavatar_tui.preflight import codes
from liveavatar_tui.preflight.report import Examined, examined
from lora_repository.finding import Finding
from lora_repository.i18n import _

ENGINE_NEEDS: Final = {"torch": (2, 11), "tokenizers": (0, 22), "safetensors": (0, 6), "ftfy": (6, 3)}
"""Packages of the engine's own process and their least versions, as in pyproject.toml."""
_WHEELS: Final = "https://download.pytorch.org/whl/cu{digits}"
_CUDA: Final = re.compile(r"^cuda\b[^=]*=\s*'(\d+)\.(\d+)", re.MULTILINE)
_NUMBERS: Final = re.compile(r"(\d+)\.(\d+)")


def check_environment(machine: Machine, *, on_card: bool, environ: Mapping[str, str] = os.environ) -> Examined:
    """Silent when all is well; `on_card` = the run would take a card."""
    findings = list(_packages())
    if on_card and machine.source is not Source.TYPED:
        findings += _torch(machine)
        findings += _shadowed(environ)
    if not findings:
        return Examined(())
    return examined("environment", _("environment"), _("engine's packages"), findings=findings)


def _packages() -> Iterator[Finding]:
    for name, least in ENGINE_NEEDS.items():
        if PathFinder.find_spec(name) is None:
            yield engine_codes.LIBRARY_MISSING.finding(name=name)
        elif (found := _version(name)) is not None and found < least:
            wanted = ".".join(map(str, least))
            clash = _("{name} is {found}, and the engine needs {wanted}").format(
                name=name, found=".".join(map(str, found)), wanted=wanted
            )
            yield codes.PACKAGES_CLASH.finding(clash=clash, command=f"pip install '{name}>={wanted}'")
    if _version("pynvml") is not None and _version("nvidia-ml-py") is not None:
        clash = _("pynvml and nvidia-ml-py bring the same module")
        yield warning(codes.PACKAGES_CLASH, clash=clash, command="pip uninstall pynvml")


def _torch(machine: Machine) -> Iterator[Finding]:
    """What torch was built for, against the card and its driver."""
    built, version = torch_cuda(), ".".join(map(str, _version("torch") or ()))
    if PathFinder.find_spec("torch") is None:
        return
    if built is None:
        yield codes.TORCH_WITHOUT_CUDA.finding(name=machine.cards[0].name, version=version)
    elif machine.cuda != (0, 0) and machine.cuda[0] < built[0]:
        # Within one major version an older driver runs a newer CUDA.
        index = _WHEELS.format(digits=f"{machine.cuda[0]}{machine.cuda[1]}")
        facts = {"found": _dotted(machine.cuda), "wanted": _dotted(built), "driver": machine.driver}
        yield codes.DRIVER_OLD.finding(index=index, **facts)


def torch_cuda() -> tuple[int, int] | None:
    """The CUDA version that the installed torch was built for, from its sources; None for none."""
    found = PathFinder.find_spec("torch")
    if found is None or found.origin is None:
        return None
    try:
        text = Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return None
    match = _CUDA.search(text)
    return None if match is None else (int(match[1]), int(match[2]))


def _shadowed(environ: Mapping[str, str]) -> Iterator[Finding]:
    """A cuDNN of the system before torch's own: attention then takes 1.6 times as long, or fails."""
    for folder in environ.get("LD_LIBRARY_PATH", "").split(":"):
        libraries = sorted(Path(folder).glob("libcudnn*.so*")) if folder else []
        if libraries:
            yield warning(codes.LIBRARY_SHADOWED, found=str(libraries[0]), folder=folder)
            return


def _version(name: str) -> tuple[int, int] | None:
    try:
        match = _NUMBERS.match(metadata.version(name))
    except metadata.PackageNotFoundError:
        return None
    return None if match is None else (int(match[1]), int(match[2]))


def _dotted(pair: tuple[int, int]) -> str:
    return f"{pair[0]}.{pair[1]}"
