"""Mending a version as far as nothing is in doubt: what would be done, and doing it turn by turn. Knows no screen."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lora_repository.place import is_folder
from lora_repository.repair import apply_repairs, propose_repairs

# Rights let names be seen, a right name has rights of its own, and what can be read has a rank.
_TURNS: Final = 4


def mendable(path: Path) -> list[str]:
    """What would be done first, in words; more may show itself after that. Empty for what is no folder."""
    return [repair.title for repair in propose_repairs(path)] if is_folder(path) else []


def mend(path: Path) -> list[str]:
    """Apply what is proposed until nothing is; what was done, in words. Raises Problem LORA049."""
    done: list[str] = []
    for _turn in range(_TURNS if is_folder(path) else 0):
        proposed = propose_repairs(path)
        apply_repairs(proposed)
        done += [repair.title for repair in proposed]
    return done
