"""A machine's cards as values: memory, owners, health and links; and cards that are typed in where there are none.

Knows no driver: `engine.nvml` and `engine.nvidia_smi` fill these in.
"""

from __future__ import annotations

import pwd
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from engine import codes
from lora_repository.i18n import _

_GIB: Final = 1 << 30
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Tenant:
    """A process that holds memory of a card; `size` in bytes, 0 where the driver does not say."""

    pid: int
    size: int
    name: str = ""
    user: str = ""
    """Empty where the process is out of sight, as from inside a container."""


@dataclass(frozen=True, slots=True)
class Health:
    """Trouble since the driver was loaded: memory errors that could not be corrected, rows that wait for a restart or
    can no longer be replaced, and the numbers of the faults (Xid) in the kernel's log."""

    uncorrected: int = 0
    pending: bool = False
    worn: bool = False
    xids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """One card, or one slice of a card (MIG), as the engine will number it; bytes. `capability` such as (9, 0),
    (0, 0) where it is not known. `reserved` is the driver's own share of `total`."""

    index: int
    name: str
    uuid: str
    total: int
    free: int
    capability: tuple[int, int]
    tenants: tuple[Tenant, ...] = ()
    reserved: int = 0
    bus: str = ""
    slice_of: str = ""
    """The whole card's id, for a slice."""
    sliced: bool = False
    """It is cut into slices, and cannot be used whole."""
    pcie: tuple[int, int] = (0, 0)
    """Generation and lanes of its link to the host at this moment; a link at rest is slower than it can be."""
    health: Health = Health()

    @property
    def device(self) -> str:
        """What torch calls it."""
        return f"cuda:{self.index}"


class Route(StrEnum):
    """How two cards reach each other, nearest first."""

    NVLINK = "nvlink"
    SWITCH = "switch"
    BRIDGE = "bridge"
    NODE = "node"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Link:
    """Two cards by index, and the way between them."""

    first: int
    second: int
    route: Route


@dataclass(frozen=True, slots=True)
class Cards:
    """What a driver told: cards, its version, the newest CUDA that it runs, and the links."""

    cards: tuple[Card, ...]
    driver: str = ""
    cuda: tuple[int, int] = (0, 0)
    links: tuple[Link, ...] = ()


def owned(pid: int, size: int, proc: Path = Path("/proc")) -> Tenant:
    """A tenant with its program and owner, where this process may see them."""
    try:
        name = (proc / str(pid) / "comm").read_text().strip()
        user = pwd.getpwuid((proc / str(pid)).stat().st_uid).pw_name
    except (OSError, KeyError):
        return Tenant(pid, size)
    return Tenant(pid, size, name, user)


def visible(cards: Sequence[Card], wanted: str | None) -> tuple[Card, ...]:
    """The cards that `CUDA_VISIBLE_DEVICES` leaves, renumbered as CUDA does; the first unknown name ends the list.

    A card that is cut into slices is not there as a whole; of slices, CUDA takes the first unless one is named.
    """
    if wanted is None:
        whole = [card for card in cards if not card.sliced]
        slices = [card for card in whole if card.slice_of]
        return _numbered(slices[:1] if slices else whole)
    chosen: list[Card] = []
    for name in (part.strip() for part in wanted.split(",")):
        found = [card for card in cards if name and (name == str(card.index) or card.uuid.startswith(name))]
        if len(found) != 1 or found[0].sliced:
            break
        chosen.append(found[0])
    return _numbered(chosen)


def _numbered(cards: Sequence[Card]) -> tuple[Card, ...]:
    return tuple(replace(card, index=index) for index, card in enumerate(cards))


# --- typed in


@dataclass(frozen=True, slots=True)
class _Model:
    """A card of the market: what its driver says it has, in MiB, and what it can compute."""

    total: int
    capability: tuple[int, int]


_MODELS: Final = {
    ("B200", 180): _Model(183_359, (10, 0)),
    ("H200", 141): _Model(143_771, (9, 0)),
    ("H100", 80): _Model(81_559, (9, 0)),
    ("H800", 80): _Model(81_559, (9, 0)),
    ("H20", 96): _Model(97_871, (9, 0)),
    ("A100", 80): _Model(81_920, (8, 0)),
    ("A100", 40): _Model(40_960, (8, 0)),
    ("A800", 80): _Model(81_920, (8, 0)),
    ("L40S", 48): _Model(46_068, (8, 9)),
    ("L40", 48): _Model(46_068, (8, 9)),
    ("A6000", 48): _Model(49_140, (8, 6)),
    ("RTX 5090", 32): _Model(32_607, (12, 0)),
    ("RTX 4090", 24): _Model(24_564, (8, 9)),
    ("RTX 3090", 24): _Model(24_576, (8, 6)),
    ("L4", 24): _Model(23_034, (8, 9)),
}
_USABLE: Final = 0.9375
"""Of the gigabytes in a card's name where the card is not known: error correction takes a sixteenth of some."""
_DRIVER: Final = 400 * _MIB
"""What a driver keeps of an idle card: 0.3 to 0.6 GB."""
_MOST: Final = 64
_TYPED: Final = re.compile(
    r"(?:(?P<before>\d{1,3})\s*[x×*]\s*)?(?P<name>(?:[\w.-]+ +)*?)"
    r"(?P<size>\d{1,4}(?:\.\d)?)\s*(?:GB|GiB|G)(?:\s*[x×*]\s*(?P<after>\d{1,3}))?",
    re.IGNORECASE,
)


def typed_cards(text: str) -> tuple[Card, ...]:
    """The cards that "24GB x5", "2 x RTX 4090 24GB" or "H100 80GB" stand for; raises Problem RUN002.

    A known name gives the card's true memory and capability; without one a sixteenth is taken off, and what depends on
    the capability is not judged.
    """
    match = _TYPED.fullmatch(text.strip())
    count = int((match and (match["before"] or match["after"])) or 1)
    if match is None or not 1 <= count <= _MOST or (match["before"] and match["after"]):
        expected = _("a size and a number of cards")
        raise codes.SPEC_WRONG.problem(
            exit_code=2, field="--gpus", value=repr(text), expected=expected, example='"24GB x5"'
        )
    size, name = float(match["size"]), (match["name"] or "").strip()
    known = _MODELS.get((_market_name(name), round(size)))
    total = known.total * _MIB if known else round(size * _USABLE * _GIB)
    one = Card(
        0,
        name or f"{size:g} GB",
        "",
        total,
        total - _DRIVER,
        known.capability if known else (0, 0),
        reserved=_DRIVER,
    )
    return tuple(replace(one, index=index, uuid=f"typed-{index}") for index in range(count))


def _market_name(name: str) -> str:
    """The table's name of a card: `rtx 4090` and `4090` are the same."""
    plain = name.upper().removeprefix("NVIDIA").strip()
    return next((known for known, _size in _MODELS if plain in (known, known.removeprefix("RTX "))), plain)
