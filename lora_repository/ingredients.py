"""From what a person names to what `convert` takes: the one adapter file of a folder, its alpha, and what is left out.

Knows no channel and no hub.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from lora_repository.base import BaseTable
from lora_repository.codes import ADAPTER_MISSING, LEFT_OUT, STRENGTHS_WRONG
from lora_repository.config import CONFIG_NAME
from lora_repository.convert import Ingredient
from lora_repository.finding import Finding, Severity, problem
from lora_repository.folder import DMD_NAME, T5_NAME, UPSTREAM_NAME
from lora_repository.i18n import _
from lora_repository.place import is_file, list_folder
from lora_repository.proof import Proof, prove
from lora_repository.wording import command, shown, some_of

# What our contract, upstream, PEFT and diffusers call their file.
_USUAL: Final[tuple[str, ...]] = (
    DMD_NAME,
    UPSTREAM_NAME,
    "adapter_model.safetensors",
    "pytorch_lora_weights.safetensors",
)


def find_ingredient(
    path: Path, base: BaseTable, strength: float = 1.0, alpha: float | None = None
) -> tuple[Ingredient, list[Finding]]:
    """The ingredient at `path`, a file or a folder, and what of that folder takes no part.

    `alpha` serves where neither the file nor a config.json beside it says one. Raises Problem LORA004 for a folder
    without one adapter, and as `list_folder`.
    """
    file = path if is_file(path) else _file_in(path)
    proof = prove(path if file.name == DMD_NAME and not is_file(path) else file, base, None)
    said = next((part.alpha for part in proof.parts if part.target == "dit"), alpha)
    return Ingredient(file, strength, said), list(_left_out(path, proof))


def match_strengths(sources: int, strengths: Sequence[float] | None) -> list[float]:
    """A strength for each of so many sources, 1 where none are given; raises Problem LORA069 (exit code 2)."""
    found = [1.0] * sources if strengths is None else list(strengths)
    if len(found) == sources and all(map(math.isfinite, found)) and any(found):
        return found
    message = _("{n} sources got the strengths {strengths}; expected one for each, and not all of them 0.").format(
        n=sources, strengths=", ".join(f"{one:g}" for one in found)
    )
    fix = _("Repeat --strength for each source, in their order: {command}").format(
        command="liveavatar-tui convert a.safetensors b.safetensors out/ --strength 1 --strength 0.5"
    )
    raise problem(STRENGTHS_WRONG, message, fix, exit_code=2)


def _file_in(folder: Path) -> Path:
    names = list_folder(folder)
    usual = [name for name in _USUAL if name in names]
    found = usual[:1] or [name for name in names if name.endswith(".safetensors") and name != T5_NAME]
    if len(found) == 1:
        return folder / found[0]
    raise problem(
        ADAPTER_MISSING,
        _("{folder} holds no one adapter; found {names}.").format(folder=shown(folder), names=some_of(found) or "-"),
        _("Name the file itself; see what is there: {command}").format(command=command("ls", "-l", folder)),
        path=shown(folder),
    )


def _left_out(path: Path, proof: Proof) -> Iterator[Finding]:
    """An adapter of the text encoder, and a base adapter: neither is added, so whoever converts must know."""
    if not is_file(path) and is_file(path / T5_NAME):
        message = _("{file} is left out: adapters of the video model alone are joined.").format(
            file=shown(path.name) + "/" + T5_NAME
        )
        fix = _("Copy it into the new folder, and its rank as `r` into config.json, where it is to take part.")
        yield Finding(LEFT_OUT, Severity.WARNING, message, fix, shown(path / T5_NAME))
    if proof.base_adapter is not None:
        message = _("{name} is applied on top of {base}, which is left out.").format(
            name=shown(path.name), base=shown(proof.base_adapter)
        )
        yield Finding(LEFT_OUT, Severity.WARNING, message, _("Name it as a source, too."), shown(path / CONFIG_NAME))
